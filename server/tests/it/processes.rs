//! Several processes over one PostgreSQL: one truth, one leader, and a stop that nobody notices.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yeyak::proto::booking::v1::QuoteChangeRequest;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::payment::v1::PreparePaymentRequest;
use yeyak::{Client, Options};
use yeyak_server::error::ErrorReason;
use yeyak_services::{Durability, Postgres};

use crate::dice::Dice;
use crate::guest::Load;
use crate::harness::{Installation, PASSWORD};
use crate::place::{PRICE, Place, browser, confirm, date, minor, prepare, press, take};
use crate::process::Server;

async fn servers(installation: &Arc<Installation>, count: usize) -> Vec<Server> {
    let mut servers = Vec::new();
    for _ in 0..count {
        servers.push(Server::start(installation).await);
    }
    servers
}

fn urls(servers: &[Server]) -> String {
    servers.iter().map(Server::url).collect::<Vec<_>>().join(",")
}

/// Guard: the condition on held and sold rooms in `take`, which PostgreSQL checks again under the lock of the row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn the_last_room_goes_to_exactly_one_of_200_at_three_processes() {
    let (installation, place) = Installation::of_production(1).await;
    let servers = servers(&installation, 3).await;
    let mut quotes = Vec::new();
    for number in 0..200 {
        let options = Options::default().attempts(1).deadline(Duration::from_secs(60));
        let client = Client::connect_with(&servers[number % 3].url(), options).await.expect("connects");
        client.sign_up(&format!("guest{number}@example.kr"), PASSWORD, "민아").await.expect("signs up");
        let stay = (place.arrival, place.arrival + chrono::Days::new(2));
        quotes.push((client.clone(), place.quote(&client, stay).await.expect("quotes")));
    }

    let bookings = quotes.into_iter().map(async |(client, quote)| client.bookings().create_booking(take(quote)).await);
    let outcomes = futures::future::join_all(bookings).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refusals = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let reasons: HashSet<_> = refusals.map(|error| error.reason).collect();
    assert_eq!(reasons, HashSet::from([ErrorReason::NightsTaken]));
    installation.check().await;
}

/// Guard: the record of the request, which is unique in the database that the processes share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn one_request_at_three_processes_is_one_booking() {
    let (installation, place) = Installation::of_production(10).await;
    let servers = servers(&installation, 3).await;
    let client = Client::connect(&urls(&servers)).await.expect("connects");
    client.sign_up("guest@example.kr", PASSWORD, "민아").await.expect("signs up");
    let stay = (place.arrival, place.arrival + chrono::Days::new(2));
    let mut request = take(place.quote(&client, stay).await.expect("quotes"));
    request.request_id = "0195d7a0-0000-7000-8000-000000000001".into();

    let bookings = (0..30).map(async |_| client.bookings().create_booking(request.clone()).await);
    let outcomes = futures::future::join_all(bookings).await;

    let ids: HashSet<_> = outcomes.into_iter().map(|booking| booking.expect("an answer").id).collect();
    assert_eq!(ids.len(), 1);
}

