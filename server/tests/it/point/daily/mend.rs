//! Wallets that differ from what is in them and what has moved them: told, left alone, put right.

use chrono::TimeDelta;
use yeyak::ErrorReason;
use yeyak::proto::point::v1::{EarnPointsRequest, GetPointBalanceRequest};
use yeyak_server::kit::crash::How;
use yeyak_server::point::Order;

use super::day;
use crate::coupon::desk::crowd;
use crate::point::desk::{Desk, stamp};

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_differs_is_told_and_put_right_where_that_is_asked_for() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.spend(200).await.expect("spends");
    desk.execute("UPDATE point_wallet SET available = available + 7, reserved = 3").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.run("2026-03-02").await;
    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.differences, told.repaired), (1, 0));
    let found = "SELECT CAST(held AS TEXT) || ' ' || CAST(lots_held AS TEXT) || ' ' || CAST(moved AS TEXT) FROM point_difference";
    assert_eq!(desk.lines(found).await, ["307 300 300"]);
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.try_run(Order { repair: true, ..Order::of(day("2026-03-03")) }).await.expect("runs");

    let told = desk.counts("2026-03-03").await;
    assert_eq!((told.differences, told.repaired), (1, 1));
    assert_eq!((desk.available().await, desk.balance().await.reserved_points), (300, 0));
    desk.yeyak.check().await;
}

/// Guard: wallets are compared before what is due is settled, which one that differs may not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_lacks_what_expires_keeps_no_other_from_being_done() {
    let desk = Desk::new().await;
    let until = desk.now() + TimeDelta::hours(6);
    desk.earn_until(500, until).await;
    for (_, member_id) in crowd(&desk.yeyak, 1).await {
        let earn = EarnPointsRequest { member_id, expire_time: stamp(until), ..desk.ask(300) };
        desk.admin.points().earn_points(earn).await.expect("earns");
    }
    desk.execute("UPDATE point_wallet SET available = available - 7 WHERE available = 500").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    assert_eq!(desk.run("2026-03-02").await, 2);

    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.differences, told.repaired, told.moved, told.expired), (1, 0, 1, 300));
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.try_run(Order { repair: true, ..Order::of(day("2026-03-03")) }).await.expect("runs");
    let told = desk.counts("2026-03-03").await;
    assert_eq!((told.differences, told.repaired, told.moved, told.expired), (1, 1, 1, 500));
    assert_eq!(desk.available().await, 0);
    desk.yeyak.check().await;
}

impl Desk {
    /// A wallet of 500 that has 7 too many, which a run has found and put at hand.
    async fn differing() -> Self {
        let desk = Self::new().await;
        desk.earn(500).await;
        let more = "UPDATE point_wallet SET available = available + 7, version = version + 1, change_time = NULL";
        desk.execute(more).await;
        desk.yeyak.clock.advance(TimeDelta::days(1));
        desk.run("2026-03-02").await;
        assert_eq!(desk.available().await, 507);
        desk
    }
}

/// Guard: a wallet that is put right is written as others are: newer than what is at hand, and with when time changes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_is_put_right_is_read_so() {
    let desk = Desk::differing().await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.try_run(Order { repair: true, warm: false, ..Order::of(day("2026-03-03")) }).await.expect("runs");

    assert_eq!(desk.available().await, 500);
    let known = "SELECT CAST(count(*) AS TEXT) FROM point_wallet WHERE change_time IS NOT NULL";
    assert_eq!(desk.lines(known).await, ["1"]);
}

/// Guard: a wallet is put right by what its lots and movements have by then, not by what was noted of them; on a day that is done
/// too.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_done_is_put_right_by_what_is_there_by_then() {
    let desk = Desk::differing().await;
    desk.spend(50).await.expect("spends");

    let order = Order { repair: true, warm: false, ..Order::of(day("2026-03-02")) };
    assert_eq!(desk.try_run(order.clone()).await.expect("runs"), 1);

    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.differences, told.repaired), (1, 1));
    assert_eq!(desk.available().await, 450);
    assert_eq!(desk.try_run(order).await.expect("runs"), 0, "nothing is left to be put right");
    desk.yeyak.check().await;
}

/// Guard: what is set aside is compared with the reservations too; where these disagree with the movements, nobody knows what is right.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_whose_reservation_is_lost_is_told_and_left_as_it_is() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.reserve(120).await.expect("reserves");
    desk.execute("UPDATE point_spending SET state = 'RELEASED'").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.try_run(Order { repair: true, ..Order::of(day("2026-03-02")) }).await.expect("runs");

    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.differences, told.repaired), (1, 0));
    let found = "SELECT CAST(reserved AS TEXT) || ' ' || CAST(moved_reserved AS TEXT) || ' ' || CAST(reservations AS TEXT) \
                 FROM point_difference";
    assert_eq!(desk.lines(found).await, ["120 120 0"]);
}

