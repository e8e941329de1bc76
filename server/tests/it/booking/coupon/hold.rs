//! Coupons that are held, used and given back.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{DeclineBookingRequest, ExtendBookingRequest, MarkNoShowRequest, QuoteBookingRequest};
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{RefundPolicy, Validity};
use yeyak::proto::coupon::v1::{CouponPolicy, GiftCouponRequest, ListCouponsRequest, RevokeCouponRequest, coupon};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::ConfirmationMode;
use yeyak_server::backend::provider::simulator::{Fault, When};

use super::{
    Stage, amount_off, ask, balance, for_transfers, give, hold, hold_by_transfer, look, money, of_group, percent_off,
    quote, stage, state, term,
};
use crate::harness::id_of;
use crate::place::{PRICE, Plan, cancel, confirm, get, is, minor, nights, pay, prepare, take};

#[tokio::test]
async fn a_quote_lists_what_each_coupon_would_do_and_which_are_best_together() {
    let Stage { yeyak, place, member, admin } = stage(Plan::default()).await;
    let ten = give(&admin, &member, percent_off(10)).await;
    let five = give(&admin, &member, amount_off(5_000)).await;
    let other_group = give(&admin, &member, of_group(amount_off(3_000), "extra")).await;
    let long_stays = CouponPolicy {
        conditions: vec![term("MINIMUM_NIGHTS", vec![("nights", Value::Number(3))])],
        ..amount_off(50_000)
    };
    let long_stays = give(&admin, &member, long_stays).await;
    let stranger = yeyak.member().await;

    let plain = quote(&place, &member, &[]).await.expect("quotes");
    let best = QuoteBookingRequest { best_coupons: true, ..ask(&place, nights(0, 2), &[]) };
    let best = member.bookings().quote_booking(best).await.expect("quotes");

    assert_eq!((minor(&plain.total), minor(&plain.list_total)), (2 * PRICE, 2 * PRICE));
    let listed: Vec<_> =
        plain.coupons.iter().map(|one| (&*one.coupon_id, one.saving.as_ref().map(|m| m.minor_units))).collect();
    assert_eq!(
        listed,
        [(&*ten.id, Some(20_000)), (&*five.id, Some(5_000)), (&*other_group.id, Some(3_000)), (&*long_stays.id, None)]
    );
    assert_eq!(plain.coupons[3].refused_reason, "MINIMUM_NIGHTS");
    let found = plain.best.expect("the best");
    assert!(found.proven);
    assert_eq!(minor(&found.saving), minor(&best.list_total) - minor(&best.total));
    assert_eq!(best.discounts.len(), 2);
    assert_eq!(best.discounts.iter().map(|one| minor(&one.amount)).sum::<i64>(), minor(&found.saving));
    assert_eq!(minor(&best.lines[0].discount), minor(&found.saving));
    let refused = quote(&place, &member, &[&long_stays]).await.expect_err("too short");
    assert_eq!(refused.reason, ErrorReason::CouponNotApplicable);
    assert_eq!(refused.metadata["why"], "MINIMUM_NIGHTS");
    let refused = quote(&place, &member, &[&ten, &five]).await.expect_err("of one group");
    assert_eq!((refused.reason, &*refused.metadata["why"]), (ErrorReason::CouponNotApplicable, "SAME_GROUP"));
    let foreign = quote(&place, &stranger, &[&ten]).await.expect_err("is another's");
    assert_eq!(foreign.reason, ErrorReason::NotFound);
}

