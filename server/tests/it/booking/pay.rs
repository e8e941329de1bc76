//! Paying: every answer, lost, late, twice and wrong, ends in the right state with the money accounted for.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::common::v1::Money;
use yeyak::proto::payment::v1::payment::State as Paid;
use yeyak::proto::payment::v1::resolve_payment_request::Decision;
use yeyak::proto::payment::v1::{
    GetPaymentRequest, Payment, PreparePaymentRequest, RefundPaymentRequest, ResolvePaymentRequest,
};
use yeyak::proto::stay::v1::property::LatePaymentPolicy;
use yeyak_server::backend::provider::simulator::{Fault, Hooks, When};
use yeyak_server::kit::clock::Time;

use crate::harness::Yeyak;
use crate::place::{PRICE, Place, Plan, cancel, confirm, get, is, minor, nights, prepare};

async fn payment(client: &yeyak::Client, id: &str) -> Payment {
    client.payments().get_payment(GetPaymentRequest { id: id.to_owned() }).await.expect("a payment")
}

/// A held booking whose payer has pressed *Pay*, and the provider's key.
async fn ready(
    yeyak: &Yeyak,
    plan: Plan,
) -> (Place, yeyak::Client, yeyak::proto::booking::v1::Booking, Payment, String) {
    let place = yeyak.place(plan).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("holds");
    let attempt = prepare(&client, &booking).await;
    let key = yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
    (place, client, booking, attempt, key)
}

#[tokio::test]
async fn what_is_paid_is_confirmed() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;

    let paid = confirm(&client, &attempt, key).await.expect("confirms");

    assert_eq!(paid.state(), Paid::Captured);
    let booking = get(&client, &booking.id).await;
    assert!(is(&booking, State::Confirmed));
    assert_eq!(minor(&booking.paid), 2 * PRICE);
    // The webhook tells what is known: it has nothing to do, and fails at nothing.
    yeyak.settle().await;
    assert_eq!(yeyak.failed_messages().await, 0);
    assert_eq!(get(&client, &booking.id).await, booking);
    yeyak.check().await;
}

#[tokio::test]
async fn a_lost_answer_is_reconciling_and_then_known() {
    let yeyak = Yeyak::new().await;
    let (place, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;
    yeyak.fault(&attempt, Fault::LoseAnswer { when: When::AfterCommit }).await;

    let unknown = confirm(&client, &attempt, key).await.expect("unknown is a state, not an error");

    assert_eq!(unknown.state(), Paid::Reconciling);
    assert!(matches!(get(&client, &booking.id).await.state(), State::Paying | State::Reconciling));
    yeyak.clock.advance(TimeDelta::hours(2));
    assert!(is(&get(&client, &booking.id).await, State::Reconciling));
    place.hold(&yeyak.member().await, nights(0, 2)).await.expect_err("the nights are kept until it is known");
    yeyak.settle().await;
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Captured);
    assert!(is(&get(&client, &booking.id).await, State::Confirmed));
    yeyak.check().await;
}

#[tokio::test]
async fn a_decline_leaves_the_hold_for_a_second_card() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;
    yeyak.fault(&attempt, Fault::Decline { code: "REJECT_CARD_COMPANY".into() }).await;

    let declined = confirm(&client, &attempt, key).await.expect("a decline is an answer");

    assert_eq!(declined.state(), Paid::Failed);
    assert_eq!(declined.failure.expect("says why").code, "REJECT_CARD_COMPANY");
    assert!(is(&get(&client, &booking.id).await, State::Held));
    let second = crate::place::pay(&yeyak, &client, &booking).await;
    assert_ne!(second.id, attempt.id);
    assert!(is(&get(&client, &booking.id).await, State::Confirmed));
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn a_buyer_who_declines_on_the_page_has_no_key() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("holds");
    let attempt = prepare(&client, &booking).await;

    assert_eq!(yeyak.press(&attempt.checkout_url, "decline").await, None);

    yeyak.settle().await;
    assert!(is(&get(&client, &booking.id).await, State::Held));
    crate::place::pay(&yeyak, &client, &booking).await;
    yeyak.check().await;
}

