//! Money that comes when the booking may not take it any more.

use futures::future::join_all;

use super::stage::{Stage, reasons};
use crate::error::ErrorReason;
use crate::kit::clock::Time;
use crate::kit::id::BookingId;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::Money;
use crate::payment::PaymentId;
use crate::payment::model::State;
use crate::payment::payable::Received;
use crate::payment::resolve::Decision;

const UNDECIDED: Received = Received::Undecided { until: Time::MAX_UTC };

/// A payment that the booking answers so.
async fn late(stage: &Stage, answer: Received) -> (BookingId, PaymentId) {
    *stage.bookings.answer.lock().unwrap() = answer;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.confirm(id, &key).await.unwrap();
    stage.idle().await;
    (booking, id)
}

#[tokio::test]
async fn what_the_booking_can_not_take_goes_back_whole() {
    let stage = Stage::new().await;

    let (booking, id) = late(&stage, Received::GiveBack).await;

    assert_eq!(stage.state(id).await, State::Refunded);
    assert_eq!((stage.charge(id).await.balance, stage.held(booking).await), (Money::won(0), 0));
    assert_eq!(stage.left(booking).await.received, 1);
    stage.assert_sound().await;
}

#[tokio::test]
async fn what_the_booking_takes_stays() {
    let stage = Stage::new().await;

    let (booking, id) = late(&stage, Received::Accepted).await;

    assert_eq!((stage.state(id).await, stage.held(booking).await), (State::Captured, 1000));
    stage.assert_sound().await;
}

#[tokio::test]
async fn the_seller_decides_on_what_is_undecided() {
    let stage = Stage::new().await;
    for (decision, state, held) in [(Decision::Accept, State::Captured, 1000), (Decision::Refund, State::Refunded, 0)] {
        let (booking, id) = late(&stage, UNDECIDED).await;
        assert_eq!((stage.state(id).await, stage.held(booking).await), (State::NeedsDecision, 1000));
        let early = stage.refund(id, 100).await.unwrap_err();
        assert_eq!(early.reason(), ErrorReason::RefundTooLarge, "nothing goes back before the decision");

        stage.payments.resolve(&stage.seller, id, decision, &RequestKey::default()).await.unwrap();
        stage.idle().await;

        assert_eq!((stage.state(id).await, stage.held(booking).await), (state, held));
        let confirmed = stage.left(booking).await.state == "CONFIRMED";
        assert_eq!(confirmed, decision == Decision::Accept);
    }
    stage.assert_sound().await;
}

/// Guard: the version in `store::update`.
#[tokio::test]
async fn one_of_many_decisions_counts() {
    let stage = Stage::new().await;
    let (booking, id) = late(&stage, UNDECIDED).await;

    let decisions = (0..10).map(|n| if n % 2 == 0 { Decision::Accept } else { Decision::Refund });
    let keys = RequestKey::default();
    let outcomes = join_all(decisions.map(|decision| stage.payments.resolve(&stage.seller, id, decision, &keys))).await;
    stage.idle().await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(reasons(&outcomes).iter().all(|reason| *reason == ErrorReason::PaymentDecided));
    let refunded = stage.state(id).await == State::Refunded;
    assert_eq!(stage.held(booking).await == 0, refunded);
    stage.assert_sound().await;
}