#[tokio::test]
async fn a_coupon_is_held_used_and_given_back() {
    let Stage { yeyak, place, member, admin } = stage(Plan::default()).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;

    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    assert_eq!((minor(&booking.total), minor(&booking.list_total)), (170_000, 200_000));
    let held = look(&member, &coupon).await;
    assert_eq!((held.state(), &held.booking_id), (coupon::State::Reserved, &booking.id));

    let payment = pay(&yeyak, &member, &booking).await;
    assert_eq!(minor(&payment.amount), 170_000);
    assert_eq!(state(&member, &coupon).await, coupon::State::Used);
    yeyak.check().await;

    let cancelled = cancel(&member, &get(&member, &booking.id).await).await.expect("cancels");
    assert_eq!(minor(&cancelled.refunded), 170_000, "what was paid, and no more");
    let back = look(&member, &coupon).await;
    assert_eq!((back.state(), back.expire_time), (coupon::State::Available, coupon.expire_time));
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: the state of the coupon, asked under its lock where it is held (`can_reserve`).
#[tokio::test(flavor = "multi_thread")]
async fn one_coupon_is_held_by_exactly_one_of_twenty_bookings() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 30, ..Plan::default() }).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;
    let mut quotes = Vec::new();
    for _ in 0..20 {
        quotes.push(quote(&place, &member, &[&coupon]).await.expect("quotes"));
    }

    let outcomes = join_all(quotes.into_iter().map(|quote| {
        let member = member.clone();
        tokio::spawn(async move { member.bookings().create_booking(take(quote)).await })
    }))
    .await;

    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(matches!(refused.reason, ErrorReason::CouponNotAvailable | ErrorReason::TooManyHolds), "{refused:?}");
    }
    yeyak.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_twice_holds_a_coupon_once() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;
    let mut request = take(quote(&place, &member, &[&coupon]).await.expect("quotes"));
    request.request_id = "0197c0de-0000-7000-8000-000000000001".into();

    let answers = join_all((0..10).map(|_| {
        let (member, request) = (member.clone(), request.clone());
        tokio::spawn(async move { member.bookings().create_booking(request).await })
    }))
    .await;

    let mut ids: Vec<_> = answers.into_iter().map(|answer| answer.expect("no panic").expect("answers").id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    yeyak.check().await;
}

/// Guard: `Coupon::state_at` and the eviction of the booking whose hold is over. No job runs.
#[tokio::test]
async fn a_coupon_of_a_hold_that_is_over_is_used_elsewhere_with_every_job_stopped() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 2, ..Plan::default() }).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;
    let first = hold(&place, &member, &[&coupon]).await.expect("holds");
    let taken = quote(&place, &member, &[&coupon]).await.expect_err("it is held");
    assert_eq!(taken.reason, ErrorReason::CouponNotAvailable);

    yeyak.clock.advance(TimeDelta::hours(2));

    let free = look(&member, &coupon).await;
    assert_eq!((free.state(), &*free.booking_id), (coupon::State::Available, ""));
    let listed = async |state: coupon::State| {
        let request = ListCouponsRequest { state: state.into(), ..Default::default() };
        member.coupons().list_coupons(request).await.expect("lists").coupons.len()
    };
    assert_eq!((listed(coupon::State::Available).await, listed(coupon::State::Reserved).await), (1, 0));
    let second = hold(&place, &member, &[&coupon]).await.expect("holds again");
    assert_eq!((listed(coupon::State::Available).await, listed(coupon::State::Reserved).await), (0, 1));
    assert_eq!(look(&member, &coupon).await.booking_id, second.id);
    assert!(is(&get(&member, &first.id).await, State::Expired));
    pay(&yeyak, &member, &second).await;
    assert_eq!(state(&member, &coupon).await, coupon::State::Used);
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn a_used_coupon_comes_back_as_its_policy_says() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let with = |refund: RefundPolicy, grace_days| CouponPolicy {
        refund_policy: refund.into(),
        grace_days,
        validity: Some(Validity::ValidDays(1)),
        ..amount_off(1_000)
    };
    let restored = give(&admin, &member, with(RefundPolicy::Restore, 0)).await;
    let graced = give(&admin, &member, with(RefundPolicy::RestoreWithGrace, 7)).await;
    let lost = give(&admin, &member, with(RefundPolicy::Lose, 0)).await;
    let mut bookings = Vec::new();
    for coupon in [&restored, &graced, &lost] {
        let booking = hold(&place, &member, &[coupon]).await.expect("holds");
        pay(&yeyak, &member, &booking).await;
        bookings.push(get(&member, &booking.id).await);
    }

    yeyak.clock.advance(TimeDelta::days(5));
    for booking in &bookings {
        cancel(&member, booking).await.expect("cancels");
    }

    assert_eq!(state(&member, &restored).await, coupon::State::Expired, "with the expiry that it had");
    let graced = look(&member, &graced).await;
    assert_eq!(graced.state(), coupon::State::Available);
    assert_eq!(state(&member, &lost).await, coupon::State::Used);
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn a_coupon_for_all_of_it_confirms_at_once() {
    let Stage { yeyak, place, member, admin } = stage(Plan::default()).await;
    let coupon = give(&admin, &member, percent_off(100)).await;

    let booking = hold(&place, &member, &[&coupon]).await.expect("books");

    assert!(is(&booking, State::Confirmed));
    assert_eq!(minor(&booking.total), 0);
    assert_eq!(state(&member, &coupon).await, coupon::State::Used);
    yeyak.check().await;
}

