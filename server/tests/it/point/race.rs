//! Many at once.

use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::point::v1::{CancelPointSpendingRequest, PointPolicy, SpendPointsRequest};

use super::desk::{Desk, balance, gift};
use crate::coupon::desk::{crowd, others_are, won_by};

/// Guards: the wallet's row is locked before it is read (`FOR UPDATE`), and written on condition of its version; on SQLite there
/// is one writer.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_points_are_spent_by_exactly_one_of_many() {
    let desk = Desk::new().await;
    desk.earn(100).await;

    let outcomes = join_all((0..100).map(|_| desk.spend(100))).await;

    assert_eq!(won_by(&outcomes), 1);
    others_are(&outcomes, ErrorReason::PointsNotEnough);
    assert_eq!(desk.available().await, 0);
    desk.yeyak.check().await;
}

/// Guard: the record of the request, under its caller, method and id, commits with the spending.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_in_parallel_is_one_spending() {
    let desk = Desk::new().await;
    desk.earn(1_000).await;
    let request_id = "00000000-0000-4000-8000-00000000a002".to_owned();
    let spend = SpendPointsRequest { member_id: desk.id.clone(), points: 10, request_id, ..Default::default() };

    let ask = || async { desk.admin.points().spend_points(spend.clone()).await };
    let answers = join_all((0..20).map(|_| ask())).await;

    let mut ids: Vec<_> = answers.into_iter().map(|answer| answer.expect("is answered").id).collect();
    ids.dedup();
    assert_eq!((ids.len(), desk.available().await), (1, 990));
    desk.yeyak.check().await;
}

/// Guard: what was given back of a spending is read behind the lock of its wallet.
#[tokio::test(flavor = "multi_thread")]
async fn a_spending_is_given_back_once_by_many() {
    let desk = Desk::new().await;
    desk.earn(1_000).await;
    let spent = desk.spend(900).await.expect("spends");
    let cancel = || CancelPointSpendingRequest { spending_id: spent.id.clone(), points: 300, ..Default::default() };
    let ask = || async { desk.admin.points().cancel_point_spending(cancel()).await };

    let outcomes = join_all((0..30).map(|_| ask())).await;

    assert_eq!(won_by(&outcomes), 3);
    others_are(&outcomes, ErrorReason::PointSpendingTooSmall);
    assert_eq!(desk.available().await, 1_000);
    desk.yeyak.check().await;
}

/// Guard: a reservation moves once, behind the lock of its wallet.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_committed_or_released_and_never_both() {
    let desk = Desk::new().await;
    desk.earn(1_000).await;
    for round in 1..=5 {
        let held = desk.reserve(100).await.expect("reserves");

        let (committed, released) =
            tokio::join!(join_all((0..10).map(|_| desk.commit(&held))), join_all((0..10).map(|_| desk.release(&held))));

        let (committed, released) = (won_by(&committed), won_by(&released));
        assert!((committed == 10) != (released == 10), "{committed} {released} in round {round}");
    }
    desk.yeyak.check().await;
}

/// Guard: two wallets are locked in the order of their ids.
#[tokio::test(flavor = "multi_thread")]
async fn members_who_give_to_each_other_at_once_lose_nothing() {
    let desk = Desk::new().await;
    let policy = PointPolicy { gift_cap: 1_000, daily_gift_cap: 1_000_000, ..Default::default() };
    desk.policy(policy, &["gift_cap", "daily_gift_cap"]).await.expect("changes");
    let members = crowd(&desk.yeyak, 3).await;
    for (_, id) in &members {
        let earn = yeyak::proto::point::v1::EarnPointsRequest { member_id: id.clone(), ..desk.ask(1_000) };
        desk.admin.points().earn_points(earn).await.expect("earns");
    }

    let gifts = (0..60).map(|at| {
        let ((giver, _), (_, to)) = (&members[at % 3], &members[(at + 1 + at / 3 % 2) % 3]);
        gift(giver, to, 10)
    });
    let outcomes = join_all(gifts).await;

    assert_eq!(won_by(&outcomes), 60, "{:?}", outcomes.iter().find(|outcome| outcome.is_err()));
    let mut all = 0;
    for (member, _) in &members {
        all += balance(member).await.available_points;
    }
    assert_eq!(all, 3_000);
    desk.yeyak.check().await;
}
