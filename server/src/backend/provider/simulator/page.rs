//! The page on which a person pays: no scripts, nothing from elsewhere.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Router, response::Html};
use reqwest::Url;
use sea_orm::DbErr;
use serde::Deserialize;

use super::super::toss::number;
use super::code::Code;
use super::create::CARD;
use super::entity::{State as PaymentState, payment};
use super::fault::{Fault, When};
use super::{Simulator, store, wire};
use crate::kit::money::Money;

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/pay/{key}", get(show).post(decide))
}

#[derive(Deserialize)]
struct Decision {
    choice: Choice,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Pay,
    Decline,
    Lose,
}

async fn show(State(simulator): State<Simulator>, Path(key): Path<String>) -> Response {
    match simulator.current(&key).await {
        Ok(Some(payment)) => page(StatusCode::OK, &content(&payment)),
        Ok(None) => page(StatusCode::NOT_FOUND, NO_PAYMENT),
        Err(error) => failed(&error),
    }
}

async fn decide(
    State(simulator): State<Simulator>,
    Path(key): Path<String>,
    decision: Result<Form<Decision>, FormRejection>,
) -> Response {
    let Ok(Form(decision)) = decision else { return page(StatusCode::BAD_REQUEST, NO_CHOICE) };
    match simulator.decide(&key, decision.choice).await {
        Ok(Decided::Goes(url)) => Redirect::to(&url).into_response(),
        Ok(Decided::Over(payment)) => page(StatusCode::CONFLICT, &content(&payment)),
        Ok(Decided::Nothing) => page(StatusCode::NOT_FOUND, NO_PAYMENT),
        Err(error) => failed(&error),
    }
}

enum Decided {
    /// The buyer goes on to there.
    Goes(String),
    /// There is nothing left to decide.
    Over(Box<payment::Model>),
    /// There is no such payment.
    Nothing,
}

impl Simulator {
    async fn current(&self, key: &str) -> Result<Option<payment::Model>, DbErr> {
        let tx = self.begin().await?;
        let Some(payment) = store::payment(&tx, key).await? else { return Ok(None) };
        let payment = self.expire(&tx, payment).await?;
        tx.commit().await?;
        Ok(Some(payment))
    }

    async fn decide(&self, key: &str, choice: Choice) -> Result<Decided, DbErr> {
        let tx = self.begin().await?;
        let Some(payment) = store::payment(&tx, key).await? else { return Ok(Decided::Nothing) };
        let mut payment = self.expire(&tx, payment).await?;
        if !matches!(payment.state, PaymentState::Ready | PaymentState::InProgress) {
            tx.commit().await?;
            return Ok(Decided::Over(Box::new(payment)));
        }
        let order = payment.order_id.clone();
        let url = if choice == Choice::Decline {
            let url = failure_url(&payment);
            self.abort(&tx, payment, declined(), None).await?;
            url
        } else {
            payment.state = PaymentState::InProgress;
            payment.authenticated_time = payment.authenticated_time.or(Some(self.now()));
            payment.method = Some(CARD.to_owned());
            success_url(&store::save(&tx, payment).await?)
        };
        tx.commit().await?;
        if choice == Choice::Lose {
            self.script(&order, Fault::LoseAnswer { when: When::AfterCommit }).await?;
        }
        self.wake();
        Ok(Decided::Goes(url))
    }
}

fn declined() -> Code {
    Code::of("REJECT_CARD_COMPANY")
}

/// Where a buyer who agreed goes ("Toss Payments payment window, success URL").
fn success_url(payment: &payment::Model) -> String {
    let amount = number(Money::new(wire::currency(payment), payment.asked)).to_string();
    let pairs =
        [("paymentType", "NORMAL"), ("amount", &amount), ("orderId", &payment.order_id), ("paymentKey", &payment.key)];
    with_query(&payment.success_url, &pairs)
}