/// Guard: the state in the compare-and-set of the attempt.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_confirms_take_the_money_once() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;

    let answers = join_all((0..20).map(|_| {
        let (client, attempt, key) = (client.clone(), attempt.clone(), key.clone());
        tokio::spawn(async move { confirm(&client, &attempt, key).await })
    }))
    .await;

    assert!(answers.into_iter().any(|answer| answer.expect("no panic").is_ok()));
    yeyak.settle().await;
    assert_eq!(minor(&get(&client, &booking.id).await.paid), 2 * PRICE);
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Captured);
    yeyak.check().await;
}

#[tokio::test]
async fn a_webhook_tells_of_money_whose_answer_was_lost_and_a_repeated_one_changes_nothing() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;
    yeyak.fault(&attempt, Fault::LoseAnswer { when: When::AfterCommit }).await;
    yeyak.fault(&attempt, Fault::Webhooks { order: Hooks::Twice }).await;
    confirm(&client, &attempt, key).await.expect("unknown");

    yeyak.settle().await;

    assert!(is(&get(&client, &booking.id).await, State::Confirmed));
    cancel(&client, &booking).await.expect("cancels");
    yeyak.settle().await;
    yeyak.clock.advance(TimeDelta::minutes(30));
    yeyak.settle().await;
    assert!(is(&get(&client, &booking.id).await, State::Cancelled), "a webhook behind the refund changes nothing");
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Refunded);
    yeyak.check().await;
}

#[tokio::test]
async fn a_wrong_amount_goes_back_whole() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;
    yeyak.fault(&attempt, Fault::WrongAmount { charged: PRICE }).await;

    confirm(&client, &attempt, key).await.expect("an answer");
    yeyak.settle().await;

    let wrong = payment(&client, &attempt.id).await;
    assert_eq!((minor(&wrong.captured), minor(&wrong.refunded)), (PRICE, PRICE));
    assert!(is(&get(&client, &booking.id).await, State::Held), "it can still be paid");
    yeyak.check().await;
}

/// Money that is heard of when the hold has ended: the provider took it, and nothing of ours knew.
async fn late(yeyak: &Yeyak, policy: LatePaymentPolicy, taken: bool) -> (Place, yeyak::Client, String, Payment) {
    let (place, client, booking, attempt, key) = ready(yeyak, Plan { late: policy, ..Plan::default() }).await;
    yeyak.capture_behind_our_back(&attempt, &key, 2 * PRICE).await;
    yeyak.clock.advance(TimeDelta::minutes(16));
    assert!(is(&get(&client, &booking.id).await, State::Expired));
    if taken {
        place.hold(&yeyak.member().await, nights(0, 2)).await.expect("takes the nights");
    }
    yeyak.settle().await;
    (place, client, booking.id, attempt)
}

#[tokio::test]
async fn late_money_goes_back_where_the_seller_wants_it_so() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt) = late(&yeyak, LatePaymentPolicy::Refund, false).await;
    assert!(is(&get(&client, &booking).await, State::Expired));
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Refunded);
    yeyak.check().await;
}

#[tokio::test]
async fn late_money_pays_where_the_nights_are_still_free() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, _) = late(&yeyak, LatePaymentPolicy::AcceptIfAvailable, false).await;
    assert!(is(&get(&client, &booking).await, State::Confirmed));
    yeyak.check().await;
}

#[tokio::test]
async fn late_money_goes_back_where_the_nights_are_gone() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt) = late(&yeyak, LatePaymentPolicy::AcceptIfAvailable, true).await;
    assert!(is(&get(&client, &booking).await, State::Expired));
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Refunded);
    yeyak.check().await;
}

/// Guard: whoever would decide, there is nothing left to be had.
#[tokio::test]
async fn late_money_goes_back_where_the_stay_is_over() {
    for policy in [LatePaymentPolicy::AcceptIfAvailable, LatePaymentPolicy::Manual] {
        let yeyak = Yeyak::new().await;
        let (_, client, booking, attempt, key) = ready(&yeyak, Plan { late: policy, ..Plan::default() }).await;
        yeyak.capture_behind_our_back(&attempt, &key, 2 * PRICE).await;
        // The midnight at which the day of departure begins in Seoul.
        yeyak.clock.set("2026-04-02T15:00:00Z".parse().expect("an instant"));

        yeyak.settle().await;

        assert!(is(&get(&client, &booking.id).await, State::Expired));
        assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Refunded, "{policy:?}");
        yeyak.check().await;
    }
}

