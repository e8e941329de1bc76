//! How far behind the outbox and the queues are, for the metrics.
//!
//! - `yeyak_outbox_rows`, `yeyak_outbox_lag_seconds`: events that wait to be published, and the age of the oldest;
//! - `yeyak_outbox_published_total`: events that this process published;
//! - `yeyak_queue_messages{consumer, state}`: messages that are `waiting`, or were put `aside`;
//! - `yeyak_queue_delayed`: messages of all consumers that come again later;
//! - `yeyak_queue_taken_total`, `yeyak_queue_retried_total`, `yeyak_queue_aside_total{consumer}`: what became of those that
//!   this process took.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use tokio_util::sync::CancellationToken;

use super::Queue;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::outbox::{Column, Entity};

const EVERY: Duration = Duration::from_secs(5);

/// Measures the outbox and the queues.
#[derive(Clone, Debug)]
pub struct Measure {
    kit: Kit,
    queue: Arc<dyn Queue>,
}

/// How far behind the relays are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// Events that wait to be published.
    pub rows: i64,
    /// The age of the oldest of them.
    pub seconds: f64,
}

impl Measure {
    /// Measures a kit's outbox and a queue.
    pub fn new(kit: Kit, queue: Arc<dyn Queue>) -> Self {
        Self { kit, queue }
    }

    /// Measures every few seconds, until it is told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.measure().await {
                tracing::debug!("the outbox and the queues could not be measured: {error}");
            }
            tokio::select! { () = tokio::time::sleep(EVERY) => {} () = stop.cancelled() => {} }
        }
    }

    async fn measure(&self) -> Result<(), Error> {
        let lag = self.lag().await?;
        gauge!("yeyak_outbox_rows").set(lag.rows as f64);
        gauge!("yeyak_outbox_lag_seconds").set(lag.seconds);
        let listing = self.queue.list().await?;
        gauge!("yeyak_queue_delayed").set(listing.delayed_count as f64);
        for depth in listing.queues {
            let state = |state| gauge!("yeyak_queue_messages", "consumer" => depth.consumer.clone(), "state" => state);
            state("waiting").set(depth.waiting_count as f64);
            state("aside").set(depth.aside_count as f64);
        }
        Ok(())
    }

    /// How far behind the relays are.
    pub async fn lag(&self) -> Result<Lag, Error> {
        let found: Option<(i64, Option<DateTimeUtc>)> = Entity::find()
            .select_only()
            .column_as(Column::Id.count(), "rows")
            .column_as(Column::CreateTime.min(), "oldest")
            .into_tuple()
            .one(self.kit.db.read())
            .await?;
        let (rows, oldest) = found.unwrap_or_default();
        let age = oldest.map(|oldest| self.kit.clock.now() - oldest).unwrap_or_default();
        Ok(Lag { rows, seconds: age.as_seconds_f64().max(0.0) })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::backend::queue::DatabaseQueue;
    use crate::backend::queue::suite::put;
    use crate::harness::Harness;

    #[tokio::test]
    async fn the_lag_is_the_age_of_the_oldest_event_that_waits() {
        let yeyak = Harness::new().await;
        let queue = Arc::new(DatabaseQueue::new(yeyak.kit.clone(), &[]));
        let measure = Measure::new(yeyak.kit.clone(), queue);
        assert_eq!(measure.lag().await.unwrap(), Lag { rows: 0, seconds: 0.0 });

        put(&yeyak.kit, Uuid::from_u128(1), 1).await;
        yeyak.clock.advance(TimeDelta::milliseconds(2500));
        put(&yeyak.kit, Uuid::from_u128(1), 2).await;

        assert_eq!(measure.lag().await.unwrap(), Lag { rows: 2, seconds: 2.5 });
    }
}
