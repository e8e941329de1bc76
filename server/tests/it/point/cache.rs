//! Wallets at hand: never older than what their reader was told.

use std::sync::Arc;

use chrono::Days;
use futures::future::join_all;
use sea_orm::ConnectionTrait;
use yeyak::Client;
use yeyak::proto::booking::v1::QuoteBookingRequest;
use yeyak::proto::point::v1::earn_points_request::Amount;
use yeyak::proto::point::v1::{
    EarnPointsRequest, GetPointBalanceRequest, ListPointMovementsRequest, PointBalance, PointMovement,
    SpendPointsRequest,
};
use yeyak_server::kit::tx::Tx;
use yeyak_server::serve::World;
use yeyak_services::{Durability, Postgres, Redis, unique};

use super::desk::Desk;
use crate::harness::{Installation, Yeyak, id_of};
use crate::place::{Plan, cancel, date, take};
use crate::process::Server;

async fn read(reader: &Client, member: &str) -> PointBalance {
    let ask = GetPointBalanceRequest { member_id: member.to_owned(), ..Default::default() };
    reader.points().get_point_balance(ask).await.expect("reads")
}

/// The newest movements of a member.
async fn history(reader: &Client, member: &str) -> Vec<PointMovement> {
    let member_id = member.to_owned();
    let ask = ListPointMovementsRequest { member_id, page_size: 5, ..Default::default() };
    reader.points().list_point_movements(ask).await.expect("lists").movements
}

async fn earn(admin: &Client, member: &str, points: i64) -> i64 {
    let (member_id, amount) = (member.to_owned(), Some(Amount::Points(points)));
    let earn = EarnPointsRequest { member_id, amount, ..Default::default() };
    admin.points().earn_points(earn).await.expect("earns").balance_version
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_reads_what_they_wrote() {
    let desk = Desk::new().await;
    for round in 1..=50 {
        let version = earn(&desk.admin, &desk.id, 1).await;
        let seen = read(&desk.admin, &desk.id).await;
        assert_eq!((seen.available_points, seen.balance_version), (round, version));
    }
}

/// Guard: the version in the key of a page. That a page is kept is seen where the tables have lost it.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_history_is_kept_and_never_without_what_its_reader_was_told() {
    let desk = Desk::new().await;
    for _ in 0..20 {
        let version = earn(&desk.admin, &desk.id, 1).await;
        assert_eq!(history(&desk.admin, &desk.id).await[0].balance_version, version);
    }
    let before = history(&desk.admin, &desk.id).await;
    let lose = async |tx: Tx| Ok(tx.execute_unprepared("DELETE FROM point_movement").await.map(drop)?);
    desk.yeyak.platform.kit.db.write(lose).await.expect("loses");

    assert_eq!(history(&desk.admin, &desk.id).await, before);

    earn(&desk.admin, &desk.id, 1).await;
    assert_eq!(history(&desk.admin, &desk.id).await.len(), 1, "of another version");
}

/// Guard: how new a page must be is no part of what its token is of.
#[tokio::test(flavor = "multi_thread")]
async fn who_pages_through_a_history_and_is_told_of_more_meanwhile_goes_on() {
    let desk = Desk::new().await;
    for _ in 0..6 {
        earn(&desk.admin, &desk.id, 10).await;
    }
    let ask = ListPointMovementsRequest { member_id: desk.id.clone(), page_size: 4, ..Default::default() };
    let first = desk.admin.points().list_point_movements(ask.clone()).await.expect("lists");
    earn(&desk.admin, &desk.id, 10).await;

    let next = ListPointMovementsRequest { page_token: first.next_page_token, ..ask };
    let rest = desk.admin.points().list_point_movements(next).await.expect("goes on");

    assert_eq!((first.movements.len(), rest.movements.len()), (4, 2));
}

