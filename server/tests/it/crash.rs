//! A payment that ends between any two of its steps, as by a kill, is completed by the reconciler, and no money is lost.

use chrono::TimeDelta;
use yeyak::Client;
use yeyak::proto::booking::v1::Booking;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::payment::v1::{GetPaymentRequest, Payment, payment, refund};
use yeyak_server::backend::provider::ChargeState;
use yeyak_server::backend::provider::simulator::{Fault, When};
use yeyak_server::kit::crash::How;

use crate::harness::Yeyak;
use crate::place::{PRICE, Place, Plan, browser, cancel, confirm, get, is, minor, nights, prepare};

/// Between: begun and asked, asked and recorded, recorded and answered.
const STEPS: [&str; 3] = ["payment.begun", "payment.asked", "payment.recorded"];

struct Scene {
    yeyak: Yeyak,
    place: Place,
    client: Client,
    booking: Booking,
    attempt: Payment,
    key: String,
}

impl Scene {
    /// A held booking whose payer has pressed *Pay*.
    async fn new() -> Self {
        let yeyak = Yeyak::new().await;
        let place = yeyak.place(Plan::default()).await;
        let client = yeyak.member().await;
        let booking = place.hold(&client, nights(0, 2)).await.expect("holds");
        let attempt = prepare(&client, &booking).await;
        let key = yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
        Self { yeyak, place, client, booking, attempt, key }
    }

    /// Confirms as a payer's browser does that comes back from the provider, and ends at a point. (A call with a request_id
    /// would find its record behind the error, and complete what it began.)
    async fn crash_at(&self, point: &'static str) {
        self.yeyak.platform.kit.crash.arm(point, How::Error);
        let (ours, _) = self.attempt.checkout_url.split_once("/pay/").expect("a pay page");
        let (key, order) = (&self.key, &self.attempt.id);
        let page = format!("{ours}/pay/return?paymentKey={key}&orderId={order}&amount={}", 2 * PRICE);
        let answer = browser().get(page).send().await.expect("an answer");
        assert!(!self.yeyak.platform.kit.crash.is_armed(point), "nothing came to {point}: {answer:?}");
        assert!(!answer.status().is_success(), "it ended half-way: {answer:?}");
    }

    /// Time goes by, and whatever is due is done.
    async fn recover(&self, minutes: i64) {
        for _ in 0..4 {
            self.yeyak.clock.advance(TimeDelta::minutes(minutes));
            self.yeyak.settle().await;
        }
    }

    async fn booking(&self) -> Booking {
        get(&self.client, &self.booking.id).await
    }

    async fn payment(&self) -> Payment {
        let request = GetPaymentRequest { id: self.attempt.id.clone() };
        self.client.payments().get_payment(request).await.expect("a payment")
    }

    /// The promises hold, and what the provider has is what we say that it has; gives it.
    async fn money(&self) -> i64 {
        self.yeyak.check().await;
        let payment = self.payment().await;
        let charge = self.yeyak.platform.payments.provider().find(&self.attempt.id).await.expect("an answer");
        let taken = charge.filter(|charge| matches!(charge.state, ChargeState::Done | ChargeState::Cancelled));
        let balance = taken.map_or(0, |charge| charge.balance.minor);
        assert_eq!(balance, minor(&payment.captured) - minor(&payment.refunded), "{payment:?}");
        balance
    }
}

#[tokio::test]
async fn a_payment_that_ends_at_any_step_is_completed_by_the_reconciler() {
    for point in STEPS {
        let scene = Scene::new().await;
        scene.crash_at(point).await;
        assert!(matches!(scene.booking().await.state(), State::Paying | State::Confirmed), "{point}");

        scene.recover(1).await;

        assert!(is(&scene.booking().await, State::Confirmed), "{point}");
        assert_eq!(scene.payment().await.state(), payment::State::Captured, "{point}");
        assert_eq!(scene.money().await, 2 * PRICE, "{point}");
    }
}

