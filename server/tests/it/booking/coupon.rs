//! Coupons at bookings: quoted, held with the nights, used when the booking is paid, given back as their policies say.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    Booking, BookingQuote, ChangeBookingRequest, DeclineBookingRequest, ExtendBookingRequest, PaymentMethod,
    QuoteBookingRequest, QuoteChangeRequest,
};
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, RefundPolicy, Validity};
use yeyak::proto::coupon::v1::{
    Coupon, CouponParameter, CouponPolicy, CouponStacking, CouponTerm, CreateCouponPolicyRequest, GetCouponRequest,
    GiftCouponRequest, GrantCouponRequest, RevokeCouponRequest, UpdateCouponPolicyRequest, coupon,
};
use yeyak::proto::ledger::v1::GetAccountBalanceRequest;
use yeyak::proto::payment::v1::payment::State as Paid;
use yeyak::proto::payment::v1::{GetPaymentRequest, Payment};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::{ConfirmationMode, LatePaymentPolicy};
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::backend::provider::simulator::{Fault, When};

use crate::harness::{Yeyak, id_of};
use crate::place::{PRICE, Place, Plan, cancel, confirm, date, get, is, minor, nights, pay, prepare, take};

fn money(minor_units: i64) -> Money {
    Money { currency_code: "KRW".into(), minor_units }
}

fn won(minor_units: i64) -> Value {
    Value::Amount(money(minor_units))
}

fn term(kind: &str, parameters: Vec<(&str, Value)>) -> CouponTerm {
    let parameters =
        parameters.into_iter().map(|(name, value)| CouponParameter { name: name.into(), value: Some(value) }).collect();
    CouponTerm { kind: kind.into(), parameters }
}

fn amount_off(minor_units: i64) -> CouponPolicy {
    plain(term("FIXED_AMOUNT", vec![("amount", won(minor_units))]))
}

fn percent_off(percent: i64) -> CouponPolicy {
    plain(term("PERCENT", vec![("percent", Value::Number(percent))]))
}

fn plain(benefit: CouponTerm) -> CouponPolicy {
    CouponPolicy {
        name: "봄맞이 할인".into(),
        issuing: Issuing::Grant.into(),
        benefit: Some(benefit),
        validity: Some(Validity::ValidDays(90)),
        per_member_count: 100,
        ..Default::default()
    }
}

fn of_group(policy: CouponPolicy, group: &str) -> CouponPolicy {
    CouponPolicy { stacking: Some(CouponStacking { group: group.into(), ..Default::default() }), ..policy }
}

/// A coupon of a new policy, given to a member.
async fn give(keeper: &Client, member: &Client, policy: CouponPolicy) -> Coupon {
    let policy = create(keeper, policy).await;
    grant(keeper, member, &policy).await
}

async fn create(keeper: &Client, policy: CouponPolicy) -> CouponPolicy {
    let create = CreateCouponPolicyRequest { coupon_policy: Some(policy), ..Default::default() };
    keeper.coupon_policies().create_coupon_policy(create).await.expect("creates")
}

async fn grant(keeper: &Client, member: &Client, policy: &CouponPolicy) -> Coupon {
    let member_id = id_of(member).await;
    let grant = GrantCouponRequest { policy_id: policy.id.clone(), member_id, ..Default::default() };
    keeper.coupons().grant_coupon(grant).await.expect("grants")
}

async fn look(member: &Client, coupon: &Coupon) -> Coupon {
    member.coupons().get_coupon(GetCouponRequest { id: coupon.id.clone() }).await.expect("a coupon")
}

async fn state(member: &Client, coupon: &Coupon) -> coupon::State {
    look(member, coupon).await.state()
}

fn ask(place: &Place, stay: (chrono::NaiveDate, chrono::NaiveDate), coupons: &[&Coupon]) -> QuoteBookingRequest {
    QuoteBookingRequest {
        room_type_id: place.room_type_id.clone(),
        rate_plan_id: place.rate_plan_id.clone(),
        check_in_date: date(stay.0),
        check_out_date: date(stay.1),
        coupon_ids: coupons.iter().map(|coupon| coupon.id.clone()).collect(),
        ..Default::default()
    }
}

async fn quote(place: &Place, member: &Client, coupons: &[&Coupon]) -> Result<BookingQuote, Error> {
    member.bookings().quote_booking(ask(place, nights(0, 2), coupons)).await
}

async fn hold(place: &Place, member: &Client, coupons: &[&Coupon]) -> Result<Booking, Error> {
    let quote = quote(place, member, coupons).await?;
    member.bookings().create_booking(take(quote)).await
}

async fn balance(admin: &Client, account: &str) -> i64 {
    let ask = GetAccountBalanceRequest { account: account.into(), currency_code: "KRW".into() };
    let balance = admin.ledger().get_account_balance(ask).await.expect("a balance");
    minor(&balance.balance)
}

struct Stage {
    yeyak: Yeyak,
    place: Place,
    member: Client,
    admin: Client,
}

async fn stage(plan: Plan) -> Stage {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(plan).await;
    let (member, admin) = (yeyak.member().await, yeyak.admin().await);
    Stage { yeyak, place, member, admin }
}

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

    assert_eq!(state(&member, &coupon).await, coupon::State::Available);
    let second = hold(&place, &member, &[&coupon]).await.expect("holds again");
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

