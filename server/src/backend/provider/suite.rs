//! What every provider promises, asked of the connector and the simulator together.

use std::time::Duration;

use chrono::TimeDelta;

use super::simulator::{Fault, When};
use super::stage::{Stage, confirm, connector, payment, serve};
use super::{Answer, Cancel, ChargeState, Confirm};
use crate::kit::money::Money;

const ORDER: &str = "attempt_01";

#[tokio::test]
async fn a_confirmed_payment_is_done_and_found() {
    let stage = Stage::new().await;
    assert_eq!(stage.provider.find(ORDER).await, Ok(None));
    let key = stage.agreed(ORDER, 1000).await;
    assert_eq!(stage.find(ORDER).await.state, ChargeState::InProgress);

    let charge = stage.confirm(ORDER, &key).await.done();

    assert_eq!((charge.state, charge.total, charge.balance), (ChargeState::Done, Money::won(1000), Money::won(1000)));
    assert_eq!(charge.approved_time.unwrap().to_rfc3339(), "2026-05-01T00:00:00+00:00");
    assert_eq!((&*charge.method, &charge.key), ("카드", &key));
    assert_eq!(stage.find(ORDER).await, charge);
}

#[tokio::test]
async fn a_declined_payment_is_refused_for_good() {
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::Decline { code: "REJECT_CARD_PAYMENT".to_owned() }).await;

    let first = stage.confirm(ORDER, &key).await;
    let second = stage.confirm(ORDER, &key).await;

    assert_eq!(first, second, "the refusal is remembered under its key");
    assert_eq!(first.code(), "REJECT_CARD_PAYMENT");
    assert_eq!(stage.find(ORDER).await.state, ChargeState::Aborted);
}

#[tokio::test]
async fn an_answer_lost_after_the_charge_is_unknown_and_found_done() {
    let stage = Stage::new().await;
    for (order, fault) in [
        ("order-lost", Fault::LoseAnswer { when: When::AfterCommit }),
        ("order-500", Fault::ServerError { when: When::AfterCommit }),
        ("order-cut", Fault::BrokenJson { when: When::AfterCommit }),
    ] {
        let key = stage.troubled(order, fault).await;

        let answer = stage.confirm(order, &key).await;

        assert!(answer.is_unknown(), "{order}: {answer:?}");
        assert_eq!(stage.find(order).await.state, ChargeState::Done, "{order}");
        stage.confirm(order, &key).await.done();
    }
}

#[tokio::test]
async fn an_answer_lost_before_the_charge_is_unknown_and_a_repetition_charges() {
    let stage = Stage::new().await;
    for (order, fault) in [
        ("order-lost", Fault::LoseAnswer { when: When::BeforeCommit }),
        ("order-500", Fault::ServerError { when: When::BeforeCommit }),
        ("order-cut", Fault::BrokenJson { when: When::BeforeCommit }),
    ] {
        let key = stage.troubled(order, fault).await;

        let answer = stage.confirm(order, &key).await;

        assert!(answer.is_unknown(), "{order}: {answer:?}");
        assert_eq!(stage.find(order).await.state, ChargeState::InProgress, "{order}");
        stage.confirm(order, &key).await.done();
    }
}

#[tokio::test]
async fn a_call_that_times_out_is_unknown_and_may_still_charge() {
    let stage = Stage::new().await;
    let hasty = connector(&stage.base, |settings| settings.call_timeout = Duration::from_millis(20));
    let key = stage.troubled(ORDER, Fault::Delay { when: When::BeforeCommit, millis: 60 }).await;
    // Made beforehand, so that no connection has to be made within the timeout.
    while hasty.find(ORDER).await.is_err() {}

    let answer = confirm(&*hasty, ORDER, &key).await;

    assert!(answer.is_unknown(), "{answer:?}");
    for _ in 0..10_000 {
        if stage.find(ORDER).await.state == ChargeState::Done {
            return;
        }
    }
    panic!("the call that was left did not charge");
}

