//! A process that ends between two steps.

use chrono::TimeDelta;

use super::stage::Stage;
use crate::backend::provider::simulator::Fault;
use crate::kit::crash::How;
use crate::kit::money::Money;
use crate::payment::model::{RefundState, State};

/// Guard: the attempt is on record before the provider is asked, with the key under which it is asked again.
#[tokio::test]
async fn a_confirmation_that_ends_anywhere_is_finished_by_the_reconciler() {
    for point in ["payment.begun", "payment.asked", "payment.recorded"] {
        let stage = Stage::new().await;
        let booking = stage.booking().await;
        let id = stage.prepare(booking).await;
        let key = stage.agree(id).await;
        stage.yeyak.kit.crash.arm(point, How::Error);

        let crashed = stage.confirm(id, &key).await;
        stage.reconcile_after(TimeDelta::minutes(1)).await;

        assert!(crashed.is_err() && !stage.yeyak.kit.crash.is_armed(point), "{point}");
        assert_eq!(stage.state(id).await, State::Captured, "{point}");
        assert_eq!((stage.held(booking).await, stage.left(booking).await.received), (1000, 1), "{point}");
        stage.assert_sound().await;
    }
}

/// Guard: a refund is on record before the provider is asked, with the key under which it is asked again.
#[tokio::test]
async fn a_refund_that_ends_anywhere_is_finished_by_the_reconciler() {
    for point in ["refund.decided", "refund.asked"] {
        let stage = Stage::new().await;
        let (booking, id) = stage.paid().await;
        stage.yeyak.kit.crash.arm(point, How::Error);

        stage.refund(id, 400).await.unwrap();
        stage.idle().await;
        assert!(!stage.yeyak.kit.crash.is_armed(point), "{point}");
        assert_eq!(stage.view(id).await.refunds[0].state, RefundState::Pending, "{point}");
        stage.reconcile_after(TimeDelta::zero()).await;

        assert_eq!(stage.view(id).await.refunds[0].state, RefundState::Done, "{point}");
        assert_eq!(stage.charge(id).await.balance, Money::won(600), "{point}");
        assert_eq!(stage.held(booking).await, 600, "{point}");
        stage.assert_sound().await;
    }
}

/// Guard: a refusal is recorded with what follows from it for the booking, in one transaction; asked again under the same key,
/// the provider refuses again.
#[tokio::test]
async fn a_refused_refund_that_ends_anywhere_is_exact() {
    for point in ["refund.decided", "refund.asked", "refund.recorded"] {
        let stage = Stage::new().await;
        let (booking, id) = stage.paid().await;
        stage.script(id, Fault::Decline { code: "REFUND_REJECTED".to_owned() }).await;
        stage.yeyak.kit.crash.arm(point, How::Error);

        stage.refund(id, 400).await.unwrap();
        stage.idle().await;
        assert!(!stage.yeyak.kit.crash.is_armed(point), "{point}");
        stage.reconcile_after(TimeDelta::zero()).await;

        let view = stage.view(id).await;
        assert_eq!((view.refunds[0].state, view.payment.refunded), (RefundState::Failed, Money::won(0)), "{point}");
        assert_eq!(stage.left(booking).await.given_back, 0, "{point}");
        assert_eq!(stage.charge(id).await.balance, Money::won(1000), "{point}");
        stage.assert_sound().await;
        stage.refund(id, 1000).await.unwrap();
        stage.idle().await;
        assert_eq!((stage.held(booking).await, stage.left(booking).await.given_back), (0, 1000), "{point}");
        stage.assert_sound().await;
    }
}

/// Guard: a webhook is answered behind the commit that keeps it, and its transmission is kept once.
#[tokio::test]
async fn a_webhook_that_was_not_answered_comes_again_and_changes_nothing_more() {
    let stage = Stage::new().await;
    let (booking, id) = stage.paid().await;
    stage.yeyak.kit.crash.arm("webhook.kept", How::Error);

    stage.webhooks().await;
    assert!(!stage.yeyak.kit.crash.is_armed("webhook.kept"));
    stage.yeyak.clock.advance(TimeDelta::minutes(1));
    assert_eq!(stage.webhooks().await, 1, "it comes again");
    stage.yeyak.clock.advance(TimeDelta::minutes(10));
    assert_eq!(stage.webhooks().await, 0, "and was taken");

    assert_eq!((stage.state(id).await, stage.left(booking).await.received), (State::Captured, 1));
    stage.assert_sound().await;
}
