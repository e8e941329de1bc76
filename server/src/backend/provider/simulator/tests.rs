//! What the simulator does beside the port: webhooks, its page, its control routes, and its memory.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::TimeDelta;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::super::stage::{SECRET, Stage, confirm, connector, open, payment, serve};
use super::super::{ChargeState, outgoing};
use super::*;

const ORDER: &str = "attempt_01";

/// Receives webhooks: how often each came, in which state, under which id. Refuses as many as it is told.
#[derive(Clone, Default)]
struct Inbox {
    seen: Arc<Mutex<Vec<(String, String, String)>>>,
    refusals: Arc<Mutex<u32>>,
}

impl Inbox {
    async fn open(stage: &Stage) -> Self {
        let inbox = Self::default();
        let receiver = inbox.clone();
        let receive = move |headers: HeaderMap, body: String| async move { receiver.receive(&headers, &body) };
        let url = serve(Router::new().route("/hook", post(receive))).await;
        stage.simulator.set_webhook_url(Some(format!("{url}/hook")));
        inbox
    }

    fn receive(&self, headers: &HeaderMap, body: &str) -> StatusCode {
        let header =
            |name: &str| headers[&format!("tosspayments-webhook-transmission-{name}")].to_str().unwrap().to_owned();
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["eventType"], "PAYMENT_STATUS_CHANGED");
        assert_eq!(event["createdAt"].as_str().unwrap().len(), "2022-01-01T00:00:00.000000".len());
        assert!(header("time").ends_with("+09:00"));
        let state = event["data"]["status"].as_str().unwrap().to_owned();
        self.seen.lock().unwrap().push((state, header("id"), header("retried-count")));
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals == 0 {
            return StatusCode::OK;
        }
        *refusals -= 1;
        StatusCode::CONFLICT
    }

    fn states(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(state, ..)| state.clone()).collect()
    }
}

fn keyed(request: RequestBuilder) -> RequestBuilder {
    request.basic_auth(SECRET, Some(""))
}

fn browser() -> Client {
    outgoing::client().no_proxy().build().unwrap()
}

async fn press(stage: &Stage, key: &str, choice: &str) -> Response {
    let page = format!("{}/pay/{key}?successUrl=https://evil.test", stage.base);
    let request = browser().post(page).header("content-type", "application/x-www-form-urlencoded");
    request.body(format!("choice={choice}&successUrl=https://evil.test")).send().await.unwrap()
}