#[tokio::test]
async fn late_money_waits_for_the_seller_where_the_seller_decides() {
    let yeyak = Yeyak::new().await;
    let (place, client, booking, attempt) = late(&yeyak, LatePaymentPolicy::Manual, false).await;
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::NeedsDecision);
    let decide = async |decision: Decision| {
        let request = ResolvePaymentRequest { id: attempt.id.clone(), decision: decision.into(), ..Default::default() };
        place.seller.payments().resolve_payment(request).await
    };

    let accepted = decide(Decision::Accept).await.expect("accepts");

    assert_eq!(accepted.state(), Paid::Captured);
    assert!(is(&get(&client, &booking).await, State::Confirmed));
    assert_eq!(decide(Decision::Refund).await.expect_err("decided").reason, ErrorReason::PaymentDecided);
    yeyak.check().await;
}

/// Guard: a late payment is accepted for what has expired alone.
#[tokio::test]
async fn a_second_late_payment_does_not_revive_what_was_cancelled() {
    let yeyak = Yeyak::new().await;
    let plan = Plan { late: LatePaymentPolicy::Manual, ..Plan::default() };
    let (place, client, booking, first, first_key) = ready(&yeyak, plan).await;
    for stay in [nights(0, 3), nights(0, 2)] {
        super::change::change(&client, &booking, stay).await.expect("moves");
        prepare(&client, &booking).await;
    }
    let second = prepare(&client, &booking).await;
    let second_key = yeyak.press(&second.checkout_url, "pay").await.expect("a key");
    for (attempt, key) in [(&first, first_key), (&second, second_key)] {
        yeyak.capture_behind_our_back(attempt, &key, 2 * PRICE).await;
    }
    yeyak.clock.advance(TimeDelta::minutes(16));
    yeyak.settle().await;
    let decide = async |attempt: &Payment, decision: Decision| {
        let request = ResolvePaymentRequest { id: attempt.id.clone(), decision: decision.into(), ..Default::default() };
        place.seller.payments().resolve_payment(request).await
    };
    decide(&first, Decision::Accept).await.expect("accepts");
    cancel(&client, &get(&client, &booking.id).await).await.expect("cancels");

    let refused = decide(&second, Decision::Accept).await.expect_err("it was cancelled");

    assert_eq!(refused.reason, ErrorReason::ActionBlocked);
    assert!(is(&get(&client, &booking.id).await, State::Cancelled));
    decide(&second, Decision::Refund).await.expect("gives back");
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn a_seller_gives_back_a_part_and_never_more_than_was_paid() {
    let yeyak = Yeyak::new().await;
    let (place, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;
    confirm(&client, &attempt, key).await.expect("confirms");
    let give_back = async |won| {
        let amount = Some(Money { currency_code: "KRW".into(), minor_units: won });
        let request =
            RefundPaymentRequest { id: attempt.id.clone(), amount, reason: "소음".into(), ..Default::default() };
        place.seller.payments().refund_payment(request).await
    };

    give_back(50_000).await.expect("gives back");
    let outcomes = join_all((0..8).map(|_| give_back(50_000))).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.reason, ErrorReason::RefundTooLarge, "{refused:?}");
    }
    yeyak.settle().await;
    assert_eq!(minor(&get(&client, &booking.id).await.refunded), 2 * PRICE);
    let foreign = yeyak.seller().await.payments().get_payment(GetPaymentRequest { id: attempt.id.clone() }).await;
    assert_eq!(foreign.expect_err("not theirs").reason, ErrorReason::NotFound);
    yeyak.check().await;
}

#[tokio::test]
async fn an_expired_booking_is_not_to_be_paid() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let expired = place.hold(&client, nights(0, 1)).await.expect("holds");
    yeyak.clock.advance(TimeDelta::minutes(15));
    let request = PreparePaymentRequest { booking_id: expired.id, ..Default::default() };
    let refused = client.payments().prepare_payment(request).await.expect_err("too late");
    assert_eq!(refused.reason, ErrorReason::BookingExpired);
    yeyak.check().await;
}

