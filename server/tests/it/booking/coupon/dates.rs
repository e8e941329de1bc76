//! Other dates, with the coupons of the booking.

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use yeyak::proto::booking::v1::{Booking, QuoteChangeRequest};
use yeyak::proto::coupon::v1::{CouponPolicy, coupon};
use yeyak::proto::payment::v1::payment::State as Paid;
use yeyak::proto::payment::v1::{GetPaymentRequest, Payment, PreparePaymentRequest};
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::kit::tx::Tx;

use super::{
    Stage, Stay, ask, change, create, give, grant, hold, money, percent_off, set_budget, stage, state, term, won,
};
use crate::harness::Yeyak;
use crate::place::{PRICE, Plan, cancel, confirm, date, get, minor, nights, pay, take};

#[tokio::test]
async fn other_dates_are_priced_with_the_coupons_of_the_booking() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let policy =
        CouponPolicy { conditions: vec![term("MINIMUM_AMOUNT", vec![("amount", won(150_000))])], ..percent_off(10) };
    let coupon = give(&admin, &member, policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    let change = |booking: &Booking, stay: Stay| QuoteChangeRequest {
        id: booking.id.clone(),
        check_in_date: date(stay.0),
        check_out_date: date(stay.1),
    };

    let longer = member.bookings().quote_change(change(&booking, nights(1, 3))).await.expect("quotes");
    assert_eq!(minor(&longer.total), 270_000);
    let shorter = member.bookings().quote_change(change(&booking, nights(1, 1))).await.expect("quotes");
    assert_eq!(minor(&shorter.total), PRICE, "below what the coupon asks for it takes nothing off");
    let request = yeyak::proto::booking::v1::ChangeBookingRequest {
        id: booking.id.clone(),
        quote_token: shorter.token,
        ..Default::default()
    };
    let moved = member.bookings().change_booking(request).await.expect("moves");

    assert_eq!((minor(&moved.total), moved.discounts.len()), (PRICE, 0));
    assert_eq!(state(&member, &coupon).await, coupon::State::Available, "and is the member's again");
    pay(&yeyak, &member, &moved).await;
    yeyak.check().await;
}

/// Guard: a move to other dates counts what the coupon takes off more, or less.
#[tokio::test]
async fn other_dates_are_within_the_budget_of_the_coupon() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let policy = create(&admin, CouponPolicy { budget: Some(money(25_000)), ..percent_off(10) }).await;
    let coupon = grant(&admin, &member, &policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");

    let refused = change(&member, &booking, nights(1, 3)).await.expect_err("30,000 of 25,000");
    assert_eq!(refused.reason, ErrorReason::CouponBudgetSpent);
    let shorter = change(&member, &booking, nights(1, 1)).await.expect("moves");

    assert_eq!(minor(&shorter.total), 90_000);
    let other = yeyak.member().await;
    let second = grant(&admin, &other, &policy).await;
    let booking = hold(&place, &other, &[&second]).await;
    assert_eq!(booking.expect_err("20,000 of 15,000").metadata["why"], "BUDGET_SPENT");
    let asked = other.bookings().quote_booking(ask(&place, nights(0, 1), &[&second])).await.expect("quotes");
    other.bookings().create_booking(take(asked)).await.expect("10,000 of 15,000");
    yeyak.check().await;
}

/// An attempt to pay for a move to a stay, and the provider's key.
async fn move_to(yeyak: &Yeyak, member: &Client, booking: &Booking, stay: Stay) -> Result<(Payment, String), Error> {
    let ask = QuoteChangeRequest { id: booking.id.clone(), check_in_date: date(stay.0), check_out_date: date(stay.1) };
    let change_quote_token = member.bookings().quote_change(ask).await?.token;
    let request = PreparePaymentRequest { booking_id: booking.id.clone(), change_quote_token, ..Default::default() };
    let payment = member.payments().prepare_payment(request).await?;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    Ok((payment, key))
}

/// A policy of 10 % with a budget, and a paid booking of two nights which takes 20,000 won of it.
async fn paid_booking(stage: &Stage, budget: i64) -> (CouponPolicy, Booking) {
    let Stage { yeyak, place, member, admin } = stage;
    let policy = create(admin, CouponPolicy { budget: Some(money(budget)), ..percent_off(10) }).await;
    let coupon = grant(admin, member, &policy).await;
    let booking = hold(place, member, &[&coupon]).await.expect("holds");
    pay(yeyak, member, &booking).await;
    (policy, get(member, &booking.id).await)
}

/// A hold of somebody else over so many nights, with a coupon of a policy.
async fn hold_of_another(stage: &Stage, policy: &CouponPolicy, stay: Stay) -> Result<Booking, Error> {
    let other = stage.yeyak.member().await;
    let coupon = grant(&stage.admin, &other, policy).await;
    let quote = other.bookings().quote_booking(ask(&stage.place, stay, &[&coupon])).await?;
    other.bookings().create_booking(take(quote)).await
}

