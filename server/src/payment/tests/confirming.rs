//! Taking the money.

use chrono::TimeDelta;
use futures::future::join_all;

use super::stage::{Stage, member, request};
use crate::backend::provider::simulator::{Fault, When};
use crate::error::ErrorReason;
use crate::kit::money::Money;
use crate::payment::confirm::Confirm;
use crate::payment::model::State;
use crate::payment::store;

#[tokio::test]
async fn a_confirmed_payment_is_captured_and_in_the_ledger() {
    let stage = Stage::new().await;
    let (booking, id) = stage.paid().await;

    let view = stage.view(id).await;

    assert_eq!((view.state, view.payment.captured), (State::Captured, Money::won(1000)));
    assert_eq!((stage.held(booking).await, stage.left(booking).await.received), (1000, 1));
    stage.assert_sound().await;
}

/// Guard: a lost answer is no outcome; the provider is asked.
#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_reconciled_to_a_capture() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::LoseAnswer { when: When::AfterCommit }).await;

    assert_eq!(stage.confirm(id, &key).await.unwrap().state, State::Reconciling);
    assert_eq!(stage.left(booking).await.state, "PAYING", "the booking keeps what it holds");
    stage.reconcile_after(TimeDelta::seconds(10)).await;

    assert_eq!(stage.state(id).await, State::Captured);
    assert_eq!(stage.left(booking).await.received, 1);
    stage.assert_sound().await;
}

/// Guard: the confirmation is sent again under the attempt's own idempotency key.
#[tokio::test]
async fn a_confirmation_that_never_arrived_is_sent_again() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::LoseAnswer { when: When::BeforeCommit }).await;

    assert_eq!(stage.confirm(id, &key).await.unwrap().state, State::Reconciling);
    let again = stage.confirm(id, &key).await.unwrap();

    assert_eq!(again.state, State::Captured, "a payer's second try asks at once");
    assert_eq!(stage.left(booking).await.received, 1);
    stage.assert_sound().await;
}

#[tokio::test]
async fn an_order_that_ran_out_at_the_provider_fails() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::LoseAnswer { when: When::BeforeCommit }).await;
    stage.confirm(id, &key).await.unwrap();

    stage.reconcile_after(TimeDelta::minutes(11)).await;

    let view = stage.view(id).await;
    assert_eq!((view.state, view.payment.failure.unwrap().code), (State::Failed, "EXPIRED".to_owned()));
    assert_eq!(stage.left(booking).await.failed, 1);
}

/// Guard: the idempotency key is that of the attempt, not of the booking.
#[tokio::test]
async fn a_declined_card_is_final_and_a_second_card_pays() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let first = stage.prepare(booking).await;
    let key = stage.agree(first).await;
    stage.script(first, Fault::Decline { code: "REJECT_CARD_PAYMENT".to_owned() }).await;

    let declined = stage.confirm(first, &key).await.unwrap();
    assert_eq!(declined.state, State::Failed);
    assert_eq!(declined.payment.failure.unwrap().code, "REJECT_CARD_PAYMENT");
    assert_eq!(stage.confirm(first, &key).await.unwrap().state, State::Failed, "the same answer again");
    let second = stage.prepare(booking).await;
    let key = stage.agree(second).await;
    assert_eq!(stage.confirm(second, &key).await.unwrap().state, State::Captured);

    assert_ne!(first, second);
    let left = stage.left(booking).await;
    assert_eq!((left.failed, left.received, stage.held(booking).await), (1, 1, 1000));
    stage.assert_sound().await;
}

/// Guard: the version in `store::update`, behind it the unique cause in the ledger.
#[tokio::test]
async fn many_confirmations_at_once_are_one_capture() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;

    let outcomes = join_all((0..20).map(|_| stage.confirm(id, &key))).await;

    let answered: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().state).collect();
    let right = |state: &State| matches!(state, State::Captured | State::Reconciling | State::Confirming);
    assert!(answered.iter().all(right), "{answered:?}");
    assert!(answered.contains(&State::Captured));
    assert_eq!(stage.state(id).await, State::Captured);
    assert_eq!((stage.held(booking).await, stage.left(booking).await.received), (1000, 1));
    stage.assert_sound().await;
}

