//! Giving money back.

use chrono::TimeDelta;
use futures::future::join_all;

use super::stage::{Stage, reasons};
use crate::backend::provider::simulator::{Fault, When};
use crate::error::ErrorReason;
use crate::kit::caller::Actor;
use crate::kit::crash::How;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::Money;
use crate::payment::model::{RefundState, State};
use crate::payment::payable::Received;
use crate::payment::refund::GiveBack;
use crate::payment::store;

/// Guard: the decision on what is refundable, read in the transaction that gives it back.
#[tokio::test]
async fn refunds_at_once_never_exceed_what_was_captured() {
    let stage = Stage::new().await;
    let (booking, id) = stage.paid().await;

    let outcomes = join_all((0..20).map(|_| stage.refund(id, 100))).await;
    stage.idle().await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    assert!(reasons(&outcomes).iter().all(|reason| *reason == ErrorReason::RefundTooLarge), "{outcomes:?}");
    let view = stage.view(id).await;
    assert_eq!((view.state, view.refunds.len()), (State::Refunded, 10));
    assert!(view.refunds.iter().all(|refund| refund.state == RefundState::Done));
    assert_eq!((stage.charge(id).await.balance, stage.held(booking).await), (Money::won(0), 0));
    assert_eq!(stage.left(booking).await.given_back, 1000);
    stage.assert_sound().await;
}

/// Guard: the condition in `store::give_back`. With one writer the decision before it says the same, so it is asked alone here.
#[tokio::test]
async fn more_than_was_captured_is_not_counted_as_given_back() {
    let stage = Stage::new().await;
    let (_, id) = stage.paid().await;
    let now = stage.yeyak.kit.clock.now();
    let give = async |won| stage.yeyak.db.write(async |tx| store::give_back(&*tx, id, won, now).await).await;

    assert!(give(600).await.unwrap());

    assert!(!give(401).await.unwrap(), "1,000 were captured");
    assert!(give(400).await.unwrap());
}

/// Guard: refunds of a payment go one after another, each with the balance that it expects.
#[tokio::test]
async fn a_refund_whose_answer_was_lost_holds_up_the_next_and_both_are_done_once() {
    let stage = Stage::new().await;
    let (_, id) = stage.paid().await;
    stage.script(id, Fault::LoseAnswer { when: When::AfterCommit }).await;
    // The look-up behind the lost answer is all that may tell of it: the balance there has shrunk already.
    stage.refund(id, 300).await.unwrap();
    stage.refund(id, 500).await.unwrap();
    stage.idle().await;
    stage.reconcile_after(TimeDelta::minutes(10)).await;

    let view = stage.view(id).await;
    assert!(view.refunds.iter().all(|refund| refund.state == RefundState::Done), "{:?}", view.refunds);
    let charge = stage.charge(id).await;
    assert_eq!((charge.balance, charge.cancels.len()), (Money::won(200), 2));
    assert_eq!((view.state, view.payment.refunded), (State::Captured, Money::won(800)));
    stage.assert_sound().await;
}

#[tokio::test]
async fn a_refund_that_never_arrived_is_tried_again() {
    let stage = Stage::new().await;
    let (_, id) = stage.paid().await;
    stage.script(id, Fault::LoseAnswer { when: When::BeforeCommit }).await;

    stage.refund(id, 300).await.unwrap();
    stage.idle().await;
    let waiting = stage.view(id).await.refunds[0].clone();
    assert_eq!((waiting.state, waiting.try_count), (RefundState::Pending, 1));
    stage.reconcile_after(TimeDelta::seconds(5)).await;

    assert_eq!(stage.view(id).await.refunds[0].state, RefundState::Done);
    stage.assert_sound().await;
}

/// Guards: the movement back to the booking's account, and `Payable::refund_failed` in the same transaction.
#[tokio::test]
async fn a_refund_that_the_provider_refuses_no_longer_counts() {
    let stage = Stage::new().await;
    let (booking, id) = stage.paid().await;
    stage.script(id, Fault::Decline { code: "REFUND_REJECTED".to_owned() }).await;

    stage.refund(id, 300).await.unwrap();
    stage.idle().await;

    let view = stage.view(id).await;
    assert_eq!((view.refunds[0].state, view.payment.refunded), (RefundState::Failed, Money::won(0)));
    assert_eq!((stage.held(booking).await, stage.left(booking).await.given_back), (1000, 0));
    stage.assert_sound().await;
    stage.refund(id, 1000).await.unwrap();
    stage.idle().await;
    assert_eq!(stage.state(id).await, State::Refunded, "another try may be taken");
    assert_eq!(stage.left(booking).await.given_back, 1000);
    stage.assert_sound().await;
}