#[tokio::test]
async fn the_platform_pays_its_part_to_the_seller_once_the_stay_is_over() {
    let Stage { yeyak, place, member, admin } = stage(Plan { policy: Preset::Flexible, ..Plan::default() }).await;
    let policy = CouponPolicy { seller_share_percent: Some(40), ..amount_off(30_000) };
    let coupon = give(&admin, &member, policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    pay(&yeyak, &member, &booking).await;
    assert_eq!(balance(&admin, "platform:coupons").await, 0);

    yeyak.clock.advance(TimeDelta::days(60));
    yeyak.settle().await;

    let seller = format!("seller:{}", id_of(&place.seller).await);
    assert_eq!(balance(&admin, &seller).await, 170_000 + 18_000);
    assert_eq!(balance(&admin, "platform:coupons").await, -18_000);
    yeyak.check().await;
}

/// Guard: `settled`, which says of a no-show that cost the guest nothing whether its seller has been paid.
#[tokio::test]
async fn the_platform_pays_its_part_of_a_stay_that_cost_the_guest_nothing_though_they_never_came() {
    let Stage { yeyak, place, member, admin } = stage(Plan::default()).await;
    let policy = CouponPolicy { seller_share_percent: Some(25), ..percent_off(100) };
    let coupon = give(&admin, &member, policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("books");
    assert!(is(&booking, State::Confirmed));
    let seller = format!("seller:{}", id_of(&place.seller).await);
    yeyak.clock.set("2026-04-02T03:00:00Z".parse().expect("an instant"));
    let missed = MarkNoShowRequest { id: booking.id.clone(), ..Default::default() };
    place.seller.bookings().mark_no_show(missed).await.expect("marks");
    yeyak.settle().await;
    assert_eq!(balance(&admin, &seller).await, 0, "they may still come");

    yeyak.clock.advance(TimeDelta::days(3));
    for _ in 0..2 {
        yeyak.settle().await;

        assert_eq!(balance(&admin, &seller).await, 150_000, "once");
        assert_eq!(balance(&admin, "platform:coupons").await, -150_000);
        yeyak.check().await;
    }
}

#[tokio::test]
async fn a_booking_whose_coupon_asks_for_it_is_paid_in_one_way_alone() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let coupon = give(&admin, &member, for_transfers()).await;
    let undecided = quote(&place, &member, &[&coupon]).await.expect_err("must say how");
    assert_eq!((undecided.reason, &*undecided.metadata["why"]), (ErrorReason::CouponNotApplicable, "PAYMENT_METHOD"));
    let booking = hold_by_transfer(&place, &member, &coupon).await;

    // The simulator takes cards.
    let payment = prepare(&member, &booking).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    _ = confirm(&member, &payment, key).await;
    yeyak.settle().await;

    let booking = get(&member, &booking.id).await;
    assert!(is(&booking, State::Held), "it waits for another attempt: {booking:?}");
    assert_eq!(minor(&booking.paid), 0);
    assert_eq!(state(&member, &coupon).await, coupon::State::Reserved);
    yeyak.check().await;
}

/// Guard: the coupon is held for as long as the nights are (`extend_holds`), while the provider's answer is not known.
#[tokio::test]
async fn a_coupon_is_kept_while_its_payment_is_under_way_and_longer_where_the_booking_is() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    let extend = ExtendBookingRequest { id: booking.id.clone(), ..Default::default() };
    yeyak.clock.advance(TimeDelta::minutes(10));
    member.bookings().extend_booking(extend).await.expect("extends");
    yeyak.clock.advance(TimeDelta::minutes(10));
    assert_eq!(state(&member, &coupon).await, coupon::State::Reserved);
    let payment = prepare(&member, &booking).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    yeyak.fault(&payment, Fault::LoseAnswer { when: When::AfterCommit }).await;
    confirm(&member, &payment, key).await.expect("unknown");

    yeyak.clock.advance(TimeDelta::hours(2));

    assert_eq!(state(&member, &coupon).await, coupon::State::Reserved);
    let refused = hold(&place, &member, &[&coupon]).await.expect_err("it is held");
    assert_eq!(refused.reason, ErrorReason::CouponNotAvailable);
    yeyak.settle().await;
    assert!(is(&get(&member, &booking.id).await, State::Confirmed));
    assert_eq!(state(&member, &coupon).await, coupon::State::Used);
    yeyak.check().await;
}