/// Guard: the condition on the sum in the statement that counts (`store::held::count`).
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_budget_goes_to_exactly_one() {
    let Stage { yeyak, place, member: _, admin } = stage(Plan { rooms: 30, ..Plan::default() }).await;
    let budget = Some(Money { currency_code: "KRW".into(), minor_units: 30_000 });
    let policy = create(&admin, CouponPolicy { budget, ..amount_off(20_000) }).await;
    let mut quotes = Vec::new();
    for _ in 0..10 {
        let member = yeyak.member().await;
        let coupon = grant(&admin, &member, &policy).await;
        quotes.push((member.clone(), quote(&place, &member, &[&coupon]).await.expect("quotes")));
    }

    let outcomes = join_all(quotes.into_iter().map(|(member, quote)| {
        tokio::spawn(async move { (member.bookings().create_booking(take(quote)).await, member) })
    }))
    .await;

    let (mut held, mut spent) = (Vec::new(), 0);
    for outcome in outcomes {
        match outcome.expect("no panic") {
            (Ok(booking), member) => held.push((booking, member)),
            (Err(refused), _) => {
                assert_eq!(refused.reason, ErrorReason::CouponBudgetSpent, "{refused:?}");
                spent += 1;
            }
        }
    }
    assert_eq!((held.len(), spent), (1, 9));
    // And what one gives back, another may use.
    let (booking, member) = held.pop().expect("one");
    cancel(&member, &booking).await.expect("cancels");
    let other = yeyak.member().await;
    let coupon = grant(&admin, &other, &policy).await;
    hold(&place, &other, &[&coupon]).await.expect("holds");
    yeyak.check().await;
}

/// Guard: what is taken off is counted without a budget too, without which a booking from before there was one could never end.
#[tokio::test]
async fn a_budget_that_is_set_later_bears_what_was_taken_off_before() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 30, ..Plan::default() }).await;
    let policy = create(&admin, amount_off(20_000)).await;
    let coupons = [grant(&admin, &member, &policy).await, grant(&admin, &member, &policy).await];
    let before = hold(&place, &member, &[&coupons[0]]).await.expect("holds");

    let request = UpdateCouponPolicyRequest {
        coupon_policy: Some(CouponPolicy { budget: Some(money(30_000)), ..policy.clone() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["budget".into()] }),
        ..Default::default()
    };
    admin.coupon_policies().update_coupon_policy(request).await.expect("sets a budget");

    let refused = hold(&place, &member, &[&coupons[1]]).await.expect_err("10,000 won are left");
    assert_eq!((refused.reason, &*refused.metadata["why"]), (ErrorReason::CouponNotApplicable, "BUDGET_SPENT"));
    cancel(&member, &before).await.expect("ends");
    hold(&place, &member, &[&coupons[1]]).await.expect("the budget is free again");
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

#[tokio::test]
async fn other_dates_are_priced_with_the_coupons_of_the_booking() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let policy =
        CouponPolicy { conditions: vec![term("MINIMUM_AMOUNT", vec![("amount", won(150_000))])], ..percent_off(10) };
    let coupon = give(&admin, &member, policy).await;
    let booking = hold(&place, &member, &[&coupon]).await.expect("holds");
    let change = |booking: &Booking, stay: (chrono::NaiveDate, chrono::NaiveDate)| QuoteChangeRequest {
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

#[tokio::test]
async fn a_booking_whose_coupon_asks_for_it_is_paid_in_one_way_alone() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let methods = Value::Texts(yeyak::proto::coupon::v1::CouponTexts { values: vec!["TRANSFER".into()] });
    let policy =
        CouponPolicy { conditions: vec![term("PAYMENT_METHOD", vec![("methods", methods)])], ..amount_off(9_000) };
    let coupon = give(&admin, &member, policy).await;
    let undecided = quote(&place, &member, &[&coupon]).await.expect_err("must say how");
    assert_eq!((undecided.reason, &*undecided.metadata["why"]), (ErrorReason::CouponNotApplicable, "PAYMENT_METHOD"));
    let by_transfer =
        QuoteBookingRequest { payment_method: PaymentMethod::Transfer.into(), ..ask(&place, nights(0, 2), &[&coupon]) };
    let quote = member.bookings().quote_booking(by_transfer).await.expect("quotes");
    let booking = member.bookings().create_booking(take(quote)).await.expect("holds");

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

/// A booking whose hold is over and whose money the provider has taken all the same, and its payment; nothing of ours knows.
async fn paid_behind_our_back(
    yeyak: &Yeyak,
    place: &Place,
    member: &Client,
    coupons: &[&Coupon],
) -> (Booking, Payment) {
    let booking = hold(place, member, coupons).await.expect("holds");
    let payment = prepare(member, &booking).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    yeyak.capture_behind_our_back(&payment, &key, minor(&booking.total)).await;
    yeyak.clock.advance(TimeDelta::minutes(16));
    assert!(is(&get(member, &booking.id).await, State::Expired));
    (booking, payment)
}

async fn paid(member: &Client, payment: &Payment) -> Paid {
    let request = GetPaymentRequest { id: payment.id.clone() };
    member.payments().get_payment(request).await.expect("a payment").state()
}

async fn change(
    member: &Client,
    booking: &Booking,
    stay: (chrono::NaiveDate, chrono::NaiveDate),
) -> Result<Booking, Error> {
    let ask = QuoteChangeRequest { id: booking.id.clone(), check_in_date: date(stay.0), check_out_date: date(stay.1) };
    let quote_token = member.bookings().quote_change(ask).await?.token;
    let request = ChangeBookingRequest { id: booking.id.clone(), quote_token, ..Default::default() };
    member.bookings().change_booking(request).await
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
