//! Virtual accounts, which wait for a deposit.

use chrono::TimeDelta;

use super::stage::Stage;
use crate::backend::provider::simulator::{Fault, When};
use crate::backend::provider::{ChargeState, Confirm};
use crate::kit::money::Money;
use crate::payment::PaymentId;
use crate::payment::model::State;

/// The provider waits for no deposit, and the payer is told why.
async fn is_turned_down(stage: &Stage, id: PaymentId) {
    let payment = stage.view(id).await.payment;
    assert_eq!((payment.state, payment.captured), (State::Failed, Money::won(0)));
    assert_eq!(payment.failure.unwrap().code, "VIRTUAL_ACCOUNT");
    assert_eq!(stage.charge(id).await.state, ChargeState::Cancelled);
}

/// Guard: `turn_down` behind the confirmation.
#[tokio::test]
async fn a_virtual_account_is_turned_down_and_a_card_pays() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let first = stage.prepare(booking).await;
    let key = stage.agree(first).await;
    stage.script(first, Fault::AwaitDeposit).await;

    assert_eq!(stage.confirm(first, &key).await.unwrap().state, State::Failed);

    is_turned_down(&stage, first).await;
    assert_eq!(stage.left(booking).await.state, "HELD");
    let second = stage.prepare(booking).await;
    let key = stage.agree(second).await;
    assert_eq!(stage.confirm(second, &key).await.unwrap().state, State::Captured);
    assert_eq!((stage.left(booking).await.failed, stage.held(booking).await), (1, 1000));
    stage.webhooks().await;
    is_turned_down(&stage, first).await;
    stage.assert_sound().await;
}

/// Guards: the verdict on an attempt under way; what is told of a charge that was given up before anybody heard of it.
#[tokio::test]
async fn the_reconciler_turns_down_a_virtual_account_whatever_answers_are_lost() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::AwaitDeposit).await;
    for _ in ["the confirmation", "the cancel"] {
        stage.script(id, Fault::LoseAnswer { when: When::AfterCommit }).await;
    }
    assert_eq!(stage.confirm(id, &key).await.unwrap().state, State::Reconciling);

    stage.reconcile_after(TimeDelta::seconds(10)).await;
    assert_eq!(stage.state(id).await, State::Reconciling, "whether it was given up is not known");
    stage.reconcile_after(TimeDelta::minutes(1)).await;

    is_turned_down(&stage, id).await;
    let left = stage.left(booking).await;
    assert_eq!((&*left.state, left.failed, left.received), ("HELD", 1, 0));
    stage.assert_sound().await;
}

/// Guard: the verdict on an attempt that was not begun here.
#[tokio::test]
async fn a_webhook_about_a_virtual_account_of_an_attempt_that_waits_has_it_turned_down() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::AwaitDeposit).await;
    let order = id.to_string();
    let confirm = Confirm { order: &order, key: &key, amount: Money::won(1000), idempotency_key: "elsewhere" };
    stage.provider.confirm(confirm).await;

    stage.webhooks().await;

    is_turned_down(&stage, id).await;
    assert_ne!(stage.prepare(booking).await, id, "there is another attempt");
    stage.assert_sound().await;
}