/// Guards: a wallet is compared with all that is there of it, though it be gone itself, and behind the last that is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_is_gone_is_told_by_what_is_left_of_it() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.reserve(120).await.expect("reserves");
    for points in [300, 301] {
        for (_, member_id) in crowd(&desk.yeyak, 1).await {
            let earn = EarnPointsRequest { member_id, ..desk.ask(points) };
            desk.admin.points().earn_points(earn).await.expect("earns");
        }
        desk.yeyak.clock.advance(TimeDelta::seconds(1));
    }
    desk.execute("DELETE FROM point_wallet WHERE available <> 300").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.run("2026-03-02").await;

    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.wallets, told.differences, told.repaired), (1, 2, 0));
    // Their lots, movements and reservations agree: they tell what the wallets were.
    desk.try_run(Order { repair: true, ..Order::of(day("2026-03-02")) }).await.expect("runs");
    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.differences, told.repaired), (2, 2));
    assert_eq!(desk.available().await, 500, "what was set aside has come back");
    assert_eq!(desk.earn(100).await.number, 4);
    desk.yeyak.check().await;
}

/// Guard: a wallet of which points may come back to a lot that is nowhere is told, and stops neither the run nor the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_lacks_a_lot_is_told_and_keeps_no_other_from_being_done() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.reserve(500).await.expect("reserves");
    for (_, member_id) in crowd(&desk.yeyak, 1).await {
        let earn =
            EarnPointsRequest { member_id, expire_time: stamp(desk.now() + TimeDelta::hours(6)), ..desk.ask(300) };
        desk.admin.points().earn_points(earn).await.expect("earns");
    }
    desk.execute("DELETE FROM point_lot WHERE points = 500").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.try_run(Order { repair: true, warm: true, ..Order::of(day("2026-03-02")) }).await.expect("runs");

    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.wallets, told.differences, told.repaired, told.expired), (2, 1, 0, 300));
    // What is at hand is of before: another asks for the row.
    let ask = GetPointBalanceRequest { min_version: 9, ..Default::default() };
    let refused = desk.member.points().get_point_balance(ask).await.expect_err("can't be told");
    assert_eq!(refused.reason, ErrorReason::Internal);
}

/// Guard: a wallet of an older copy is put right with where its movements have come: the number of the next is none that there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_was_restored_from_an_older_copy_moves_again_once_it_is_put_right() {
    let desk = Desk::new().await;
    desk.earn_until(500, desk.now() + TimeDelta::hours(6)).await;
    let spent = desk.spend(200).await.expect("spends");
    let told = desk.cancel(&spent, 200).await.expect("gives back").balance_version;
    // As it was before that: it held as much.
    desk.execute("UPDATE point_wallet SET version = 1, movement_count = 1").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.run("2026-03-02").await;
    let found = desk.counts("2026-03-02").await;
    assert_eq!((found.differences, found.moved), (1, 0), "it is left as it is, and stops nothing");
    desk.try_run(Order { repair: true, ..Order::of(day("2026-03-02")) }).await.expect("runs");

    assert_eq!(desk.counts("2026-03-02").await.repaired, 1);
    assert!(desk.balance().await.balance_version > told);
    assert_eq!(desk.earn(100).await.number, 5, "behind the expiry");
    assert_eq!(desk.available().await, 100);
    desk.yeyak.check().await;
}

/// Guard: what a run found before it was killed is put right too, by one that goes on with it and is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_puts_right_what_was_found_before() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.execute("UPDATE point_wallet SET available = available + 7").await;
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.yeyak.platform.kit.crash.arm("points-daily.committed", How::Error);
    desk.try_run(Order::of(day("2026-03-02"))).await.expect_err("is killed");

    desk.try_run(Order { repair: true, ..Order::of(day("2026-03-02")) }).await.expect("runs");

    let told = desk.counts("2026-03-02").await;
    assert_eq!((told.differences, told.repaired), (1, 1));
    desk.yeyak.check().await;
}

/// Guard: a wallet that is right is noted so on each day on which it differed.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_is_put_right_is_so_on_every_day() {
    let desk = Desk::differing().await;
    desk.yeyak.clock.advance(TimeDelta::days(1));

    desk.try_run(Order { repair: true, warm: false, ..Order::of(day("2026-03-03")) }).await.expect("runs");

    for date in ["2026-03-02", "2026-03-03"] {
        let told = desk.counts(date).await;
        assert_eq!((told.differences, told.repaired), (1, 1), "{date}");
    }
}
