//! The points of bookings that move to other dates.

use chrono::TimeDelta;
use yeyak::proto::booking::v1::QuoteBookingRequest;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::point::v1::PointPolicy;
use yeyak::proto::stay::v1::property::LatePaymentPolicy;

use super::coupon::{amount_off, ask, give};
use super::points::stage;
use crate::place::{PRICE, Plan, cancel, confirm, is, minor, nights, pay, prepare, take};
use crate::point::desk::told;

#[tokio::test]
async fn other_dates_keep_as_many_points_as_they_cost() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    stage.earn(100_000).await;
    let held = stage.hold(150_000).await;

    let longer = stage.change(&held, nights(1, 3)).await;
    assert_eq!((minor(&longer.total), longer.points, stage.has().await), (150_000, 150_000, (0, 0, 150_000)));
    pay(&stage.yeyak, &stage.member, &longer).await;
    assert_eq!(stage.has().await, (0, 1_500, 0));
    stage.holds().await;

    let shorter = stage.change(&longer, nights(1, 2)).await;
    assert_eq!((minor(&shorter.total), minor(&shorter.refunded), shorter.refunded_points), (50_000, 100_000, 0));
    assert_eq!(stage.has().await, (0, 500, 0), "it earns what its new price does");
    let quote = stage.quote_change(&shorter, nights(1, 1)).await;
    assert_eq!((minor(&quote.total), minor(&quote.refund), quote.points), (0, 50_000, 100_000));
    let shortest = stage.change(&shorter, nights(1, 1)).await;
    assert_eq!((minor(&shortest.total), minor(&shortest.refunded), shortest.refunded_points), (0, 150_000, 50_000));
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
    let cancelled = cancel(&stage.member, &stage.look(&shortest).await).await.expect("cancels");
    assert_eq!((cancelled.refunded_points, stage.has().await), (150_000, (150_000, 0, 0)));
    stage.holds().await;
}

#[tokio::test]
async fn a_held_booking_that_points_pay_whole_at_other_dates_is_paid_with_nothing() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    stage.earn(100_000).await;
    let held = stage.hold(150_000).await;

    let shorter = stage.change(&held, nights(1, 1)).await;
    assert_eq!((minor(&shorter.total), shorter.points, stage.has().await), (0, PRICE, (50_000, 0, PRICE)));
    stage.yeyak.check().await;
    let payment = prepare(&stage.member, &shorter).await;
    confirm(&stage.member, &payment, "nothing".into()).await.expect("confirms");

    assert!(is(&stage.look(&shorter).await, State::Confirmed));
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}

/// Guard: what a hold needs still is not let go of meanwhile: what has ended since it was set aside would not come back.
#[tokio::test]
async fn a_held_booking_keeps_points_that_have_ended_since_they_were_set_aside() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    stage.earn_for(100_000, TimeDelta::minutes(5)).await;
    let held = stage.hold(150_000).await;
    stage.yeyak.clock.advance(TimeDelta::minutes(6));

    let shorter = stage.change(&held, nights(1, 1)).await;

    assert_eq!((shorter.points, stage.has().await), (PRICE, (50_000, 0, PRICE)));
    stage.yeyak.check().await;
    let payment = prepare(&stage.member, &shorter).await;
    confirm(&stage.member, &payment, "nothing".into()).await.expect("confirms");
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}

/// A change that is paid first: the points stay, and the new price earns.
#[tokio::test]
async fn dearer_dates_are_paid_in_money() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let booking = stage.paid(50_000).await;
    let quote = stage.quote_change(&booking, nights(1, 3)).await;
    assert_eq!((minor(&quote.total), minor(&quote.due), quote.points), (250_000, 100_000, 50_000));

    let booking = stage.change_dearer(&booking, nights(1, 3)).await;

    assert_eq!((minor(&booking.total), minor(&booking.paid), booking.points), (250_000, 250_000, 50_000));
    assert_eq!(stage.has().await, (0, 2_500, 0));
    stage.holds().await;
}

