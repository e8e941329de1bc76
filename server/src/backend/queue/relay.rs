//! The relay: takes events out of the outbox and publishes them.
//!
//! Many relays may run. Each claims rows for a while; a claim that runs out is taken over, so an event is published at least
//! once, and consumers know it by its id. Events of one aggregate leave in the order of its versions, whoever publishes them.

mod claim;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio_util::sync::CancellationToken;

use self::claim::Claim;
use super::{Message, Queue};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::outbox::Model;

/// How long the relay may be unaware of what other processes put, when their news is lost.
const POLL: Duration = Duration::from_millis(500);
/// The first event leaves at once; those behind it are gathered for this long, unless there are many already.
const GATHER: Duration = Duration::from_millis(10);
/// How many are enough not to wait for more.
const FULL: usize = 100;

/// Publishes what the outbox holds.
#[derive(Clone, Debug)]
pub struct Relay {
    kit: Kit,
    queue: Arc<dyn Queue>,
}

impl Relay {
    /// A relay from the kit's outbox to a queue.
    pub fn new(kit: Kit, queue: Arc<dyn Queue>) -> Self {
        Self { kit, queue }
    }

    /// Publishes whatever is put, until it is told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(self.kit.outbox.news.listen(&stop), self.publish_news(&stop));
    }

    async fn publish_news(&self, stop: &CancellationToken) {
        let mut heard = self.kit.outbox.news.hear();
        while !stop.is_cancelled() {
            let pause = tokio::time::sleep(POLL);
            match self.publish_due().await {
                Ok(0) => tokio::select! { () = heard.news() => {} () = pause => {} () = stop.cancelled() => {} },
                // A claim costs the same for one event as for many; under load many come while the relay pauses.
                Ok(few) if few < FULL => tokio::time::sleep(GATHER).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("events could not be published and stay in the outbox: {error}");
                    tokio::select! { () = pause => {} () = stop.cancelled() => {} }
                }
            }
        }
    }

    /// Publishes one batch; how many events it had.
    pub async fn publish_due(&self) -> Result<usize, Error> {
        let Some(claim) = Claim::take(&self.kit).await? else { return Ok(0) };
        let messages: Vec<_> = claim.rows.iter().cloned().map(Message::from).collect();
        if let Err(error) = self.queue.publish(&messages).await {
            if let Err(error) = claim.give_up(&self.kit).await {
                tracing::debug!("a claim on events could not be given up, and runs out by itself: {error}");
            }
            return Err(error);
        }
        self.kit.crash.point("relay.published")?;
        claim.settle(&self.kit).await?;
        counter!("yeyak_outbox_published_total").increment(messages.len() as u64);
        Ok(messages.len())
    }
}

impl From<Model> for Message {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            aggregate: row.aggregate,
            version: row.version,
            actor: row.actor,
            trace: row.trace,
            payload: row.payload,
            create_time: row.create_time,
        }
    }
}