/// Guard: the reason why a payment is refused behind the pay page is told; what is no fault of ours is no error in the log.
#[tokio::test]
async fn who_comes_back_to_pay_what_has_another_price_by_now_is_told_so() {
    let yeyak = Yeyak::new().await;
    let (_, client, booking, attempt, key) = ready(&yeyak, Plan::default()).await;
    super::change::change(&client, &booking, nights(0, 3)).await.expect("moves");
    let (front, _) = attempt.checkout_url.split_once("/pay/").expect("a page of ours");
    let back = format!("{front}/pay/return?paymentKey={key}&orderId={}&amount={}", attempt.id, 2 * PRICE);

    let answer = crate::place::browser().get(back).send().await.expect("an answer");

    assert_eq!(answer.status(), 409);
    assert!(answer.text().await.expect("text").contains("begin to pay again"));
    let refused = confirm(&client, &attempt, key).await.expect_err("has another price");
    assert_eq!(refused.reason, ErrorReason::PriceChanged);
    assert!(is(&get(&client, &booking.id).await, State::Held));
    crate::place::pay(&yeyak, &client, &booking).await;
    yeyak.settle().await;
    yeyak.check().await;
}

/// What a browser finds that sends what no button sends, or opens the port itself.
#[tokio::test]
async fn people_read_a_page_whatever_they_send() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 1)).await.expect("holds");
    let attempt = prepare(&client, &booking).await;
    let browser = crate::place::browser();
    let sent_on = browser.get(&attempt.checkout_url).send().await.expect("an answer");
    let page = sent_on.url().join(sent_on.headers()["location"].to_str().expect("text")).expect("a page");

    for form in [vec![("choice", "gift")], vec![]] {
        let answer = browser.post(page.clone()).form(&form).send().await.expect("an answer");
        assert_eq!(answer.status(), 400);
        assert!(answer.text().await.expect("text").contains("There is no such choice"), "{form:?}");
    }
    let front = browser.get(page.join("/").expect("a page")).send().await.expect("an answer");

    assert!(front.status().is_success());
    let front = front.text().await.expect("text");
    assert!(front.contains("/healthz") && front.contains("jwks.json"), "{front}");
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Ready);
}

/// Guard: what nobody can take any more goes back, though the seller never answers.
#[tokio::test]
async fn late_money_that_nobody_decides_on_goes_back_on_the_day_of_departure() {
    let yeyak = Yeyak::new().await;
    let (place, client, booking, attempt) = late(&yeyak, LatePaymentPolicy::Manual, false).await;
    // The midnight at which the day of departure begins in Seoul.
    let departure: Time = "2026-04-02T15:00:00Z".parse().expect("an instant");
    yeyak.clock.set(departure - TimeDelta::seconds(1));
    yeyak.settle().await;
    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::NeedsDecision);

    yeyak.clock.set(departure);
    yeyak.settle().await;

    assert_eq!(payment(&client, &attempt.id).await.state(), Paid::Refunded);
    assert!(is(&get(&client, &booking).await, State::Expired));
    let request = ResolvePaymentRequest { id: attempt.id, decision: Decision::Refund.into(), ..Default::default() };
    let again = place.seller.payments().resolve_payment(request).await.expect_err("decided");
    assert_eq!(again.reason, ErrorReason::PaymentDecided);
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: a page that a payer is sent back to is kept as it was read.
#[tokio::test]
async fn the_way_back_is_kept_as_it_was_read() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 1)).await.expect("holds");
    let prepare = async |return_url: String| {
        let request = PreparePaymentRequest { booking_id: booking.id.clone(), return_url, ..Default::default() };
        client.payments().prepare_payment(request).await
    };

    let long = prepare(format!("https://example.kr/{}", "가".repeat(1000))).await.expect_err("9,000 letters");
    assert_eq!(long.violations[0].field, "return_url");
    let attempt = prepare("https://example.kr/돌아\u{0}오기".into()).await.expect("prepares");

    let key = yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
    confirm(&client, &attempt, key).await.expect("pays");
    yeyak.check().await;
}
