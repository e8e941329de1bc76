//! Webhooks: stored with the change that they announce, delivered until they are accepted.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use sea_orm::{ActiveValue, ConnectionTrait, DbErr};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::entity::{State, delivery, payment};
use super::fault::Hooks;
use super::{Simulator, store, wire};
use crate::kit::id;

/// How often a webhook is repeated: after 1, 4, 16 … 4096 minutes ("Toss Payments webhooks, retries").
const RETRIES: i32 = 7;
/// How long a webhook that is to come second waits for a first.
const HELD: TimeDelta = TimeDelta::minutes(1);
/// How many receivers are called at once.
const AT_ONCE: usize = 8;
/// How often time is looked at when nothing happens: it is the injected clock that says what is due.
const IDLE: Duration = Duration::from_secs(1);
/// How often what ran out of time is looked for.
const SWEEP: Duration = Duration::from_secs(15);
/// How long an idempotency key is remembered ("Toss Payments core API, idempotency").
pub(super) const MEMORY: TimeDelta = TimeDelta::days(15);

impl Simulator {
    /// Stores the webhook of a change, in the transaction of the change.
    pub(super) async fn announce(
        &self,
        tx: &impl ConnectionTrait,
        payment: &payment::Model,
        hooks: Option<Hooks>,
    ) -> Result<(), DbErr> {
        if matches!(payment.state, State::Ready | State::InProgress) || hooks == Some(Hooks::Never) {
            return Ok(());
        }
        let Some(url) = self.webhook_url() else { return Ok(()) };
        let now = self.now();
        let due = match hooks {
            Some(Hooks::Delayed { millis }) => {
                now + TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(0).min(86_400_000))
            }
            Some(Hooks::Reversed) => now + HELD,
            _ => now,
        };
        let body = wire::status_changed(&self.body(tx, payment).await?, now).to_string();
        let delivery = delivery::ActiveModel {
            id: ActiveValue::NotSet,
            transmission_id: ActiveValue::Set(id::format("whtrans", self.ids().uuid(now))),
            payment_key: ActiveValue::Set(payment.key.clone()),
            url: ActiveValue::Set(url),
            body: ActiveValue::Set(body),
            due_time: ActiveValue::Set(due),
            retried_count: ActiveValue::Set(0),
            held: ActiveValue::Set(hooks == Some(Hooks::Reversed)),
        };
        if hooks == Some(Hooks::Twice) {
            store::insert_delivery(tx, delivery.clone()).await?;
        }
        if hooks != Some(Hooks::Reversed) {
            store::release(tx, &payment.key, due + TimeDelta::microseconds(1)).await?;
        }
        store::insert_delivery(tx, delivery).await
    }

    /// Delivers webhooks and lets payments expire, until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut swept = None;
        loop {
            // A delivery cut short is made again at the next start.
            let Some(turn) = stop.run_until_cancelled(self.turn(&mut swept)).await else { return };
            let pause = turn.unwrap_or_else(|error| {
                tracing::error!(error = %error, "the simulator could not use its file: {error}");
                IDLE
            });
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.woken() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One turn of the background task; says how long to rest.
    async fn turn(&self, swept: &mut Option<Instant>) -> Result<Duration, DbErr> {
        if swept.is_none_or(|last: Instant| last.elapsed() >= SWEEP) {
            *swept = Some(Instant::now());
            self.expire_overdue().await?;
            store::forget_replays(self.db(), self.now() - MEMORY).await?;
        }
        self.deliver_due().await?;
        let Some(next) = store::next_due(self.db()).await? else { return Ok(IDLE) };
        let wait = (next - self.now()).to_std().unwrap_or(Duration::ZERO);
        Ok(wait.clamp(Duration::from_millis(1), IDLE))
    }

    /// Delivers what is due: in order for one payment, side by side for several. Says how many were tried.
    pub async fn deliver_due(&self) -> Result<usize, DbErr> {
        let due = store::due(self.db(), self.now()).await?;
        let tried = due.len();
        let mut by_payment: BTreeMap<String, Vec<delivery::Model>> = BTreeMap::new();
        for delivery in due {
            by_payment.entry(delivery.payment_key.clone()).or_default().push(delivery);
        }
        let mut turns = futures::stream::iter(by_payment.into_values().map(|deliveries| self.deliver_all(deliveries)))
            .buffer_unordered(AT_ONCE);
        while let Some(turn) = turns.next().await {
            turn?;
        }
        Ok(tried)
    }

    async fn deliver_all(&self, deliveries: Vec<delivery::Model>) -> Result<(), DbErr> {
        for delivery in deliveries {
            self.deliver(delivery).await?;
        }
        Ok(())
    }

    async fn deliver(&self, delivery: delivery::Model) -> Result<(), DbErr> {
        let request = self
            .client()
            .post(&delivery.url)
            .header("content-type", "application/json; charset=utf-8")
            .header("tosspayments-webhook-transmission-time", wire::korean(self.now()))
            .header("tosspayments-webhook-transmission-retried-count", delivery.retried_count)
            .header("tosspayments-webhook-transmission-id", &delivery.transmission_id)
            .body(delivery.body);
        let accepted = request.send().await.is_ok_and(|response| response.status() == reqwest::StatusCode::OK);
        if accepted {
            return store::delivered(self.db(), delivery.id).await;
        }
        if delivery.retried_count >= RETRIES {
            tracing::warn!(id = delivery.transmission_id, "gave up on a webhook of the simulator");
            return store::delivered(self.db(), delivery.id).await;
        }
        let retried = delivery.retried_count + 1;
        let minutes = 4_i64.pow(delivery.retried_count.unsigned_abs());
        store::retry(self.db(), delivery.id, retried, self.now() + TimeDelta::minutes(minutes)).await
    }
}