/// Where a buyer who did not goes ("Toss Payments payment window, failure URL").
fn failure_url(payment: &payment::Model) -> String {
    let code = declined();
    let pairs = [("code", code.name), ("message", code.message), ("orderId", &payment.order_id)];
    with_query(&payment.fail_url, &pairs)
}

fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse(url).expect("parsed when the payment was created");
    url.query_pairs_mut().extend_pairs(pairs);
    url.into()
}

const NO_CHOICE: &str = "<h1>선택을 확인할 수 없습니다</h1>\
    <p>There is no such choice. Go back and press one of the buttons; nothing was taken.</p>";
const NO_PAYMENT: &str = "<h1>결제를 찾을 수 없습니다</h1><p>There is no such payment.</p>";

/// The body of the page of a payment.
fn content(payment: &payment::Model) -> String {
    let amount = Money::new(wire::currency(payment), payment.asked);
    let heading = format!(
        "<h1>{}</h1><p class=amount>{}</p><p class=order>주문번호 · Order {}</p>",
        escaped(&payment.order_name),
        escaped(&shown(amount)),
        escaped(&payment.order_id)
    );
    let rest = match payment.state {
        PaymentState::Ready | PaymentState::InProgress => BUTTONS,
        PaymentState::WaitingForDeposit => "<p>입금을 기다리고 있습니다.<br>This payment waits for a deposit.</p>",
        PaymentState::Done => "<p>결제가 완료되었습니다.<br>This payment is done.</p>",
        PaymentState::PartlyCancelled | PaymentState::Cancelled => {
            "<p>취소된 결제입니다.<br>This payment was cancelled.</p>"
        }
        PaymentState::Aborted => "<p>결제가 거절되었습니다.<br>This payment was declined.</p>",
        PaymentState::Expired => "<p>결제 시간이 만료되었습니다.<br>The time to pay has run out.</p>",
    };
    heading + rest
}

/// An amount in its major unit.
fn shown(amount: Money) -> String {
    if amount.currency.code() == "KRW" {
        return amount.to_string().replace(" KRW", "원");
    }
    format!("{} {}", number(amount), amount.currency)
}

const BUTTONS: &str = "<form method=post>\
    <button name=choice value=pay class=pay>결제하기 · Pay</button>\
    <button name=choice value=decline>거절하기 · Decline</button>\
    <button name=choice value=lose>결제하고 응답 유실 · Pay and lose the answer</button></form>";

const STYLE: &str = "body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f2f4f6;color:#191f28;\
    font:16px/1.5 system-ui,'Apple SD Gothic Neo','Malgun Gothic',sans-serif}\
    main{box-sizing:border-box;width:min(26rem,100% - 2rem);padding:2rem;background:#fff;border-radius:1rem;text-align:center}\
    h1{margin:0;font-size:1.25rem;overflow-wrap:anywhere}.amount{margin:.5rem 0;font-size:2rem;font-weight:700}\
    .order,footer{color:#6b7684;font-size:.8rem;overflow-wrap:anywhere}form{display:grid;gap:.6rem;margin:1.5rem 0}\
    button{padding:.9rem;border:0;border-radius:.7rem;background:#e5e8eb;color:inherit;font:inherit;cursor:pointer}\
    button:focus-visible{outline:3px solid #90c2ff}.pay{background:#1b64da;color:#fff;font-weight:600}";

/// The whole page around a body.
fn page(status: StatusCode, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=ko><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>결제 · Pay</title><style>{STYLE}</style><main>{content}\
         <footer>모의 결제입니다. 실제 돈은 움직이지 않습니다.<br>A simulation: no money moves.</footer></main></html>"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(html)).into_response()
}

fn failed(error: &DbErr) -> Response {
    tracing::error!(error = %error, "the simulator's file failed: {error}");
    page(StatusCode::INTERNAL_SERVER_ERROR, "<h1>잠시 후 다시 시도해주세요</h1><p>Please try again.</p>")
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
