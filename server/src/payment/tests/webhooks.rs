//! Webhooks of the provider: hints, whenever and however often they come.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use super::stage::Stage;
use crate::backend::provider::simulator::{Fault, Hooks, When};
use crate::kit::money::Money;
use crate::payment::model::State;
use crate::payment::store::webhook_count;

/// Guard: `record` is monotone, and the attempt's capture is one ledger row.
#[tokio::test]
async fn a_webhook_before_the_answer_records_and_the_answer_changes_nothing_more() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::Delay { when: When::AfterCommit, millis: 400 }).await;
    stage.script(id, Fault::Webhooks { order: Hooks::Twice }).await;

    let hints = async {
        while stage.webhooks().await == 0 {
            tokio::task::yield_now().await;
        }
        stage.state(id).await
    };
    let (answered, seen) = tokio::join!(stage.confirm(id, &key), hints);

    assert_eq!((seen, answered.unwrap().state), (State::Captured, State::Captured));
    assert_eq!((stage.held(booking).await, stage.left(booking).await.received), (1000, 1));
    stage.assert_sound().await;
}

#[tokio::test]
async fn a_lost_answer_is_found_by_the_webhook() {
    let stage = Stage::new().await;
    let id = stage.prepare(stage.booking().await).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::LoseAnswer { when: When::AfterCommit }).await;
    assert_eq!(stage.confirm(id, &key).await.unwrap().state, State::Reconciling);

    stage.webhooks().await;

    assert_eq!(stage.state(id).await, State::Captured);
}

#[tokio::test]
async fn a_webhook_after_the_refund_changes_nothing() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.script(id, Fault::Webhooks { order: Hooks::Reversed }).await;
    stage.confirm(id, &key).await.unwrap();
    stage.refund(id, 1000).await.unwrap();
    stage.idle().await;

    stage.yeyak.clock.advance(TimeDelta::minutes(2));
    assert!(stage.webhooks().await > 0);

    assert_eq!((stage.state(id).await, stage.charge(id).await.balance), (State::Refunded, Money::won(0)));
    assert_eq!((stage.held(booking).await, stage.left(booking).await.received), (0, 1));
    stage.assert_sound().await;
}

/// Guard: nothing of a webhook is believed but the order that it names.
#[tokio::test]
async fn a_forged_webhook_captures_nothing_and_garbage_is_told_so() {
    let stage = Stage::new().await;
    let id = stage.prepare(stage.booking().await).await;
    stage.agree(id).await;
    let url = format!("{}/webhooks/toss", stage.base);
    let post = async |body: String| reqwest_client().post(&url).body(body).send().await.unwrap().status();
    let forged = json!({ "eventType": "PAYMENT_STATUS_CHANGED",
        "data": { "orderId": id.to_string(), "status": "DONE", "totalAmount": 1000, "balanceAmount": 1000 } });

    assert_eq!(post(forged.to_string()).await, StatusCode::OK);
    assert_eq!(post(forged.to_string()).await, StatusCode::OK, "again");
    stage.webhooks().await;

    assert_eq!(stage.state(id).await, State::Ready);
    assert_eq!(post("not json".to_owned()).await, StatusCode::BAD_REQUEST);
    assert_eq!(post(json!({ "orderId": "someone-elses" }).to_string()).await, StatusCode::OK);
    assert_eq!(post(" ".repeat(64 * 1024 + 1)).await, StatusCode::PAYLOAD_TOO_LARGE);
}

/// Guard: whoever knows the id of an attempt fills no table with it.
#[tokio::test]
async fn no_more_webhooks_are_kept_of_an_attempt_than_it_can_have() {
    let stage = Stage::new().await;
    let id = stage.prepare(stage.booking().await).await;
    let url = format!("{}/webhooks/toss", stage.base);
    let client = reqwest_client();
    for number in 0..120 {
        let body = json!({ "number": number, "data": { "orderId": id.to_string() } });
        let answer = client.post(&url).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    assert_eq!(webhook_count(stage.yeyak.kit.db.read(), id).await.unwrap(), 100);
}

pub(super) fn reqwest_client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}
