//! The job that resolves what is not known: attempts under way, attempts past their time, late money that nobody decided on,
//! refunds not carried out.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::StreamExt;

use super::{Payments, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::serve::Job;

/// Attempts and refunds that one run takes on.
const BATCH: u64 = 200;
/// How many of them are asked about side by side.
const AT_ONCE: usize = 8;
/// How long webhooks are kept: the provider repeats one for less than four days.
const WEBHOOKS: TimeDelta = TimeDelta::days(30);

/// Asks the provider about everything that is due.
#[derive(Debug)]
pub(super) struct Reconcile(pub(super) Payments);

#[async_trait]
impl Job for Reconcile {
    fn name(&self) -> &'static str {
        "reconcile"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn run(&self) -> Result<u64, Error> {
        self.0.reconcile().await
    }
}

impl Payments {
    /// Asks the provider about every attempt and every refund that is due; how many there were.
    pub(super) async fn reconcile(&self) -> Result<u64, Error> {
        let now = self.kit.clock.now();
        let actor = Actor::job("reconcile");
        let attempts = store::due(self.kit.db.read(), now, BATCH).await?;
        let asked = attempts.len();
        let actor = &actor;
        let asks = attempts.into_iter().map(|attempt| async move { self.ask(&attempt, actor).await });
        let mut asking = futures::stream::iter(asks).buffer_unordered(AT_ONCE);
        while let Some(outcome) = asking.next().await {
            if let Err(error) = outcome {
                tracing::warn!("the outcome of an attempt could not be recorded, and is asked for again: {error}");
            }
        }
        let undecided = store::undecided(self.kit.db.read(), now, BATCH).await?;
        for payment in &undecided {
            if let Err(error) = self.give_back_undecided(payment, actor).await {
                tracing::warn!("late money could not be given back, which is tried again: {error}");
            }
        }
        let refunded = store::refunds_due(self.kit.db.read(), now, BATCH).await?;
        let pending = undecided.len() + refunded.len();
        let mut carrying = futures::stream::iter(refunded.into_iter().map(|payment| self.carry_out_refunds(payment)))
            .buffer_unordered(AT_ONCE);
        while let Some(outcome) = carrying.next().await {
            if let Err(error) = outcome {
                tracing::warn!("refunds could not be carried out, and are tried again: {error}");
            }
        }
        // A slice a run: the next one is two seconds away.
        store::forget_webhooks(&self.kit.db, now - WEBHOOKS).await?;
        Ok(u64::try_from(asked + pending).unwrap_or(u64::MAX))
    }
}