#[tokio::test]
async fn one_idempotency_key_is_one_charge_and_another_key_finds_it_processed() {
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::Delay { when: When::AfterCommit, millis: 5 }).await;

    let answers = futures::future::join_all((0..8).map(|_| stage.confirm(ORDER, &key))).await;
    let charge = stage.confirm(ORDER, &key).await.done();
    let other = Confirm { order: ORDER, key: &key, amount: Money::won(1000), idempotency_key: "another" };
    let other = stage.provider.confirm(other).await;

    let settled = |answer: &Answer| matches!(answer, Answer::Again { .. }) || *answer == Answer::Done(charge.clone());
    assert!(answers.iter().all(settled), "{answers:?}");
    assert!(other.is_unknown(), "processed before, so look it up: {other:?}");
    assert_eq!(stage.find(ORDER).await, charge);
}

#[tokio::test]
async fn a_key_used_for_two_payments_is_not_believed() {
    let stage = Stage::new().await;
    let one = stage.agreed("order-one", 1000).await;
    let two = stage.agreed("order-two", 1000).await;
    let shared = |order, key| Confirm { order, key, amount: Money::won(1000), idempotency_key: "shared" };

    stage.provider.confirm(shared("order-one", &one)).await.done();
    let answer = stage.provider.confirm(shared("order-two", &two)).await;

    assert!(answer.is_unknown(), "the first payment's answer came back: {answer:?}");
    assert_eq!(stage.find("order-two").await.state, ChargeState::InProgress);
}

#[tokio::test]
async fn what_the_provider_asks_to_repeat_is_repeated_three_times() {
    let stage = Stage::new().await;
    let passing = || Fault::Decline { code: "PROVIDER_ERROR".to_owned() };
    let key = stage.agreed(ORDER, 1000).await;

    stage.simulator.script_everywhere(passing(), 3).await.unwrap();
    assert!(matches!(stage.confirm(ORDER, &key).await, Answer::Again { .. }));
    stage.simulator.script_everywhere(passing(), 2).await.unwrap();
    stage.confirm(ORDER, &key).await.done();

    stage.simulator.script_everywhere(passing(), 2).await.unwrap();
    assert_eq!(stage.cancel(&key, 1000, "refund").await.done().state, ChargeState::Cancelled);
}

#[tokio::test]
async fn partial_cancels_add_up_and_never_exceed_the_charge() {
    let stage = Stage::new().await;
    let key = stage.agreed(ORDER, 1000).await;
    stage.confirm(ORDER, &key).await.done();

    let partly = stage.cancel(&key, 300, "refund-1").await.done();
    assert_eq!((partly.state, partly.balance), (ChargeState::PartlyCancelled, Money::won(700)));
    assert_eq!(stage.cancel(&key, 701, "refund-2").await.code(), "NOT_CANCELABLE_AMOUNT");
    let stale = Cancel {
        key: &key,
        amount: Money::won(100),
        expected_balance: Some(Money::won(1000)),
        reason: "stale",
        idempotency_key: "refund-3",
    };
    assert_eq!(stage.provider.cancel(stale).await.code(), "NOT_MATCHES_REFUNDABLE_AMOUNT");
    let fresh = Cancel {
        expected_balance: Some(Money::won(700)),
        amount: Money::won(700),
        idempotency_key: "refund-4",
        ..stale
    };
    let all = stage.provider.cancel(fresh).await.done();

    assert_eq!((all.state, all.total, all.balance), (ChargeState::Cancelled, Money::won(1000), Money::won(0)));
    let amounts: Vec<i64> = all.cancels.iter().map(|cancel| cancel.amount.minor).collect();
    assert_eq!(amounts, [300, 700]);
    assert!(stage.cancel(&key, 1, "refund-5").await.is_unknown(), "cancelled before, so look it up");
    assert_eq!(stage.find(ORDER).await, all);
}

#[tokio::test]
async fn a_virtual_account_takes_nothing_and_is_cancelled_whole() {
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::AwaitDeposit).await;

    let charge = stage.confirm(ORDER, &key).await.done();

    assert_eq!((charge.state, &*charge.method), (ChargeState::WaitingForDeposit, "가상계좌"));
    assert_eq!((charge.approved_time, stage.find(ORDER).await), (None, charge));
    assert_eq!(stage.cancel(&key, 300, "part").await.code(), "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT");
    assert_eq!(stage.cancel(&key, 1000, "all").await.done().state, ChargeState::Cancelled);
}