/// Guards: a dearer move has its part of the budget set aside before it is paid, and uses that; without either, money would be
/// taken for a move that can't be made.
#[tokio::test]
async fn a_dearer_move_has_its_part_of_the_budget_while_it_is_paid() {
    let stage = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let (policy, booking) = paid_booking(&stage, 40_000).await;
    let Stage { yeyak, member, admin, .. } = &stage;

    let (payment, key) = move_to(yeyak, member, &booking, nights(0, 4)).await.expect("prepares");
    let refused = hold_of_another(&stage, &policy, nights(0, 1)).await.expect_err("all of it is used, or set aside");
    assert_eq!(refused.metadata["why"], "BUDGET_SPENT");
    yeyak.check().await;
    // What was set aside counts as used.
    let refused = set_budget(admin, &policy, 39_999).await.expect_err("40,000 are used, or set aside");
    assert_eq!(refused.reason, ErrorReason::CouponBudgetTooSmall);
    confirm(member, &payment, key).await.expect("confirms");

    let moved = get(member, &booking.id).await;
    assert_eq!((minor(&moved.total), minor(&moved.paid)), (360_000, 360_000));
    yeyak.check().await;
    cancel(member, &moved).await.expect("cancels");
    yeyak.settle().await;
    yeyak.check().await;
    set_budget(admin, &policy, 20_000).await.expect("sets a budget");
    hold_of_another(&stage, &policy, nights(0, 2)).await.expect("all of it is free again");
    yeyak.check().await;
}

/// Guard: what a move costs more is paid in the way that a coupon of the booking asks for.
#[tokio::test]
async fn a_dearer_move_is_paid_in_no_other_way_than_its_coupon_asks_for() {
    let stage = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let (_, booking) = paid_booking(&stage, 40_000).await;
    let Stage { yeyak, member, .. } = &stage;
    let (payment, key) = move_to(yeyak, member, &booking, nights(0, 4)).await.expect("prepares");
    // The simulator takes cards.
    let db = &yeyak.platform.kit.db;
    let asks =
        async |tx: Tx| Ok(tx.execute_unprepared("UPDATE booking SET payment_method = 'TRANSFER'").await.map(drop)?);
    db.write(asks).await.expect("writes");

    let confirmed = confirm(member, &payment, key).await.expect("is taken");

    assert_ne!(confirmed.state(), Paid::Captured);
    yeyak.settle().await;
    let paid = member.payments().get_payment(GetPaymentRequest { id: payment.id }).await.expect("a payment");
    assert_eq!(paid.state(), Paid::Refunded);
    let kept = get(member, &booking.id).await;
    assert_eq!((minor(&kept.total), minor(&kept.paid)), (minor(&booking.total), minor(&booking.paid)));
    yeyak.check().await;
}

/// Guards: what is set aside is given up where another move takes its place, and where none is paid in time.
#[tokio::test]
async fn a_move_that_is_not_paid_gives_back_its_part_of_the_budget() {
    let stage = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let (policy, booking) = paid_booking(&stage, 50_000).await;
    let Stage { yeyak, member, .. } = &stage;

    move_to(yeyak, member, &booking, nights(0, 4)).await.expect("prepares");
    hold_of_another(&stage, &policy, nights(0, 2)).await.expect_err("10,000 of 50,000 are left");
    move_to(yeyak, member, &booking, nights(0, 3)).await.expect("prepares another");
    yeyak.check().await;
    hold_of_another(&stage, &policy, nights(0, 2)).await.expect("20,000 of 50,000 are left");

    yeyak.clock.advance(TimeDelta::hours(2));
    yeyak.platform.bookings.tidy().await.expect("tidies");

    yeyak.check().await;
    hold_of_another(&stage, &policy, nights(0, 3)).await.expect("30,000 of 50,000 are left");
    cancel(member, &booking).await.expect("cancels");
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: a cancellation gives up what is set aside.
#[tokio::test]
async fn a_cancellation_gives_back_what_a_move_has_set_aside() {
    let stage = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let (policy, booking) = paid_booking(&stage, 40_000).await;
    move_to(&stage.yeyak, &stage.member, &booking, nights(0, 4)).await.expect("prepares");

    cancel(&stage.member, &booking).await.expect("cancels");

    stage.yeyak.settle().await;
    stage.yeyak.check().await;
    hold_of_another(&stage, &policy, nights(0, 4)).await.expect("all of it is free again");
    stage.yeyak.check().await;
}

/// Guard: the budget is asked before the money is.
#[tokio::test]
async fn a_move_beyond_the_budget_is_refused_before_it_is_paid() {
    let stage = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let (_, booking) = paid_booking(&stage, 30_000).await;

    let refused = move_to(&stage.yeyak, &stage.member, &booking, nights(0, 4)).await.expect_err("40,000 of 30,000");

    assert_eq!(refused.reason, ErrorReason::CouponBudgetSpent);
    stage.yeyak.check().await;
    let (payment, key) = move_to(&stage.yeyak, &stage.member, &booking, nights(0, 3)).await.expect("30,000 of 30,000");
    confirm(&stage.member, &payment, key).await.expect("confirms");
    stage.yeyak.settle().await;
    stage.yeyak.check().await;
}
