//! Money that comes when the hold is over, and the coupons that were held.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::proto::booking::v1::Booking;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::coupon::v1::{Coupon, CouponPolicy, GiftCouponRequest, coupon};
use yeyak::proto::payment::v1::payment::State as Paid;
use yeyak::proto::payment::v1::resolve_payment_request::Decision;
use yeyak::proto::payment::v1::{GetPaymentRequest, Payment, ResolvePaymentRequest};
use yeyak::proto::stay::v1::property::LatePaymentPolicy;
use yeyak::{Client, ErrorReason};

use super::{
    Stage, amount_off, change, create, for_transfers, give, grant, hold, hold_by_transfer, look, money, of_group,
    percent_off, quote, stage, state, term, won,
};
use crate::harness::{Yeyak, id_of};
use crate::place::{PRICE, Place, Plan, cancel, get, is, minor, nights, pay, prepare};

/// Money that comes when the hold is over takes the coupon again, or goes back.
#[tokio::test]
async fn late_money_takes_the_coupon_again_or_goes_back() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;
    let first = hold(&place, &member, &[&coupon]).await.expect("holds");
    let payment = prepare(&member, &first).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    yeyak.capture_behind_our_back(&payment, &key, 170_000).await;
    yeyak.clock.advance(TimeDelta::minutes(16));
    assert!(is(&get(&member, &first.id).await, State::Expired));
    let second = hold(&place, &member, &[&coupon]).await.expect("holds it elsewhere");
    yeyak.settle().await;

    let first = get(&member, &first.id).await;
    assert!(is(&first, State::Expired), "its coupon is another booking's");
    assert_eq!(minor(&first.paid), 0);
    assert_eq!(look(&member, &coupon).await.booking_id, second.id);
    yeyak.check().await;
}

/// A booking whose hold is over and whose money the provider has taken all the same, and its payment; nothing of ours knows.
async fn paid_behind_our_back(
    yeyak: &Yeyak,
    place: &Place,
    member: &Client,
    coupons: &[&Coupon],
) -> (Booking, Payment) {
    let booking = hold(place, member, coupons).await.expect("holds");
    let payment = pay_behind_our_back(yeyak, member, &booking).await;
    yeyak.clock.advance(TimeDelta::minutes(16));
    assert!(is(&get(member, &booking.id).await, State::Expired));
    (booking, payment)
}

async fn pay_behind_our_back(yeyak: &Yeyak, member: &Client, booking: &Booking) -> Payment {
    let payment = prepare(member, booking).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    yeyak.capture_behind_our_back(&payment, &key, minor(&booking.total)).await;
    payment
}

async fn paid(member: &Client, payment: &Payment) -> Paid {
    let request = GetPaymentRequest { id: payment.id.clone() };
    member.payments().get_payment(request).await.expect("a payment").state()
}

/// Guards: `take_again`, which uses the coupon and counts its budget once more; `is_gone`, without which money for which there is
/// no budget would never go back.
#[tokio::test]
async fn late_money_takes_a_coupon_that_is_free_and_its_budget_once_more() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let policy = create(&admin, CouponPolicy { budget: Some(money(30_000)), ..amount_off(30_000) }).await;
    let [coupon, later] = [grant(&admin, &member, &policy).await, grant(&admin, &member, &policy).await];
    let (first, first_payment) = paid_behind_our_back(&yeyak, &place, &member, &[&coupon]).await;
    // That it has expired is written down, and its budget is free.
    yeyak.platform.bookings.tidy().await.expect("tidies");
    let (second, second_payment) = paid_behind_our_back(&yeyak, &place, &member, &[&later]).await;
    yeyak.platform.bookings.tidy().await.expect("tidies");

    yeyak.settle().await;

    let bookings = [get(&member, &first.id).await, get(&member, &second.id).await];
    let mut found: Vec<_> = bookings.iter().map(|booking| (booking.state(), minor(&booking.paid))).collect();
    found.sort_unstable_by_key(|(_, paid)| *paid);
    assert_eq!(found, [(State::Expired, 0), (State::Confirmed, 170_000)], "the budget bears one of the two");
    let mut payments = [paid(&member, &first_payment).await, paid(&member, &second_payment).await];
    payments.sort_unstable();
    assert_eq!(payments, [Paid::Captured, Paid::Refunded]);
    let mut states = [state(&member, &coupon).await, state(&member, &later).await];
    states.sort_unstable();
    assert_eq!(states, [coupon::State::Available, coupon::State::Used]);
    let other = yeyak.member().await;
    let refused = quote(&place, &other, &[&grant(&admin, &other, &policy).await]).await.expect_err("nothing is left");
    assert_eq!((refused.reason, &*refused.metadata["why"]), (ErrorReason::CouponNotApplicable, "BUDGET_SPENT"));
    // It is used as any other: what was used comes back.
    let confirmed = bookings.iter().find(|booking| is(booking, State::Confirmed)).expect("one");
    cancel(&member, confirmed).await.expect("cancels");
    assert_eq!([state(&member, &coupon).await, state(&member, &later).await], [coupon::State::Available; 2]);
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: the eviction of a booking whose hold on the coupon is over, where late money wants it.
#[tokio::test]
async fn late_money_takes_a_coupon_whose_second_hold_is_over_too_with_every_job_stopped() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let coupon = give(&admin, &member, amount_off(30_000)).await;
    let (first, _) = paid_behind_our_back(&yeyak, &place, &member, &[&coupon]).await;
    let second = hold(&place, &member, &[&coupon]).await.expect("holds it elsewhere");
    yeyak.clock.advance(TimeDelta::minutes(16));

    // Webhooks come before jobs.
    yeyak.settle().await;

    assert!(is(&get(&member, &first.id).await, State::Confirmed));
    assert!(is(&get(&member, &second.id).await, State::Expired));
    let used = look(&member, &coupon).await;
    assert_eq!((used.state(), used.booking_id), (coupon::State::Used, first.id));
    yeyak.check().await;
}

