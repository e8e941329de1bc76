//! The relay: takes events out of the outbox and publishes them.
//!
//! Many relays may run. Each claims rows for a while; a claim that runs out is taken over, so an event is published at least
//! once, and consumers know it by its id. Events leave in the order in which they were put, within each batch.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, QuerySelect};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Message, Queue};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::outbox::{Column, Entity, Model};

const BATCH: u64 = 200;
const CLAIM: TimeDelta = TimeDelta::seconds(30);
/// How long the relay may be unaware of what other processes put.
const POLL: Duration = Duration::from_millis(500);

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
        while !stop.is_cancelled() {
            match self.publish_due().await {
                Ok(0) => {
                    let news = timeout(POLL, self.kit.outbox.news());
                    tokio::select! { _ = news => {} () = stop.cancelled() => {} }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("events could not be published and stay in the outbox: {error}");
                    tokio::select! { () = tokio::time::sleep(POLL) => {} () = stop.cancelled() => {} }
                }
            }
        }
    }

    /// Publishes one batch; how many events it had.
    pub async fn publish_due(&self) -> Result<usize, Error> {
        let claimed = self.claim().await?;
        if claimed.is_empty() {
            return Ok(0);
        }
        let ids: Vec<_> = claimed.iter().map(|row| row.id).collect();
        let messages: Vec<_> = claimed.into_iter().map(Message::from).collect();
        self.queue.publish(&messages).await?;
        self.kit
            .db
            .write(async |tx| {
                Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).exec(&*tx).await?;
                Ok(())
            })
            .await?;
        Ok(messages.len())
    }

    async fn claim(&self) -> Result<Vec<Model>, Error> {
        let now = self.kit.clock.now();
        let free = || Condition::any().add(Column::ClaimTime.is_null()).add(Column::ClaimTime.lte(now));
        // An idle relay writes nothing.
        let due = Entity::find().filter(free()).order_by_asc(Column::Id).limit(BATCH).all(self.kit.db.read()).await?;
        if due.is_empty() {
            return Ok(due);
        }
        self.kit
            .db
            .write(async |tx| {
                let mut rows = Entity::update_many()
                    .col_expr(Column::ClaimTime, Expr::value(now + CLAIM))
                    .filter(Column::Id.is_in(due.iter().map(|row| row.id)))
                    .filter(free())
                    .exec_with_returning(&*tx)
                    .await?;
                rows.sort_by_key(|row| row.id);
                Ok(rows)
            })
            .await
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