/// Guard: no policy is asked about a move at the same price: neither a campaign nor a cap that came since.
#[tokio::test]
async fn what_a_booking_has_earned_moves_with_it_whatever_the_policy_is_by_then() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let booking = stage.paid(0).await;
    let earned = stage.earned(&booking).await;
    assert_eq!(stage.has().await, (50_000, 2_000, 0));
    for (earn_rate, monthly_earn_cap) in [(500, None), (100, Some(1))] {
        let policy = PointPolicy { earn_rate, monthly_earn_cap, expiry_months: 1, ..Default::default() };
        stage.policy(policy, &["earn_rate", "monthly_earn_cap", "expiry_months"]).await;

        let later = stage.change(&booking, nights(1, 2)).await;
        let [moved] = &stage.earned(&later).await[..] else { panic!("one lot") };
        assert_eq!((&moved.id, moved.points, moved.left_points), (&earned[0].id, 2_000, 2_000));
        assert_eq!(told(moved.available_time.as_ref()), "2026-04-04T03:00:00+00:00");
        assert_eq!(told(moved.expire_time.as_ref()), "2027-04-04T15:00:00+00:00", "good for as many days as before");
        let back = stage.change(&later, nights(0, 2)).await;
        assert_eq!(stage.earned(&back).await, earned);
    }
    stage.holds().await;
}

/// Guard: what a booking costs more earns by the policy of then, within the cap of one booking, and is the first to be taken back.
#[tokio::test]
async fn only_what_a_booking_costs_more_is_earned_anew_and_goes_first() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let booking = stage.paid(0).await;
    let policy = PointPolicy { earn_rate: 500, earn_cap: Some(4_000), ..Default::default() };
    stage.policy(policy, &["earn_rate", "earn_cap"]).await;
    let shorter = stage.change(&booking, nights(0, 1)).await;
    assert_eq!(stage.has().await, (50_000, 1_000, 0), "what it was earned by is half as much");

    let longer = stage.change_dearer(&shorter, nights(0, 2)).await;
    assert_eq!(stage.has().await, (50_000, 4_000, 0), "5,000 more, but for the cap");
    stage.yeyak.check().await;
    let shorter = stage.change(&longer, nights(0, 1)).await;

    assert_eq!(stage.has().await, (50_000, 1_000, 0));
    cancel(&stage.member, &shorter).await.expect("cancels");
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}

/// The exploit: what a campaign gives for a night more is kept without the night, as often as one likes. Guard: which part of the
/// price earned it.
#[tokio::test]
async fn money_that_has_earned_nothing_stands_for_no_points_of_other_money() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    stage.policy(PointPolicy { earn_rate: 0, ..Default::default() }, &["earn_rate"]).await;
    let booking = stage.paid(0).await;
    stage.policy(PointPolicy { earn_rate: 500, ..Default::default() }, &["earn_rate"]).await;

    for _ in 0..2 {
        let longer = stage.change_dearer(&booking, nights(0, 3)).await;
        assert_eq!(stage.has().await, (50_000, 5_000, 0));
        stage.change(&longer, nights(0, 2)).await;
        assert_eq!(stage.has().await, (50_000, 0, 0));
    }
    stage.holds().await;
}

/// Guard: of the points that a booking had, late money takes those alone that its price has.
#[tokio::test]
async fn late_money_takes_no_points_that_a_move_let_go_of() {
    let stage = stage(Plan { rooms: 3, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() }).await;
    let coupon = give(&stage.admin, &stage.member, amount_off(PRICE)).await;
    let ask = QuoteBookingRequest { points: 50_000, ..ask(&stage.place, nights(0, 2), &[&coupon]) };
    let quote = stage.member.bookings().quote_booking(ask).await.expect("quotes");
    let held = stage.member.bookings().create_booking(take(quote)).await.expect("holds");
    let shorter = stage.change(&held, nights(0, 1)).await;
    assert_eq!((minor(&shorter.total), shorter.points, stage.has().await), (0, 0, (50_000, 0, 0)));
    let longer = stage.change(&shorter, nights(0, 2)).await;
    assert_eq!((minor(&longer.total), longer.points), (PRICE, 0));
    let payment = prepare(&stage.member, &longer).await;
    let key = stage.yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    stage.yeyak.capture_behind_our_back(&payment, &key, PRICE).await;
    stage.yeyak.clock.advance(TimeDelta::minutes(16));

    stage.yeyak.settle().await;

    let booking = stage.look(&longer).await;
    assert_eq!((booking.state(), booking.points, stage.has().await), (State::Confirmed, 0, (50_000, 1_000, 0)));
    stage.holds().await;
    cancel(&stage.member, &booking).await.expect("cancels");
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}