/// Guards: `take_again` looks at every coupon before it takes one, and gives back the nights and what it has counted of budgets.
#[tokio::test]
async fn late_money_that_finds_a_part_gone_takes_nothing() {
    let late = Plan { rooms: 1, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let elsewhere = yeyak.place(Plan { rooms: 9, ..Plan::default() }).await;

    // The second coupon is another booking's; or the budget of the second is.
    for is_coupon in [true, false] {
        let budget = (!is_coupon).then(|| money(10_000));
        let (mut policies, mut coupons) = (Vec::new(), Vec::new());
        for group in ["one", "other"] {
            let policy = CouponPolicy { budget: budget.clone(), ..of_group(amount_off(10_000), group) };
            policies.push(create(&admin, policy).await);
            coupons.push(grant(&admin, &member, &policies[policies.len() - 1]).await);
            // Of one millisecond, neither is newer.
            yeyak.clock.advance(TimeDelta::seconds(1));
        }
        let [one, other] = [&coupons[0], &coupons[1]];
        let (first, payment) = paid_behind_our_back(&yeyak, &place, &member, &[one, other]).await;
        yeyak.platform.bookings.tidy().await.expect("tidies");
        let rival = if is_coupon { member.clone() } else { yeyak.member().await };
        let wanted = if is_coupon { other.clone() } else { grant(&admin, &rival, &policies[1]).await };
        let second = hold(&elsewhere, &rival, &[&wanted]).await.expect("holds it elsewhere");

        yeyak.settle().await;

        let first = get(&member, &first.id).await;
        assert!(is(&first, State::Expired));
        assert_eq!((minor(&first.paid), paid(&member, &payment).await), (0, Paid::Refunded));
        assert_eq!(look(&rival, &wanted).await.booking_id, second.id);
        assert_eq!(state(&member, one).await, coupon::State::Available, "it is the member's");
        let anew = hold(&place, &member, &[one]).await.expect("the room is free, and so is the budget");
        for (client, booking) in [(&member, &anew), (&rival, &second)] {
            cancel(client, booking).await.expect("cancels");
        }
        yeyak.check().await;
    }
}

/// Guard: of the coupons that a booking had, those alone are taken again that its price has.
#[tokio::test]
async fn late_money_takes_no_coupon_that_a_move_let_go_of() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let policy =
        CouponPolicy { conditions: vec![term("MINIMUM_AMOUNT", vec![("amount", won(150_000))])], ..percent_off(10) };
    let coupon = give(&admin, &member, policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    let first = change(&member, &booking, nights(1, 1)).await.expect("moves");
    let payment = prepare(&member, &first).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    yeyak.capture_behind_our_back(&payment, &key, PRICE).await;
    yeyak.clock.advance(TimeDelta::minutes(16));
    let second = hold(&place, &member, &[&coupon]).await.expect("it is the member's");

    yeyak.settle().await;

    let first = get(&member, &first.id).await;
    assert_eq!((first.state(), minor(&first.paid)), (State::Confirmed, PRICE));
    assert_eq!(look(&member, &coupon).await.booking_id, second.id);
    yeyak.check().await;
}

/// Guard: as many bookings are expired as stand in the way.
#[tokio::test]
async fn late_money_takes_two_coupons_whose_second_holds_are_both_over() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let one = give(&admin, &member, of_group(amount_off(10_000), "one")).await;
    let other = give(&admin, &member, of_group(amount_off(10_000), "other")).await;
    let (first, _) = paid_behind_our_back(&yeyak, &place, &member, &[&one, &other]).await;
    for coupon in [&one, &other] {
        hold(&place, &member, &[coupon]).await.expect("holds it elsewhere");
    }
    yeyak.clock.advance(TimeDelta::minutes(16));

    // Webhooks come before jobs.
    yeyak.settle().await;

    assert!(is(&get(&member, &first.id).await, State::Confirmed));
    for coupon in [&one, &other] {
        let used = look(&member, coupon).await;
        assert_eq!((used.state(), used.booking_id), (coupon::State::Used, first.id.clone()));
    }
    yeyak.check().await;
}