/// Guard: whose the coupon is, asked again where it is held.
#[tokio::test]
async fn a_coupon_that_was_given_on_since_the_quote_is_not_held() {
    let Stage { yeyak, place, member, admin } = stage(Plan::default()).await;
    let coupon = give(&admin, &member, CouponPolicy { giftable: true, ..amount_off(30_000) }).await;
    let quote = quote(&place, &member, &[&coupon]).await.expect("quotes");
    let friend = yeyak.member().await;
    let gift = GiftCouponRequest { id: coupon.id.clone(), recipient_id: id_of(&friend).await, ..Default::default() };
    member.coupons().gift_coupon(gift).await.expect("gives");

    let refused = member.bookings().create_booking(take(quote)).await.expect_err("is another's");

    assert_eq!(refused.reason, ErrorReason::NotFound);
    assert_eq!(state(&friend, &coupon).await, coupon::State::Available);
    yeyak.check().await;
}

/// Guard: the table of transitions, by which what a booking has is neither given on nor taken back.
#[tokio::test]
async fn what_a_booking_has_is_neither_given_on_nor_taken_back() {
    let Stage { yeyak, place, member, admin } = stage(Plan::default()).await;
    let coupon = give(&admin, &member, CouponPolicy { giftable: true, ..amount_off(30_000) }).await;
    let friend = id_of(&yeyak.member().await).await;
    let are_refused = async |state: &str| {
        let gift = GiftCouponRequest { id: coupon.id.clone(), recipient_id: friend.clone(), ..Default::default() };
        let receipt_id = coupon.id.replace("coupon_", "receipt_");
        let revoke = RevokeCouponRequest { receipt_id, reason: "실수".into(), ..Default::default() };
        let refusals = [
            member.coupons().gift_coupon(gift).await.map(drop).expect_err("a gift"),
            admin.coupons().revoke_coupon(revoke).await.map(drop).expect_err("taken back"),
        ];
        for refused in refusals {
            assert_eq!((refused.reason, &*refused.metadata["state"]), (ErrorReason::CouponNotAvailable, state));
        }
    };

    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    are_refused("RESERVED").await;
    pay(&yeyak, &member, &booking).await;
    are_refused("USED").await;

    assert_eq!(look(&member, &coupon).await.booking_id, booking.id);
    yeyak.check().await;
}

/// Guard: the eviction of the booking whose hold is over, where its coupon is given on or taken back. No job runs.
#[tokio::test]
async fn a_coupon_of_a_hold_that_is_over_is_given_on_and_taken_back_with_every_job_stopped() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 2, ..Plan::default() }).await;
    let friend = yeyak.member().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let policy = CouponPolicy { giftable: true, budget: Some(money(30_000)), ..amount_off(30_000) };
        let coupon = give(&admin, &member, policy).await;
        held.push((hold(&place, &member, &[&coupon]).await.expect("holds"), coupon));
    }
    let [(first, given), (second, unwanted)] = &held[..] else { panic!("two are held") };

    yeyak.clock.advance(TimeDelta::hours(2));

    assert!(look(&member, given).await.giftable, "nobody has it");
    let recipient_id = id_of(&friend).await;
    let gift = GiftCouponRequest { id: given.id.clone(), recipient_id, ..Default::default() };
    member.coupons().gift_coupon(gift).await.expect("gives it on");
    let receipt_id = unwanted.id.replace("coupon_", "receipt_");
    let revoke = RevokeCouponRequest { receipt_id, reason: "실수".into(), ..Default::default() };
    admin.coupons().revoke_coupon(revoke).await.expect("takes it back");
    assert_eq!(state(&friend, given).await, coupon::State::Available);
    assert_eq!(state(&member, unwanted).await, coupon::State::Revoked);
    for ended in [first, second] {
        assert!(is(&get(&member, &ended.id).await, State::Expired));
    }
    hold(&place, &friend, &[given]).await.expect("the budget bears it again");
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: a request to book that is declined lets go of its coupon, and of what it counts of the budget.
#[tokio::test]
async fn a_request_to_book_holds_its_coupon_until_it_is_declined() {
    let Stage { yeyak, place, member, admin } =
        stage(Plan { mode: ConfirmationMode::Request, ..Plan::default() }).await;
    let policy = CouponPolicy { budget: Some(money(30_000)), ..amount_off(30_000) };
    let coupon = give(&admin, &member, policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("asks");
    assert_eq!(state(&member, &coupon).await, coupon::State::Reserved);
    let decline = DeclineBookingRequest { id: booking.id, reason: "만실".into(), ..Default::default() };

    place.seller.bookings().decline_booking(decline).await.expect("declines");

    assert_eq!(state(&member, &coupon).await, coupon::State::Available);
    hold(&place, &member, &[&coupon]).await.expect("asks again");
    yeyak.check().await;
}
