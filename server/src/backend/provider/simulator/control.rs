//! Routes that no provider has: to create payments and to make things go wrong.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value, json};

use super::super::toss::money;
use super::api::Reply;
use super::{CreateError, Fault, NewPayment, Simulator};
use crate::kit::money::Currency;

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/control/payments", post(create)).route("/control/faults", post(script))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateBody {
    order_id: String,
    order_name: String,
    amount: Number,
    currency: Option<String>,
    success_url: String,
    fail_url: String,
    #[serde(default)]
    agreed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScriptBody {
    order_id: Option<String>,
    fault: Fault,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

async fn create(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: CreateBody = match read(&body) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let Ok(currency) = body.currency.as_deref().map_or(Ok(Currency::KRW), str::parse) else {
        return refused("currency must be an ISO 4217 code");
    };
    let Some(amount) = money(&body.amount, currency) else { return refused("amount has too many decimals or digits") };
    let new = NewPayment {
        order: body.order_id,
        order_name: body.order_name,
        amount,
        success_url: body.success_url,
        fail_url: body.fail_url,
        agreed: body.agreed,
    };
    match simulator.create_payment(new).await {
        Ok(key) => Reply::ok(&json!({ "paymentKey": key, "checkoutUrl": simulator.pay_url(&key) })),
        Err(CreateError::File(error)) => Reply::broken(&error),
        Err(error) => refused(&error.to_string()),
    }
}

async fn script(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: ScriptBody = match read(&body) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let added = simulator.inner.faults.add(simulator.db(), body.order_id.as_deref(), body.fault, body.times).await;
    match added {
        Ok(()) => Reply::ok(&json!({})),
        Err(error) => Reply::broken(&error),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|error| refused(&error.to_string()))
}

/// These routes are ours, so they say what is wrong.
fn refused(message: &str) -> Reply {
    let body: Value = json!({ "code": "INVALID_REQUEST", "message": message });
    Reply::Answer { status: 400, body: body.to_string() }
}