/// Guard: whose the coupon is by now.
#[tokio::test]
async fn late_money_takes_no_coupon_that_was_given_on() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let coupon = give(&admin, &member, CouponPolicy { giftable: true, ..amount_off(30_000) }).await;
    let (first, payment) = paid_behind_our_back(&yeyak, &place, &member, &[&coupon]).await;
    yeyak.platform.bookings.tidy().await.expect("tidies");
    let friend = yeyak.member().await;
    let gift = GiftCouponRequest { id: coupon.id.clone(), recipient_id: id_of(&friend).await, ..Default::default() };
    member.coupons().gift_coupon(gift).await.expect("gives");

    yeyak.settle().await;

    assert!(is(&get(&member, &first.id).await, State::Expired));
    assert_eq!(paid(&member, &payment).await, Paid::Refunded);
    assert_eq!(state(&friend, &coupon).await, coupon::State::Available);
    yeyak.check().await;
}

/// Guard: the way to pay that a coupon asks for, whenever the money comes and whoever would decide on it.
#[tokio::test]
async fn late_money_in_another_way_than_a_coupon_asks_for_goes_back() {
    for late in [LatePaymentPolicy::AcceptIfAvailable, LatePaymentPolicy::Manual] {
        let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 9, late, ..Plan::default() }).await;
        let coupon = give(&admin, &member, for_transfers()).await;
        let booking = hold_by_transfer(&place, &member, &coupon).await;
        // The simulator takes cards.
        let payment = pay_behind_our_back(&yeyak, &member, &booking).await;
        yeyak.clock.advance(TimeDelta::minutes(16));

        yeyak.settle().await;

        assert!(is(&get(&member, &booking.id).await, State::Expired));
        let request = GetPaymentRequest { id: payment.id };
        let payment = member.payments().get_payment(request).await.expect("a payment");
        assert_eq!(payment.state(), Paid::Refunded, "{late:?}");
        assert!(payment.refunds[0].reason.contains("another way to pay"), "{payment:?}");
        yeyak.check().await;
    }
}

/// Guard: asked once more where a booking takes its coupons again.
#[tokio::test]
async fn late_money_takes_no_second_first_booking() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let first = || CouponPolicy { conditions: vec![term("FIRST_BOOKING", Vec::new())], ..amount_off(30_000) };
    let (one, other) = (give(&admin, &member, first()).await, give(&admin, &member, first()).await);
    let (forgotten, payment) = paid_behind_our_back(&yeyak, &place, &member, &[&one]).await;
    let booking = hold(&place, &member, &[&other]).await.expect("nothing is booked, nor held");
    pay(&yeyak, &member, &booking).await;

    yeyak.settle().await;

    assert!(is(&get(&member, &forgotten.id).await, State::Expired));
    assert_eq!(paid(&member, &payment).await, Paid::Refunded);
    assert_eq!(
        (state(&member, &one).await, state(&member, &other).await),
        (coupon::State::Available, coupon::State::Used)
    );
    yeyak.check().await;
}

/// Guard: the member's turn, in which a booking takes its coupons again; on PostgreSQL, where two write at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_late_payments_at_once_one_is_for_a_first_booking() {
    let late = Plan { rooms: 9, late: LatePaymentPolicy::Manual, ..Plan::default() };
    let Stage { yeyak, place, member, admin } = stage(late).await;
    let first = || CouponPolicy { conditions: vec![term("FIRST_BOOKING", Vec::new())], ..amount_off(30_000) };
    for _ in 0..5 {
        let mut payments = Vec::new();
        for coupon in [give(&admin, &member, first()).await, give(&admin, &member, first()).await] {
            payments.push(paid_behind_our_back(&yeyak, &place, &member, &[&coupon]).await.1);
        }
        yeyak.settle().await;
        let accept = async |payment: &Payment| {
            let decision = Decision::Accept.into();
            let accept = ResolvePaymentRequest { id: payment.id.clone(), decision, ..Default::default() };
            place.seller.payments().resolve_payment(accept).await
        };

        let outcomes = join_all(payments.iter().map(accept)).await;

        let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(
            refused.iter().map(|refused| refused.reason).collect::<Vec<_>>(),
            [ErrorReason::CouponNotApplicable]
        );
        for payment in outcomes.iter().flatten() {
            cancel(&member, &get(&member, &payment.booking_id).await).await.expect("cancels");
        }
        yeyak.settle().await;
    }
    yeyak.check().await;
}