fn location(response: &Response) -> &str {
    response.headers()["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_webhook_may_come_twice_under_one_id() {
    let stage = Stage::new().await;
    let inbox = Inbox::open(&stage).await;
    let key = stage.troubled(ORDER, Fault::Webhooks { order: Hooks::Twice }).await;

    stage.confirm(ORDER, &key).await.done();
    stage.simulator.deliver_due().await.unwrap();

    let seen = inbox.seen.lock().unwrap().clone();
    assert_eq!(inbox.states(), ["DONE", "DONE"]);
    assert_eq!(seen[0].1, seen[1].1, "one transmission id");
}

#[tokio::test]
async fn webhooks_may_come_in_reverse_late_or_never() {
    let stage = Stage::new().await;
    let inbox = Inbox::open(&stage).await;
    let key = stage.troubled(ORDER, Fault::Webhooks { order: Hooks::Reversed }).await;

    stage.confirm(ORDER, &key).await.done();
    assert_eq!(stage.simulator.deliver_due().await.unwrap(), 0, "it waits for the next one");
    stage.cancel(&key, 1000, "refund").await.done();
    stage.clock.advance(TimeDelta::milliseconds(1));
    stage.simulator.deliver_due().await.unwrap();
    assert_eq!(inbox.states(), ["CANCELED", "DONE"]);

    let late = stage.troubled("attempt_02", Fault::Webhooks { order: Hooks::Delayed { millis: 5000 } }).await;
    let never = stage.troubled("attempt_03", Fault::Webhooks { order: Hooks::Never }).await;
    stage.confirm("attempt_02", &late).await.done();
    stage.confirm("attempt_03", &never).await.done();
    assert_eq!(stage.simulator.deliver_due().await.unwrap(), 0);
    stage.clock.advance(TimeDelta::seconds(5));
    assert_eq!(stage.simulator.deliver_due().await.unwrap(), 1);
}

#[tokio::test]
async fn a_refused_webhook_comes_again_after_1_4_and_16_minutes_and_outlives_the_process() {
    let stage = Stage::new().await;
    let inbox = Inbox::open(&stage).await;
    *inbox.refusals.lock().unwrap() = 3;
    let key = stage.agreed(ORDER, 1000).await;
    stage.confirm(ORDER, &key).await.done();
    assert_eq!(stage.simulator.deliver_due().await.unwrap(), 1);

    let reborn = open(&stage.directory, &stage.clock).await;
    for minutes in [1, 4, 16] {
        assert_eq!(reborn.deliver_due().await.unwrap(), 0, "not before {minutes} minutes");
        stage.clock.advance(TimeDelta::minutes(minutes));
        assert_eq!(reborn.deliver_due().await.unwrap(), 1);
    }

    let counts: Vec<String> = inbox.seen.lock().unwrap().iter().map(|(.., count)| count.clone()).collect();
    assert_eq!(counts, ["0", "1", "2", "3"]);
    stage.clock.advance(TimeDelta::days(9));
    assert_eq!(reborn.deliver_due().await.unwrap(), 0, "accepted at last");
}

#[tokio::test]
async fn the_background_task_delivers_and_expires() {
    let stage = Stage::new().await;
    let inbox = Inbox::open(&stage).await;
    stage.agreed("attempt_02", 1000).await;
    stage.clock.advance(TimeDelta::minutes(10));
    let key = stage.agreed(ORDER, 1000).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(stage.simulator.clone().run(stop.clone()));

    stage.confirm(ORDER, &key).await.done();
    for _ in 0..10_000 {
        if inbox.states().len() == 2 {
            break;
        }
        stage.find(ORDER).await;
    }

    stop.cancel();
    task.await.unwrap();
    let mut states = inbox.states();
    states.sort();
    assert_eq!(states, ["DONE", "EXPIRED"]);
}

#[tokio::test]
async fn the_file_remembers_charges_answers_and_faults() {
    let stage = Stage::new().await;
    let key = stage.agreed(ORDER, 1000).await;
    let charge = stage.confirm(ORDER, &key).await.done();
    let lost = stage.troubled("attempt_02", Fault::LoseAnswer { when: When::AfterCommit }).await;

    let reborn = open(&stage.directory, &stage.clock).await;
    let base = serve(Router::new().nest("/simulator", reborn.router())).await + "/simulator";
    let provider = connector(&base, |_| {});

    assert_eq!(provider.find(ORDER).await.unwrap().as_ref(), Some(&charge));
    assert_eq!(confirm(&*provider, ORDER, &key).await.done(), charge, "under its key, not ALREADY_PROCESSED_PAYMENT");
    assert!(confirm(&*provider, "attempt_02", &lost).await.is_unknown());
}

#[tokio::test]
async fn the_page_shows_what_is_paid_for_and_escapes_it() {
    let stage = Stage::new().await;
    let name = "<script>alert('1')</script> & more".to_owned();
    let key =
        stage.simulator.create_payment(NewPayment { order_name: name, ..payment(ORDER, 1_234_567) }).await.unwrap();

    let response = browser().get(format!("{}/pay/{key}", stage.base)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let html = response.text().await.unwrap();
    assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; more") && !html.contains("<script"));
    assert!(html.contains("1,234,567원") && html.matches("<button").count() == 3, "{html}");

    let missing = browser().get(format!("{}/pay/sim_00", stage.base)).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_buttons_send_the_buyer_where_the_merchant_said_and_nowhere_else() {
    let stage = Stage::new().await;
    let key = stage.simulator.create_payment(payment(ORDER, 1000)).await.unwrap();
    let paid = press(&stage, &key, "pay").await;
    assert_eq!(paid.status(), StatusCode::SEE_OTHER);
    let query = format!("from=test&paymentType=NORMAL&amount=1000&orderId={ORDER}&paymentKey={key}");
    assert_eq!(location(&paid), format!("https://shop.test/paid?{query}"));
    stage.confirm(ORDER, &key).await.done();
    assert_eq!(press(&stage, &key, "decline").await.status(), StatusCode::CONFLICT, "there is nothing left to decide");

    let key = stage.simulator.create_payment(payment("attempt_02", 1000)).await.unwrap();
    let declined = press(&stage, &key, "decline").await;
    assert!(location(&declined).starts_with("https://shop.test/failed?code=REJECT_CARD_COMPANY&message="));
    assert_eq!(stage.find("attempt_02").await.state, ChargeState::Aborted);

    let key = stage.simulator.create_payment(payment("attempt_03", 1000)).await.unwrap();
    assert_eq!(press(&stage, &key, "lose").await.status(), StatusCode::SEE_OTHER);
    assert!(stage.confirm("attempt_03", &key).await.is_unknown());
    assert_eq!(stage.find("attempt_03").await.state, ChargeState::Done);
}

#[tokio::test]
async fn control_routes_create_and_script_for_the_holder_of_the_key() {
    let stage = Stage::new().await;
    let (payments, faults) = (format!("{}/control/payments", stage.base), format!("{}/control/faults", stage.base));
    let new = json!({ "orderId": ORDER, "orderName": "방", "amount": 1000, "agreed": true,
        "successUrl": "https://shop.test/paid", "failUrl": "https://shop.test/failed" });
    assert_eq!(browser().post(&payments).json(&new).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    let made: Value = keyed(browser().post(&payments)).json(&new).send().await.unwrap().json().await.unwrap();
    let again: Value = keyed(browser().post(&payments)).json(&new).send().await.unwrap().json().await.unwrap();
    assert_eq!(made, again);
    let fault = json!({ "orderId": ORDER, "fault": { "kind": "lose_answer", "when": "after_commit" } });
    assert_eq!(keyed(browser().post(&faults)).json(&fault).send().await.unwrap().status(), StatusCode::OK);
    assert!(stage.confirm(ORDER, made["paymentKey"].as_str().unwrap()).await.is_unknown());

    let mut wrong = new.clone();
    wrong["successUrl"] = "javascript:alert(1)".into();
    assert_eq!(keyed(browser().post(&payments)).json(&wrong).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_api_asks_for_a_key_with_its_colon_and_obeys_test_codes() {
    let stage = Stage::new().await;
    let url = format!("{}/v1/payments/orders/{ORDER}", stage.base);
    let answer = async |request: RequestBuilder| {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap()["code"].as_str().unwrap().to_owned())
    };

    let bare = browser().get(&url).header("authorization", "Basic dGVzdF9za19vZl90aGVfc3RhZ2U=");
    assert_eq!(answer(bare).await, (403, "INCORRECT_BASIC_AUTH_FORMAT".to_owned()));
    assert_eq!(answer(browser().get(&url)).await, (401, "UNAUTHORIZED_KEY".to_owned()));
    assert_eq!(answer(keyed(browser().get(&url))).await, (404, "NOT_FOUND_PAYMENT".to_owned()));
    let coded = keyed(browser().get(&url)).header("TossPayments-Test-Code", "FDS_ERROR");
    assert_eq!(answer(coded).await, (403, "FDS_ERROR".to_owned()));
    let long =
        keyed(browser().post(format!("{}/v1/payments/confirm", stage.base))).header("Idempotency-Key", "x".repeat(301));
    let long = long.json(&json!({ "paymentKey": "k", "orderId": "o", "amount": 1 }));
    assert_eq!(answer(long).await, (400, "INVALID_IDEMPOTENCY_KEY".to_owned()));
}

#[tokio::test]
async fn amounts_and_tax_shrink_with_a_partial_cancel() {
    let stage = Stage::new().await;
    let key = stage.agreed(ORDER, 1000).await;
    stage.confirm(ORDER, &key).await.done();
    stage.cancel(&key, 300, "refund").await.done();

    let request = keyed(browser().get(format!("{}/v1/payments/{key}", stage.base)));
    let seen: Value = request.send().await.unwrap().json().await.unwrap();

    let amounts = ["totalAmount", "balanceAmount", "suppliedAmount", "vat"].map(|field| seen[field].as_i64().unwrap());
    assert_eq!(amounts, [1000, 700, 636, 64]);
    assert_eq!((&seen["status"], &seen["cancels"][0]["refundableAmount"]), (&json!("PARTIAL_CANCELED"), &json!(700)));
    assert_eq!(seen["approvedAt"], "2026-05-01T09:00:00+09:00");
}

#[tokio::test]
async fn a_lost_answer_is_not_one_byte() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::LoseAnswer { when: When::AfterCommit }).await;
    let body = json!({ "paymentKey": key, "orderId": ORDER, "amount": 1000 }).to_string();
    let credentials = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{SECRET}:"));
    let head = format!("authorization: Basic {credentials}\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());

    let address = stage.base.trim_start_matches("http://").trim_end_matches("/simulator");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("POST /simulator/v1/payments/confirm HTTP/1.1\r\n{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();

    assert_eq!(answer, b"");
    assert_eq!(stage.find(ORDER).await.state, ChargeState::Done);
}

#[tokio::test]
async fn a_key_whose_first_call_still_runs_is_answered_409() {
    let stage = Stage::new().await;
    let key = stage.troubled(ORDER, Fault::Delay { when: When::BeforeCommit, millis: 50 }).await;
    let confirm = || {
        let request = keyed(browser().post(format!("{}/v1/payments/confirm", stage.base)));
        let body = json!({ "paymentKey": key, "orderId": ORDER, "amount": 1000 });
        request.header("Idempotency-Key", "one").json(&body).send()
    };

    let (one, two) = tokio::join!(confirm(), confirm());

    let mut statuses = [one.unwrap().status().as_u16(), two.unwrap().status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}