/// Guard: the lease. Which process leads is told by the table; that the other follows it, by what it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_leader_that_is_killed_is_followed_within_its_lease() {
    let (installation, _) = Installation::of_production(1).await;
    let mut servers = servers(&installation, 2).await;
    let leader = || installation.query("SELECT holder FROM lease WHERE name = 'expiry' AND expire_time > now()");
    let began = Instant::now();
    while leader().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody leads");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let first = leader();

    // Whoever led is dead, and its lease is still there.
    let began = Instant::now();
    servers[0].kill().await;
    servers[1].kill().await;
    servers[1].start_again().await;
    let second = loop {
        let now = leader();
        if !now.is_empty() && now != first {
            break now;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "nobody took over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };

    println!("lease: taken over after {:?}", began.elapsed());
    assert_ne!(first, second);
    assert_eq!(installation.query("SELECT fence FROM lease WHERE name = 'expiry'"), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_process_that_is_stopped_under_load_fails_nobody() {
    let mut dice = Dice::of("stop");
    let (installation, place) = Installation::of_production(30).await;
    let mut servers = servers(&installation, 2).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let options = Options::default().deadline(Duration::from_secs(10));
        clients.push(Client::connect_with(&urls(&servers), options).await.expect("connects"));
    }

    let load = Load::start(clients, &place, &mut dice).await;
    for turn in [0, 1, 0] {
        load.goes_on(5, Duration::from_secs(30)).await;
        let took = servers[turn].stop().await;
        println!("stop: ended in {took:?}");
        load.goes_on(5, Duration::from_secs(30)).await;
        servers[turn].start_again().await;
    }

    let failures = load.failures();
    load.stop().await;
    installation.check().await;
    assert!(failures.is_empty(), "{failures:#?}");
}

/// What one process sells, the search of another doesn't find any more, soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_one_process_sells_is_not_found_at_another() {
    let (installation, place) = Installation::of_production(1).await;
    let servers = servers(&installation, 2).await;
    let (here, there) = (servers[0].connect().await, servers[1].connect().await);
    here.sign_up("guest@example.kr", PASSWORD, "민아").await.expect("signs up");
    assert!(place.is_found(&here).await && place.is_found(&there).await);

    place.hold(&here, (place.arrival, place.arrival + chrono::Days::new(1))).await.expect("holds");

    assert!(!place.is_found(&here).await, "at once in the same process");
    let began = Instant::now();
    while place.is_found(&there).await {
        assert!(began.elapsed() < Duration::from_secs(10), "still found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("search: another process knew after {:?}", began.elapsed());
}

/// Guard: what is held for a move that is to be paid leaves no event of its booking, and is looked for all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn what_one_process_holds_for_a_move_is_not_found_at_another() {
    let (installation, place) = Installation::of_production(1).await;
    let servers = servers(&installation, 2).await;
    let (here, there) = (servers[0].connect().await, servers[1].connect().await);
    here.sign_up("guest@example.kr", PASSWORD, "민아").await.expect("signs up");
    let day = |number| place.arrival + chrono::Days::new(number);
    let booking = place.hold(&here, (day(1), day(2))).await.expect("holds");
    let attempt = prepare(&here, &booking).await;
    let key = press(&browser(), &attempt.checkout_url, "pay").await.expect("a key");
    confirm(&here, &attempt, key).await.expect("confirms");
    // Until the other process has counted that.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(place.is_found(&there).await);
    let ask = QuoteChangeRequest { id: booking.id.clone(), check_in_date: date(day(0)), check_out_date: date(day(2)) };
    let change_quote_token = here.bookings().quote_change(ask).await.expect("quotes").token;
    let request = PreparePaymentRequest { booking_id: booking.id, change_quote_token, ..Default::default() };

    here.payments().prepare_payment(request).await.expect("holds the night before");

    let began = Instant::now();
    while place.is_found(&there).await {
        assert!(began.elapsed() < Duration::from_secs(10), "still found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_process_serves_what_it_is_told_and_says_so() {
    let (installation, place) = Installation::of_production(1).await;
    let stay = Server::start_with(&installation, &["--services", "stay,member", "--workers", "none"]).await;
    let booking = Server::start_with(&installation, &["--services", "booking,payment,member"]).await;

    let guest = stay.connect().await;
    guest.sign_up("guest@example.kr", PASSWORD, "민아").await.expect("signs up");
    let elsewhere = booking.connect().await.with_tokens(guest.tokens().expect("signed in"));
    let nights = (place.arrival, place.arrival + chrono::Days::new(1));
    let refused = place.quote(&guest, nights).await.expect_err("not served here");
    assert_eq!(refused.reason, ErrorReason::UnknownMethod);
    let quote = place.quote(&elsewhere, nights).await.expect("served there");
    let held = elsewhere.bookings().create_booking(take(quote)).await.expect("books");
    assert_eq!(held.state(), State::Held);
    assert!(stay.health().await.contains("yeyak.stay.v1.StaySearchService"));
    assert!(!stay.health().await.contains("yeyak.booking"));
    assert!(!booking.health().await.contains("yeyak.stay"));
}

/// A connection is taken by a statement, and given up when nobody uses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_process_that_answers_from_memory_holds_no_connection() {
    let (installation, place) = Installation::of_production(1).await;
    let flags = ["--services", "stay", "--workers", "none"];
    let server = Server::start_with(&installation, &flags).await;
    let client = server.connect().await;
    let began = Instant::now();
    loop {
        assert!(place.is_found(&client).await);
        // The one that asks is `psql`.
        let open = installation.query(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'yeyak%'",
        );
        if open == "0" {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{open} connections are held");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Guard: what a caller may just have written is read from the database itself; a replica fills the index, and what it has not
/// seen yet is read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_late_replica_hides_nothing_that_was_written() {
    let postgres = Postgres::start(Durability::Crash);
    let (installation, place) = Installation::over(&postgres, &[]).open(1).await;
    let replica = postgres.replica(1500);
    let late = replica.url(installation.database());
    let flags = [("YEYAK_DATABASE_REPLICA", &*late)];
    let server = Server::start_in(&installation, &flags).await;
    let seller = server.connect().await.with_tokens(place.seller.tokens().expect("signed in"));
    let place = Place { seller, ..Arc::into_inner(place).expect("no other") };
    let guest = server.connect().await;
    let price = async |client: &Client| {
        let offers = place.search(client).await.expect("searches").offers;
        minor(&offers.first().and_then(|offer| offer.price.as_ref()).expect("is found").total)
    };
    assert_eq!(price(&guest).await, PRICE);
    let used = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'yeyak replica'";
    assert_eq!(Postgres::ask(&late, used).trim(), "t", "the index was filled from the replica");

    place.set_price(2 * PRICE).await;

    assert_eq!(price(&guest).await, 2 * PRICE, "at once where it was written");
    let other = Server::start_in(&installation, &flags).await;
    let guest = other.connect().await;
    let began = Instant::now();
    while price(&guest).await != 2 * PRICE {
        assert!(began.elapsed() < Duration::from_secs(5), "the replica's word counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
