//! Webhooks of the provider. They are hints: kept, answered, and then the provider itself is asked.
//!
//! Toss Payments signs no webhook of a payment, and sends one again, late, or out of order. So nothing that one says is
//! believed but which order to ask about.

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use prost::Name;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use yeyak_proto::yeyak::payment::v1::WebhookReceived;

use super::entity::webhook::Model;
use super::model::{Payment, PaymentId};
use super::record::Outcome;
use super::{Payments, store};
use crate::backend::queue::{Consumer, Message, Unreadable};
use crate::error::{Error, Unavailable};
use crate::kit::caller::Actor;
use crate::kit::id::NotAnId;
use crate::kit::outbox::Cause;

/// The largest body that is taken; a payment has some 2 KiB.
const BODY_LIMIT: usize = 64 * 1024;
/// How many are kept of an attempt, at the least: who pays knows its id too, and can send any number. What comes behind them is told
/// by the reconciler, as all is that no webhook tells.
const MOST: u64 = 100;
/// How many webhooks are acted on together: most name an attempt that was settled meanwhile, and need no more than a look.
const TOGETHER: usize = 20;
const TRANSMISSION: &str = "tosspayments-webhook-transmission-id";

pub(super) fn routes() -> Router<Payments> {
    Router::new().route("/webhooks/toss", post(receive)).layer(DefaultBodyLimit::max(BODY_LIMIT))
}

type Reply = (StatusCode, &'static str);

async fn receive(State(payments): State<Payments>, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Reply {
    let body = match body {
        Ok(body) => body,
        Err(refused) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "a webhook has at most 65,536 bytes\n");
        }
        Err(_) => return (StatusCode::BAD_REQUEST, "the body could not be read\n"),
    };
    let Ok(text) = std::str::from_utf8(&body) else { return (StatusCode::BAD_REQUEST, "a webhook is JSON\n") };
    let Ok(event) = serde_json::from_str::<Value>(text) else {
        return (StatusCode::BAD_REQUEST, "a webhook is JSON\n");
    };
    let Some(transmission) = transmission(&headers, &body) else {
        return (StatusCode::BAD_REQUEST, "the transmission id is malformed\n");
    };
    let Some(order) = order(&event) else {
        // Of an event that is none of ours to act on, such as a change of a payout.
        return (StatusCode::OK, "nothing to do\n");
    };
    match payments.keep_webhook(order, transmission, text).await {
        Ok(()) => (StatusCode::OK, "kept\n"),
        Err(error) => {
            tracing::error!("a webhook about {order} could not be kept, and will come again: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "try again\n")
        }
    }
}

/// What makes a webhook that comes again the same: its transmission id, or else its content.
fn transmission(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let Some(id) = headers.get(TRANSMISSION) else {
        let digest = digest(&SHA256, body);
        return Some(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect());
    };
    let id = id.to_str().ok().filter(|id| (1..=200).contains(&id.len()))?;
    Some(id.to_owned())
}

/// The attempt that an event is about ("Toss Payments webhooks": in `data`, and at the top of DEPOSIT_CALLBACK).
fn order(event: &Value) -> Option<PaymentId> {
    let order = event["data"]["orderId"].as_str().or_else(|| event["orderId"].as_str())?;
    order.parse().ok()
}

impl Payments {
    /// Keeps a webhook about an attempt of ours, once, with the news of it unless the attempt is settled, which nothing that the
    /// provider would tell changes any more; one about anything else is passed over.
    async fn keep_webhook(&self, order: PaymentId, transmission_id: String, body: &str) -> Result<(), Error> {
        let Some(payment) = store::payment(self.kit.db.read(), order).await? else {
            tracing::debug!(payment.id = %order, "a webhook is about {order}, which is not ours");
            return Ok(());
        };
        if store::webhook_count(self.kit.db.read(), order).await? >= MOST {
            tracing::debug!(payment.id = %order, "there are webhooks enough about {order}");
            return Ok(());
        }
        let now = self.kit.clock.now();
        let webhook = Model {
            id: self.kit.ids.uuid(now),
            provider: self.provider.name().to_owned(),
            transmission_id,
            payment_id: order.0,
            body: body.to_owned(),
            receive_time: now,
        };
        let event = WebhookReceived { provider: webhook.provider.clone(), payment_id: order.to_string() };
        let actor = Actor(format!("provider {}", webhook.provider));
        self.kit
            .db
            .write(async |tx| {
                if !store::insert_webhook(&*tx, &webhook).await? || payment.is_settled() {
                    return Ok(());
                }
                let cause = Cause { aggregate: payment.id.0, version: payment.version, actor: &actor };
                self.kit.outbox.put(&tx, cause, &event);
                Ok(())
            })
            .await?;
        self.kit.crash.point("webhook.kept")
    }

    /// Asks the provider about an attempt that a webhook named, unless it is settled.
    async fn ask_about(&self, payment: &Payment, actor: &Actor) -> Result<(), Error> {
        if payment.is_settled() {
            return Ok(());
        }
        let Ok(outcome) = self.look_up(payment).await else {
            return Err(Unavailable { what: "the payment provider" }.into());
        };
        self.kit.crash.point("payment.asked")?;
        if !matches!(outcome, Outcome::Unknown { .. }) {
            self.record(payment, &outcome, actor).await?;
        }
        Ok(())
    }
}

/// Asks the provider about what its webhooks name.
#[derive(Debug)]
pub(super) struct Asker(pub(super) Payments);

#[async_trait]
impl Consumer for Asker {
    fn name(&self) -> &'static str {
        "payment-webhook"
    }

    fn kinds(&self) -> Vec<String> {
        vec![WebhookReceived::full_name()]
    }

    async fn take(&self, message: &Message) -> Result<(), Error> {
        self.take_batch(std::slice::from_ref(message)).await
    }

    fn batch_size(&self) -> usize {
        TOGETHER
    }

    async fn take_batch(&self, messages: &[Message]) -> Result<(), Error> {
        let ids = messages.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        for payment in store::payments(self.0.kit.db.read(), &ids).await? {
            let news = ids.iter().zip(messages).find(|(id, _)| **id == payment.id);
            let actor = news.map(|(_, message)| message.actor.clone()).unwrap_or_default();
            self.0.ask_about(&payment, &Actor(actor)).await?;
        }
        Ok(())
    }
}

/// The attempt that news of a webhook is about.
fn named(message: &Message) -> Result<PaymentId, Error> {
    let event: WebhookReceived = message.event()?;
    let unreadable = |why: NotAnId| Unreadable { what: message.kind.clone(), why: why.to_string() };
    Ok(event.payment_id.parse().map_err(unreadable)?)
}