/// Guard: `finish_refund` ends a pending refund once.
#[tokio::test]
async fn a_refusal_that_many_hear_of_is_recorded_once() {
    let stage = Stage::new().await;
    let (booking, id) = stage.paid().await;
    stage.yeyak.kit.crash.arm("refund.decided", How::Error);
    stage.refund(id, 300).await.unwrap();
    stage.idle().await;
    let payment = stage.payments.payment(id).await.unwrap();
    let refund = stage.view(id).await.refunds.remove(0);

    let ends = join_all((0..10).map(|_| stage.payments.record_refusal(&payment, &refund, "REFUND_REJECTED"))).await;

    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    assert_eq!((stage.held(booking).await, stage.left(booking).await.given_back), (1000, 0));
    stage.assert_sound().await;
}

/// Guard: what counts in no booking is never counted as given back by one. Of many tries one sends the money.
#[tokio::test]
async fn what_a_booking_never_had_is_sent_again_when_the_provider_refused_it() {
    for mismatch in [true, false] {
        let stage = Stage::new().await;
        let booking = stage.booking().await;
        let id = stage.prepare(booking).await;
        let key = stage.agree(id).await;
        match mismatch {
            true => stage.script(id, Fault::WrongAmount { charged: 700 }).await,
            false => *stage.bookings.answer.lock().unwrap() = Received::GiveBack,
        }
        // Refused once the money is to go back.
        stage.yeyak.kit.crash.arm("refund.decided", How::Error);
        stage.confirm(id, &key).await.unwrap();
        stage.idle().await;
        stage.script(id, Fault::Decline { code: "REFUND_REJECTED".to_owned() }).await;
        stage.reconcile_after(TimeDelta::zero()).await;
        let refused = stage.view(id).await;
        let captured = refused.payment.captured;
        assert_eq!((refused.refunds[0].state, refused.payment.refundable()), (RefundState::Failed, captured));
        stage.assert_sound().await;

        let outcomes = join_all((0..10).map(|_| stage.refund(id, captured.minor))).await;
        stage.idle().await;

        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(reasons(&outcomes).iter().all(|reason| *reason == ErrorReason::RefundTooLarge), "{outcomes:?}");
        assert_eq!((stage.charge(id).await.balance, stage.held(booking).await), (Money::won(0), 0));
        assert_eq!(stage.left(booking).await.given_back, 0);
        stage.assert_sound().await;
    }
}

#[tokio::test]
async fn an_amount_is_spread_over_the_payments_of_a_booking_the_newest_first() {
    let stage = Stage::new().await;
    let (booking, first) = stage.paid().await;
    let second = stage.prepare(booking).await;
    let key = stage.agree(second).await;
    stage.confirm(second, &key).await.unwrap();
    let actor = Actor::job("test");
    let refund = async |won| {
        let amount = Money::won(won);
        let back = async |tx| stage.payments.refund_booking(&tx, booking, amount, "취소", &actor).await;
        stage.yeyak.db.write(back).await
    };

    refund(1300).await.unwrap();
    let refused = refund(701).await.unwrap_err();
    stage.idle().await;

    assert_eq!(refused.reason(), ErrorReason::RefundTooLarge);
    assert_eq!(stage.view(first).await.payment.refunded, Money::won(300));
    assert_eq!(stage.state(second).await, State::Refunded);
    assert_eq!((stage.held(booking).await, stage.left(booking).await.given_back), (700, 0));
    stage.assert_sound().await;
}

/// Guard: the finder's owner.
#[tokio::test]
async fn a_foreign_seller_finds_no_payment() {
    let stage = Stage::new().await;
    let (_, id) = stage.paid().await;
    let stranger = crate::kit::caller::Seller { id: super::stage::member(&stage.yeyak, true).id };

    let command = GiveBack { id, amount: Money::won(1), reason: "x".to_owned() };
    let refused = stage.payments.refund(&stranger, command, &RequestKey::default()).await.unwrap_err();

    assert_eq!(refused.reason(), ErrorReason::NotFound);
}
