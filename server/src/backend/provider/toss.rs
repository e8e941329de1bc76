//! The connector to Toss Payments: the core API over HTTPS.
//!
//! The built-in simulator speaks the same API, so this connector serves it too, under another base URL and name.

mod call;
mod verdict;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use failsafe::backoff::constant;
use failsafe::failure_policy::consecutive_failures;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use tokio::time::Instant;

use self::verdict::Verdict;
pub(super) use self::wire::{money, number};
use super::{Answer, Cancel, Charge, ChargeState, Confirm, Provider, Unreachable, outgoing};
use crate::backend::breaker::{Breaker, Guarded};
use crate::kit::id::Ids;

/// How many calls have failed, one behind the other, when the provider is left alone. As long as one of them succeeds, it takes money.
const FAILURES: u32 = 10;
const PROVIDER: Guarded = Guarded {
    what: "the payment provider",
    open: "yeyak_provider_breaker_open",
    refused: "yeyak_provider_refused_calls_total",
};

/// Where Toss Payments is, and how patient to be with it.
#[derive(Clone)]
pub struct Settings {
    /// The name of the provider in records: `toss`, or `simulator`.
    pub name: &'static str,
    /// `https://api.tosspayments.com`, or where the simulator is mounted.
    pub base_url: String,
    /// The secret key of the merchant: `test_sk_…` or `live_sk_…`.
    pub secret_key: String,
    /// How long one HTTP call may take.
    pub call_timeout: Duration,
    /// How long one operation may take, its repetitions included.
    pub deadline: Duration,
    /// The ceiling of the first pause before a repetition; it doubles with each.
    pub first_pause: Duration,
    /// How long the provider is left alone when it does not answer, before one call tries whether it does again.
    pub left_alone: Duration,
}

impl Settings {
    /// The settings for a base URL and a secret key; everything else at its default.
    pub fn new(name: &'static str, base_url: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            name,
            base_url: base_url.into(),
            secret_key: secret_key.into(),
            call_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(20),
            first_pause: Duration::from_millis(200),
            left_alone: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Settings that no connector can be made of.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
    /// The base URL is not one.
    #[error("the base URL of the payment provider must be an http or https URL")]
    BaseUrl,
    /// The secret key is empty or not made of visible ASCII characters.
    #[error("the secret key of the payment provider must be visible ASCII characters")]
    SecretKey,
    /// The HTTP client could not be made.
    #[error("the HTTP client of the payment provider could not be made")]
    Client(#[source] reqwest::Error),
}

/// Toss Payments, or what speaks its API.
pub struct Toss {
    settings: Settings,
    base: Url,
    client: Client,
    breaker: Breaker,
    ids: Arc<Ids>,
}

impl fmt::Debug for Toss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Toss").field(&self.settings).finish()
    }
}

impl Toss {
    /// A connector; nothing is called yet. `ids` spreads the pauses before repetitions.
    pub fn new(settings: Settings, ids: Arc<Ids>) -> Result<Self, Misconfigured> {
        let base = Url::parse(&settings.base_url).map_err(|_| Misconfigured::BaseUrl)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(Misconfigured::BaseUrl);
        }
        let mut builder =
            outgoing::client().timeout(settings.call_timeout).default_headers(headers(&settings.secret_key)?);
        if base.scheme() == "http" {
            // The simulator on this machine: a proxy of the environment could not reach it.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(Misconfigured::Client)?;
        let breaker = Breaker::new(PROVIDER, consecutive_failures(FAILURES, constant(settings.left_alone)));
        Ok(Self { settings, base, client, breaker, ids })
    }

    /// A URL of the API. Segments are encoded: a payment key comes from a browser.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("http and https URLs have paths, and `new` lets no other in")
            .pop_if_empty()
            .extend(["v1", "payments"])
            .extend(segments);
        url
    }

    /// Refuses what can't be sent without changing its meaning, as Toss Payments itself would.
    fn refusal(key: &str, idempotency_key: &str) -> Option<Answer> {
        let refused =
            |code: &str, message: &str| Answer::Refused { code: code.to_owned(), message: message.to_owned() };
        let plain = key.bytes().all(|byte| byte.is_ascii_graphic()) && !matches!(key, "" | "." | "..");
        if !plain || key.len() > 200 {
            return Some(refused("INVALID_REQUEST", "the payment key is malformed"));
        }
        let sound = idempotency_key.bytes().all(|byte| byte.is_ascii_graphic()) && !idempotency_key.is_empty();
        if !sound || idempotency_key.len() > 300 {
            return Some(refused("INVALID_IDEMPOTENCY_KEY", "the idempotency key is malformed"));
        }
        None
    }
}

