//! What bookings earn, what is taken back of it, and what sellers are paid for points.

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::MarkNoShowRequest;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::point::v1::CancelPointSpendingRequest;
use yeyak::proto::point::v1::point_policy::ClawBack;

use super::points::stage;
use crate::place::{Plan, is, minor};
use crate::point::desk::balance;

#[tokio::test]
async fn what_a_booking_has_earned_can_be_spent_once_the_stay_is_over() {
    let stage = stage(Plan::default()).await;
    let booking = stage.paid(50_000).await;
    assert_eq!(stage.has().await, (0, 1_500, 0));

    stage.yeyak.clock.set("2026-04-03T02:59:59Z".parse().expect("an instant"));
    assert_eq!(stage.spend(1).await.expect_err("the stay goes on").reason, ErrorReason::PointsNotEnough);
    stage.yeyak.clock.advance(TimeDelta::seconds(1));

    assert_eq!(stage.has().await, (1_500, 0, 0));
    stage.holds().await;
    assert!(is(&stage.look(&booking).await, State::Completed));
    assert_eq!(stage.seller_has().await, 200_000, "150,000 by the guest, and 50,000 by the platform");
    stage.spend(1_500).await.expect("spends");
    stage.holds().await;
}

#[tokio::test]
async fn what_was_earned_and_spent_is_taken_back_from_a_refund_as_the_policy_says() {
    let policies = [
        (ClawBack::Negative, 200_000, 0, 1_500),
        (ClawBack::FromRefund, 198_500, 1_500, 0),
        (ClawBack::WriteOff, 200_000, 0, 0),
    ];
    for (policy, refunded, withheld, owed) in policies {
        let stage = stage(Plan::default()).await;
        stage.claw_back(policy).await;
        stage.spend(50_000).await.expect("spends");
        let booking = stage.paid(0).await;
        stage.yeyak.clock.advance(TimeDelta::days(60));
        stage.yeyak.settle().await;
        stage.spend(1_500).await.expect("spends what it has earned");

        stage.refund(&booking, 200_000).await.expect("refunds");

        let booking = stage.look(&booking).await;
        assert_eq!((minor(&booking.refunded), minor(&booking.withheld)), (refunded, withheld));
        let wallet = balance(&stage.member).await;
        // 500 of what was earned were not spent.
        assert_eq!((wallet.available_points, wallet.owed_points), (0, owed));
        // The seller gives back what the guest has paid, and no more; the platform keeps what is worth the points.
        assert_eq!((stage.seller_has().await, stage.ledger("platform:points").await), (0, withheld));
        let more = stage.refund(&booking, 1).await;
        assert_eq!(more.expect_err("nothing is left").reason, ErrorReason::RefundTooLarge);
        stage.earn(2_000).await;
        assert_eq!(balance(&stage.member).await.available_points, 2_000 - owed, "what is owed is paid first");
        stage.holds().await;
    }
}

/// The exploit: earned by a stay, spent, the stay given back, and then what it was spent for. Guard: what was written off of a lot.
#[tokio::test]
async fn what_was_written_off_is_taken_once_it_comes_back() {
    for (policy, left) in [(ClawBack::Negative, 0), (ClawBack::FromRefund, 1_500), (ClawBack::WriteOff, 0)] {
        let stage = stage(Plan::default()).await;
        stage.claw_back(policy).await;
        stage.spend(50_000).await.expect("spends");
        let booking = stage.paid(0).await;
        stage.yeyak.clock.advance(TimeDelta::days(60));
        stage.yeyak.settle().await;
        let spent = stage.spend(1_500).await.expect("spends what it has earned");
        stage.refund(&booking, 200_000).await.expect("refunds");

        let undo = CancelPointSpendingRequest { spending_id: spent.id, ..Default::default() };
        let undone = stage.admin.points().cancel_point_spending(undo).await.expect("gives back");

        assert_eq!(undone.given_back_points, 1_500);
        let wallet = balance(&stage.member).await;
        assert_eq!((wallet.available_points, wallet.owed_points), (left, 0), "the money has paid for {left}");
        stage.holds().await;
    }
}

#[tokio::test]
async fn a_part_that_is_refunded_takes_its_part_of_what_was_earned() {
    let stage = stage(Plan::default()).await;
    let booking = stage.paid(0).await;
    assert_eq!(stage.has().await, (50_000, 2_000, 0));

    stage.refund(&booking, 50_000).await.expect("refunds");
    assert_eq!(stage.has().await, (50_000, 1_500, 0));
    stage.yeyak.clock.advance(TimeDelta::days(60));
    stage.holds().await;
    stage.refund(&booking, 20_000).await.expect("refunds");

    assert_eq!(stage.has().await, (51_300, 0, 0));
    assert_eq!(minor(&stage.look(&booking).await.refunded), 70_000);
    stage.holds().await;
}

#[tokio::test]
async fn a_guest_who_never_came_has_paid_with_points_too() {
    let stage = stage(Plan::default()).await;
    stage.earn(150_000).await;
    let booking = stage.hold(200_000).await;
    stage.yeyak.clock.set("2026-04-02T03:00:00Z".parse().expect("an instant"));
    let missed = MarkNoShowRequest { id: booking.id.clone(), ..Default::default() };
    stage.place.seller.bookings().mark_no_show(missed).await.expect("marks");
    assert_eq!(stage.seller_has().await, 0);

    stage.yeyak.clock.advance(TimeDelta::days(3));
    stage.holds().await;

    assert_eq!(stage.seller_has().await, 200_000);
    stage.holds().await;
    assert_eq!(stage.seller_has().await, 200_000, "once");

    // As a process of an earlier release leaves it.
    let database = stage.yeyak.platform.kit.db.schema_connection();
    database.execute_unprepared("UPDATE booking SET settled = FALSE").await.expect("writes");
    stage.holds().await;
    stage.holds().await;
    assert_eq!(stage.seller_has().await, 200_000, "and no more");
    let unsettled = database.execute_unprepared("UPDATE booking SET note = note WHERE NOT settled").await;
    assert_eq!(unsettled.expect("writes").rows_affected(), 0, "it is said now");
}