/// Guard: the record of the request commits with the first step.
#[tokio::test]
async fn one_request_sent_many_times_is_one_capture_and_one_answer() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    let request = request(7);

    let replies = join_all((0..10).map(|_| stage.confirm_once(id, &key, &request))).await;
    let last = stage.confirm_once(id, &key, &request).await.unwrap();

    assert!(replies.iter().all(|reply| reply.as_ref().unwrap().value.payment.id == id));
    assert!(last.replayed);
    assert_eq!((last.value.state, stage.left(booking).await.received), (State::Captured, 1));
}

/// Guard: the comparison of amounts before a capture is believed.
#[tokio::test]
async fn another_amount_than_asked_goes_back_whole() {
    let stage = Stage::new().await;
    for charged in [700, 1500] {
        let booking = stage.booking().await;
        let id = stage.prepare(booking).await;
        let key = stage.agree(id).await;
        stage.script(id, Fault::WrongAmount { charged }).await;

        stage.confirm(id, &key).await.unwrap();
        stage.idle().await;

        let view = stage.view(id).await;
        assert_eq!((view.state, view.payment.failure.unwrap().code), (State::Failed, "AMOUNT_MISMATCH".to_owned()));
        assert_eq!((view.payment.captured, view.payment.refunded), (Money::won(charged), Money::won(charged)));
        assert_eq!(stage.charge(id).await.balance, Money::won(0));
        let left = stage.left(booking).await;
        assert_eq!((left.received, left.failed, stage.held(booking).await), (0, 1, 0));
    }
    stage.assert_sound().await;
}

#[tokio::test]
async fn a_foreign_payment_is_not_found_and_a_key_is_required() {
    let stage = Stage::new().await;
    let id = stage.prepare(stage.booking().await).await;
    let stranger = member(&stage.yeyak, true);

    let seen = stage.payments.get(&stranger, id).await.unwrap_err();
    let command = Confirm { id, provider_key: "sim_00".to_owned() };
    let confirmed = stage.payments.confirm(&stranger, command, &request(1)).await.unwrap_err();
    let keyless = stage.confirm(id, "").await.unwrap_err();

    assert_eq!((seen.reason(), confirmed.reason()), (ErrorReason::NotFound, ErrorReason::NotFound));
    assert_eq!(keyless.reason(), ErrorReason::InvalidFields);
    assert_eq!(stage.state(id).await, State::Ready);
}

/// Guard: time rules are decided at read; no job runs here.
#[tokio::test]
async fn time_passes_with_every_job_stopped() {
    let stage = Stage::new().await;
    let waiting = stage.prepare(stage.booking().await).await;
    let begun = stage.prepare(stage.booking().await).await;
    let key = stage.agree(begun).await;
    stage.yeyak.kit.crash.arm("payment.begun", crate::kit::crash::How::Error);
    stage.confirm(begun, &key).await.unwrap_err();
    assert_eq!(stage.state(begun).await, State::Confirming);

    stage.yeyak.clock.advance(TimeDelta::minutes(15));

    assert_eq!((stage.state(waiting).await, stage.state(begun).await), (State::Expired, State::Reconciling));
    let refused = stage.confirm(waiting, "sim_00").await.unwrap_err();
    assert_eq!(refused.reason(), ErrorReason::PaymentNotReady);
    stage.yeyak.clock.advance(TimeDelta::hours(1));
    let found = stage.payments.check().await.unwrap();
    assert_eq!(found.iter().map(|violation| violation.subject.clone()).collect::<Vec<_>>(), [begun.to_string()]);
    let stored = store::payment(stage.yeyak.db.read(), waiting).await.unwrap().unwrap();
    assert_eq!(stored.state, State::Ready);
}