/// Basic authentication: the secret key, a colon and no password ("Toss Payments core API, authentication").
fn headers(secret_key: &str) -> Result<HeaderMap, Misconfigured> {
    if secret_key.is_empty() || !secret_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Misconfigured::SecretKey);
    }
    let credentials = BASE64_STANDARD.encode(format!("{secret_key}:"));
    let mut value = HeaderValue::from_str(&format!("Basic {credentials}")).map_err(|_| Misconfigured::SecretKey)?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

#[async_trait]
impl Provider for Toss {
    fn name(&self) -> &'static str {
        self.settings.name
    }

    async fn confirm(&self, confirm: Confirm<'_>) -> Answer {
        if let Some(refusal) = Self::refusal(confirm.key, confirm.idempotency_key) {
            return refusal;
        }
        let body =
            wire::ConfirmBody { payment_key: confirm.key, order_id: confirm.order, amount: number(confirm.amount) };
        let answer = self.repeat(self.url(&["confirm"]), confirm.idempotency_key, &body).await;
        let Answer::Done(charge) = answer else { return answer };
        let ours = charge.key == confirm.key && charge.order == confirm.order;
        let taken = matches!(charge.state, ChargeState::Done | ChargeState::WaitingForDeposit);
        checked(charge, ours, taken)
    }

    async fn find(&self, order: &str) -> Result<Option<Charge>, Unreachable> {
        let Some(turn) = self.breaker.begin() else {
            return Err(Unreachable { why: "it is left alone, since calls to it fail".to_owned() });
        };
        let url = self.url(&["orders", order]);
        let deadline = Instant::now() + self.settings.call_timeout;
        match self.call(turn, self.client.get(url), deadline).await {
            Verdict::Done(charge) if charge.order == order => Ok(Some(charge)),
            Verdict::Done(charge) => {
                Err(Unreachable { why: format!("asked for order {order}, told of {}", charge.order) })
            }
            Verdict::Refused { code, .. } if matches!(&*code, "NOT_FOUND_PAYMENT" | "NOT_FOUND") => Ok(None),
            Verdict::Refused { code, message } => Err(Unreachable { why: format!("{code}: {message}") }),
            Verdict::Again { why, .. } | Verdict::Unknown { why } => Err(Unreachable { why }),
        }
    }

    async fn cancel(&self, cancel: Cancel<'_>) -> Answer {
        if let Some(refusal) = Self::refusal(cancel.key, cancel.idempotency_key) {
            return refusal;
        }
        let reason: String = cancel.reason.chars().take(200).collect();
        let currency = cancel.amount.currency;
        let body = wire::CancelBody {
            cancel_reason: &reason,
            cancel_amount: number(cancel.amount),
            refundable_amount: cancel.expected_balance.map(number),
            currency: currency.code(),
        };
        let answer = self.repeat(self.url(&[cancel.key, "cancel"]), cancel.idempotency_key, &body).await;
        let Answer::Done(charge) = answer else { return answer };
        let ours = charge.key == cancel.key;
        let given = matches!(charge.state, ChargeState::Cancelled | ChargeState::PartlyCancelled);
        checked(charge, ours, given)
    }
}

/// Believes a success only if it is about the payment asked for and says that the thing happened.
///
/// An idempotency key used for two payments gives the second the first one's answer ("Toss Payments core API, idempotency").
fn checked(charge: Charge, ours: bool, happened: bool) -> Answer {
    if !ours {
        return Answer::Unknown { why: format!("the answer is about another payment, of order {}", charge.order) };
    }
    if !happened {
        return Answer::Unknown { why: format!("the answer is a success, of a charge in state {:?}", charge.state) };
    }
    Answer::Done(charge)
}
