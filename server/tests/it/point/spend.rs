//! Spending, setting aside, and giving back.

use chrono::TimeDelta;
use yeyak::ErrorReason;
use yeyak::proto::point::v1::point_spending::State;
use yeyak::proto::point::v1::{PointPolicy, ReservePointsRequest, SpendPointsRequest};

use super::desk::{Desk, stamp};
use crate::coupon::desk::refused;

#[tokio::test]
async fn what_is_set_aside_is_spent_or_comes_back_and_once_more_changes_nothing() {
    let desk = Desk::new().await;
    desk.earn(1_000).await;
    let (kept, left) = (desk.reserve(300).await.expect("reserves"), desk.reserve(200).await.expect("reserves"));
    assert_eq!((desk.available().await, kept.state()), (500, State::Reserved));

    for _ in 0..3 {
        assert_eq!(desk.commit(&kept).await.expect("commits").state(), State::Spent);
        assert_eq!(desk.release(&left).await.expect("releases").state(), State::Released);
    }

    assert_eq!(refused(desk.release(&kept).await), ErrorReason::PointSpendingClosed);
    assert_eq!(refused(desk.commit(&left).await), ErrorReason::PointSpendingClosed);
    assert_eq!(refused(desk.cancel(&left, 0).await), ErrorReason::PointSpendingClosed);
    let balance = desk.balance().await;
    assert_eq!((balance.available_points, balance.reserved_points), (700, 0));
    desk.yeyak.check().await;
}

#[tokio::test]
async fn a_refunded_point_keeps_its_lots_expiry() {
    let desk = Desk::new().await;
    let (soon, late) = (desk.now() + TimeDelta::days(10), desk.now() + TimeDelta::days(20));
    desk.earn_until(300, soon).await;
    desk.earn_until(500, late).await;
    let before = desk.lots().await;
    let spent = desk.spend(600).await.expect("spends");

    let part = desk.cancel(&spent, 350).await.expect("cancels");

    assert_eq!((part.given_back_points, part.state()), (350, State::Spent));
    let left: Vec<_> = desk.lots().await.iter().map(|lot| (lot.expire_time, lot.left_points)).collect();
    assert_eq!(left, [(stamp(soon), 50), (stamp(late), 500)], "what was taken last comes back first");
    assert_eq!(refused(desk.cancel(&spent, 251).await), ErrorReason::PointSpendingTooSmall);
    desk.cancel(&spent, 0).await.expect("cancels the rest");
    assert_eq!(refused(desk.cancel(&spent, 0).await), ErrorReason::PointSpendingTooSmall);
    assert_eq!(desk.lots().await, before);
    desk.yeyak.check().await;
}

#[tokio::test]
async fn a_refund_to_a_lot_that_has_expired_is_good_for_the_days_that_the_policy_gives() {
    let desk = Desk::new().await;
    desk.earn_until(300, desk.now() + TimeDelta::days(10)).await;
    let spent = desk.spend(300).await.expect("spends");
    desk.yeyak.clock.advance(TimeDelta::days(11));

    desk.cancel(&spent, 100).await.expect("cancels");
    let renewed = desk.lots().await;
    desk.policy(PointPolicy::default(), &["grace_days"]).await.expect("changes");
    desk.cancel(&spent, 200).await.expect("cancels");

    // Seven days and the rest of the day, which is over at 15:00 in Seoul's time.
    let until = "2026-03-20T15:00:00Z".parse().expect("an instant");
    assert_eq!(renewed.iter().map(|lot| (lot.left_points, lot.expire_time)).collect::<Vec<_>>(), [(100, stamp(until))]);
    assert_eq!(desk.lots().await, renewed, "without grace it expires");
    assert_eq!(desk.spending(&spent).await.given_back_points, 300);
    assert_eq!(desk.available().await, 100);
    desk.yeyak.check().await;
}

#[tokio::test]
async fn what_is_set_aside_comes_back_by_itself_with_every_job_stopped() {
    let desk = Desk::new().await;
    desk.earn(100).await;
    let until = stamp(desk.now() + TimeDelta::minutes(10));
    let reserve = ReservePointsRequest { expire_time: until, ..asked(&desk, 100) };
    let held = desk.admin.points().reserve_points(reserve).await.expect("reserves");
    assert_eq!(refused(desk.spend(1).await), ErrorReason::PointsNotEnough);

    desk.yeyak.clock.advance(TimeDelta::minutes(10));

    assert_eq!((desk.available().await, desk.balance().await.reserved_points), (100, 0));
    assert_eq!(desk.spending(&held).await.state(), State::Released);
    assert_eq!(refused(desk.commit(&held).await), ErrorReason::PointSpendingClosed);
    desk.spend(100).await.expect("is there");
    assert_eq!(desk.available().await, 0);
    desk.yeyak.check().await;
}

fn asked(desk: &Desk, points: i64) -> ReservePointsRequest {
    ReservePointsRequest { member_id: desk.id.clone(), points, ..Default::default() }
}

#[tokio::test]
async fn the_same_request_twice_is_one_spending() {
    let desk = Desk::new().await;
    desk.earn(100).await;
    let request_id = "00000000-0000-4000-8000-00000000a001".to_owned();
    let spend = SpendPointsRequest { member_id: desk.id.clone(), points: 60, request_id, ..Default::default() };

    let first = desk.admin.points().spend_points(spend.clone()).await.expect("spends");
    let again = desk.admin.points().spend_points(spend.clone()).await.expect("is told again");

    assert_eq!(first, again);
    assert_eq!(desk.available().await, 40);
    let other = SpendPointsRequest { points: 30, ..spend };
    assert_eq!(refused(desk.admin.points().spend_points(other).await), ErrorReason::RequestIdReused);
}

/// Guard: whether its time is over is asked of a request that was not done before.
#[tokio::test]
async fn who_repeats_a_reservation_that_is_over_is_told_what_became_of_it() {
    let desk = Desk::new().await;
    desk.earn(100).await;
    let request_id = "00000000-0000-4000-8000-00000000a003".to_owned();
    let expire_time = stamp(desk.now() + TimeDelta::minutes(10));
    let reserve = ReservePointsRequest { expire_time, request_id, ..asked(&desk, 60) };
    let held = desk.admin.points().reserve_points(reserve.clone()).await.expect("reserves");
    desk.yeyak.clock.advance(TimeDelta::minutes(10));

    let again = desk.admin.points().reserve_points(reserve).await.expect("is told again");

    assert_eq!((&*again.id, again.state()), (&*held.id, State::Released));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_field_by_field() {
    let desk = Desk::new().await;
    let spend =
        SpendPointsRequest { member_id: "me".into(), points: 0, reference: "x".repeat(201), ..Default::default() };

    let error = desk.admin.points().spend_points(spend).await.expect_err("is refused");

    let fields: Vec<_> = error.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!((error.reason, fields), (ErrorReason::InvalidFields, vec!["member_id", "points", "reference"]));
    let past = ReservePointsRequest { expire_time: stamp(desk.now()), ..asked(&desk, 1) };
    let over = desk.admin.points().reserve_points(past).await.expect_err("is refused");
    assert_eq!((over.reason, &*over.violations[0].field), (ErrorReason::InvalidFields, "expire_time"));
    let nobody =
        SpendPointsRequest { member_id: "member_01h455vb4pex5vsknk084sn02q".into(), points: 1, ..Default::default() };
    assert_eq!(refused(desk.admin.points().spend_points(nobody).await), ErrorReason::NotFound);
}