#[tokio::test]
async fn a_cancel_repeated_or_raced_under_its_key_gives_back_once() {
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::Webhooks { order: super::simulator::Hooks::Never }).await;
    stage.confirm(ORDER, &key).await.done();
    stage.simulator.script(ORDER, Fault::LoseAnswer { when: When::AfterCommit }).await.unwrap();

    assert!(stage.cancel(&key, 300, "refund").await.is_unknown());
    let again = stage.cancel(&key, 300, "refund").await.done();

    assert_eq!((again.cancels.len(), again.balance), (1, Money::won(700)));
    assert_eq!(stage.find(ORDER).await, again);

    let racing = futures::future::join_all(["a", "b", "c"].map(|refund| stage.cancel(&key, 300, refund))).await;
    let given = racing.iter().filter(|answer| matches!(answer, Answer::Done(_))).count();
    assert_eq!((given, stage.find(ORDER).await.balance), (2, Money::won(100)));
}

#[tokio::test]
async fn a_wrong_amount_is_visible_in_the_charge() {
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::WrongAmount { charged: 1001 }).await;

    assert_eq!(stage.confirm(ORDER, &key).await.done().total, Money::won(1001));
}

#[tokio::test]
async fn an_amount_or_order_that_is_not_the_buyers_is_refused() {
    let stage = Stage::new().await;
    let key = stage.agreed(ORDER, 1100).await;
    let right = Confirm { order: ORDER, key: &key, amount: Money::won(1100), idempotency_key: "right" };
    let order = Confirm { order: "attempt_02", idempotency_key: "order", ..right };
    let unknown = Confirm { key: "sim_00", idempotency_key: "unknown", ..right };
    let malformed = Confirm { key: "..", idempotency_key: "malformed", ..right };

    assert_eq!(stage.confirm(ORDER, &key).await.code(), "FORBIDDEN_REQUEST");
    assert_eq!(stage.provider.confirm(order).await.code(), "FORBIDDEN_REQUEST");
    assert_eq!(stage.provider.confirm(unknown).await.code(), "NOT_FOUND_PAYMENT");
    assert_eq!(stage.provider.confirm(malformed).await.code(), "INVALID_REQUEST");
    stage.provider.confirm(right).await.done();
}

#[tokio::test]
async fn a_payment_not_confirmed_within_ten_minutes_expires() {
    let stage = Stage::new().await;
    let key = stage.agreed(ORDER, 1000).await;
    let ready = stage.simulator.create_payment(payment("attempt_02", 1000)).await.unwrap();

    assert_eq!(stage.confirm("attempt_02", &ready).await.code(), "UNAPPROVED_ORDER_ID");
    stage.clock.advance(TimeDelta::minutes(10));

    assert_eq!(stage.confirm(ORDER, &key).await.code(), "NOT_FOUND_PAYMENT_SESSION");
    assert_eq!(stage.find(ORDER).await.state, ChargeState::Expired);
    assert_eq!(stage.find("attempt_02").await.state, ChargeState::Ready);
}

#[tokio::test]
async fn a_provider_out_of_reach_has_decided_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let absent = connector(&format!("http://{address}"), |_| {});
    let elsewhere = connector(&serve(axum::Router::new()).await, |_| {});

    assert!(matches!(confirm(&*absent, ORDER, "key").await, Answer::Again { .. }), "nothing was sent");
    assert!(absent.find(ORDER).await.is_err());
    assert!(confirm(&*elsewhere, ORDER, "key").await.is_unknown(), "a 404 without a code is no refusal");
    assert!(elsewhere.find(ORDER).await.is_err());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_shown_nowhere() {
    let stage = Stage::new().await;
    let stranger = connector(&stage.base, |settings| settings.secret_key = "test_sk_hush".to_owned());
    let key = stage.agreed(ORDER, 1000).await;

    let answer = confirm(&*stranger, ORDER, &key).await;
    let lookup = stranger.find(ORDER).await;

    let seen = format!("{stranger:?} {answer:?} {lookup:?}");
    assert!(seen.contains("UNAUTHORIZED_KEY") && !seen.contains("hush"), "{seen}");
    assert!(!seen.contains("dGVzdF9za19odXNo"), "nor as base64: {seen}");
    connector("https://api.tosspayments.com", |_| {});
}