#[tokio::test]
async fn a_reconciler_that_ends_half_way_too_is_followed_by_another() {
    for first in ["payment.begun", "payment.asked"] {
        for second in ["payment.asked", "payment.recorded"] {
            let scene = Scene::new().await;
            scene.crash_at(first).await;
            scene.yeyak.platform.kit.crash.arm(second, How::Error);

            scene.recover(1).await;

            assert!(!scene.yeyak.platform.kit.crash.is_armed(second), "{first}, {second}");
            assert!(is(&scene.booking().await, State::Confirmed), "{first}, {second}");
            assert_eq!(scene.money().await, 2 * PRICE, "{first}, {second}");
        }
    }
}

#[tokio::test]
async fn the_payers_next_try_completes_what_ended_half_way() {
    for point in STEPS {
        let scene = Scene::new().await;
        scene.crash_at(point).await;

        let paid = confirm(&scene.client, &scene.attempt, scene.key.clone()).await.expect("confirms");

        assert_eq!(paid.state(), payment::State::Captured, "{point}");
        assert!(is(&scene.booking().await, State::Confirmed), "{point}");
        assert_eq!(scene.money().await, 2 * PRICE, "{point}");
    }
}

#[tokio::test]
async fn a_refused_payment_that_ends_at_any_step_leaves_the_hold_and_no_money() {
    for point in STEPS {
        let scene = Scene::new().await;
        scene.yeyak.fault(&scene.attempt, Fault::Decline { code: "REJECT_CARD_COMPANY".into() }).await;
        scene.crash_at(point).await;

        scene.recover(1).await;

        assert!(is(&scene.booking().await, State::Held), "{point}");
        assert_eq!(scene.payment().await.state(), payment::State::Failed, "{point}");
        assert_eq!(scene.money().await, 0, "{point}");
        crate::place::pay(&scene.yeyak, &scene.client, &scene.booking).await;
    }
}

/// Nobody looks for hours: the provider's word counts, and the nights were kept for it.
#[tokio::test]
async fn a_payment_that_ended_half_way_long_ago_loses_neither_money_nor_nights() {
    for (point, ends) in STEPS.into_iter().zip([State::Expired, State::Confirmed, State::Confirmed]) {
        let scene = Scene::new().await;
        scene.crash_at(point).await;
        scene.yeyak.clock.advance(TimeDelta::hours(3));
        scene.place.hold(&scene.yeyak.member().await, nights(0, 2)).await.expect_err("kept until it is known");

        scene.recover(20).await;

        assert_eq!(scene.booking().await.state(), ends, "{point}");
        assert_eq!(scene.money().await, if ends == State::Confirmed { 2 * PRICE } else { 0 }, "{point}");
    }
}

#[tokio::test]
async fn a_webhook_that_was_kept_and_not_answered_comes_again() {
    let scene = Scene::new().await;
    scene.yeyak.fault(&scene.attempt, Fault::LoseAnswer { when: When::AfterCommit }).await;
    // Before the provider has anything to tell: it tells at once.
    scene.yeyak.platform.kit.crash.arm("webhook.kept", How::Error);
    confirm(&scene.client, &scene.attempt, scene.key.clone()).await.expect("unknown");

    scene.recover(1).await;

    assert!(!scene.yeyak.platform.kit.crash.is_armed("webhook.kept"), "a webhook came");
    assert!(is(&scene.booking().await, State::Confirmed));
    assert_eq!(scene.money().await, 2 * PRICE);
}

/// Between the commit of the cancellation and the call of the refund, and between the call and its record.
#[tokio::test]
async fn a_refund_that_ends_half_way_is_carried_out_once() {
    for point in ["refund.decided", "refund.asked"] {
        let scene = Scene::new().await;
        confirm(&scene.client, &scene.attempt, scene.key.clone()).await.expect("confirms");
        scene.yeyak.platform.kit.crash.arm(point, How::Error);

        cancel(&scene.client, &scene.booking).await.expect("cancels");
        scene.recover(1).await;

        assert!(!scene.yeyak.platform.kit.crash.is_armed(point), "{point}");
        let payment = scene.payment().await;
        assert_eq!(payment.refunds.len(), 1, "{point}");
        assert_eq!(payment.refunds[0].state(), refund::State::Done, "{point}");
        assert!(is(&scene.booking().await, State::Cancelled), "{point}");
        assert_eq!(scene.money().await, 0, "{point}");
    }
}