/// Guard: an older wallet never replaces a newer one at hand (`Cache::put` by version).
#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_hand_never_goes_back_while_many_write_and_read() {
    let desk = Desk::new().await;
    earn(&desk.admin, &desk.id, 1_000).await;
    let writers = (0..8).map(|_| async {
        for _ in 0..10 {
            desk.spend(1).await.expect("spends");
        }
    });
    let readers = (0..8).map(|_| async {
        let mut last = 0;
        for _ in 0..40 {
            let seen = desk.balance().await.balance_version;
            assert!(seen >= last, "{seen} behind {last}");
            last = seen;
        }
    });

    tokio::join!(join_all(writers), join_all(readers));

    assert_eq!(desk.available().await, 920);
    desk.yeyak.check().await;
}

/// Guard: a reader asks for the version that they were told of (`min_version`, sent by the SDK), and what is at hand and older is
/// not shown. The calls of each client take turns between two processes, while another writes at both too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn a_balance_is_never_older_than_what_its_reader_was_told_by_another_process() {
    let yeyak = Yeyak::on(Installation::new(true).await, World::default().clock.now()).await;
    let (admin, member) = (yeyak.admin().await, yeyak.member().await);
    let id = id_of(&member).await;
    let tokens = admin.tokens().expect("signed in");
    earn(&admin, &id, 1_000_000).await;
    drop((admin, member));
    let installation = Arc::new(yeyak.leave().await);
    let (one, other) = (Server::start(&installation).await, Server::start(&installation).await);
    let both = Client::connect(&format!("{},{}", one.url(), other.url())).await.expect("connects");

    let clients = (0..3).map(|_| both.with_tokens(tokens.clone())).map(|client| {
        let id = id.clone();
        async move {
            for _ in 0..100 {
                let spend = SpendPointsRequest { member_id: id.clone(), points: 1, ..Default::default() };
                let told = client.points().spend_points(spend).await.expect("spends").balance_version;
                let seen = read(&client, &id).await.balance_version;
                assert!(seen >= told, "{seen} behind {told}");
                let newest = history(&client, &id).await[0].balance_version;
                assert!(newest >= told, "{newest} behind {told}");
            }
        }
    });
    join_all(clients).await;

    let seen = read(&both.with_tokens(tokens), &id).await;
    assert!(seen.available_points >= 999_700);
    installation.check().await;
}

/// Guards: an answer about a booking tells which version of the points has what it did (`point_balance_version`), and the SDK asks for
/// no older one; who has written shows none either. Redis hangs, so that nobody hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis: .ci/run"]
async fn points_that_a_booking_uses_are_gone_at_every_process_though_no_word_of_it_comes() {
    let (postgres, redis) = (Postgres::start(Durability::Crash), Redis::start());
    let services = [("redis", redis.url()), ("redis_prefix", unique("test"))];
    let now = World::default().clock.now();
    let yeyak = Yeyak::on(Installation::over(&postgres, &services), now).await;
    let arrival = now.date_naive() + Days::new(31);
    let place = yeyak.place(Plan { rooms: 9, arrival, ..Plan::default() }).await;
    let (admin, member) = (yeyak.admin().await, yeyak.member().await);
    earn(&admin, &id_of(&member).await, 50_000).await;
    let tokens = member.tokens().expect("signed in");
    drop((admin, member));
    let installation = Arc::new(yeyak.leave().await);
    let (one, other) = (Server::start(&installation).await, Server::start(&installation).await);
    let both = Client::connect(&format!("{},{}", one.url(), other.url())).await.expect("connects").with_tokens(tokens);
    let ask = QuoteBookingRequest {
        room_type_id: place.room_type_id.clone(),
        rate_plan_id: place.rate_plan_id.clone(),
        check_in_date: date(arrival),
        check_out_date: date(arrival + Days::new(2)),
        points: 30_000,
        ..Default::default()
    };
    let quote = both.bookings().quote_booking(ask).await.expect("quotes");
    // They take turns: the wallet of before is near at both.
    for _ in 0..6 {
        assert_eq!(read(&both, "").await.available_points, 50_000);
    }

    redis.hang();
    let booking = both.bookings().create_booking(take(quote)).await.expect("holds");
    for _ in 0..4 {
        assert_eq!(read(&both, "").await.available_points, 20_000);
    }
    redis.go_on();

    cancel(&both, &booking).await.expect("cancels");
    for _ in 0..4 {
        assert_eq!(read(&both, "").await.available_points, 50_000);
    }
    installation.check().await;
}
