//! The embedded queue: a table, so that a kill loses nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, QueryOrder, QuerySelect};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Consumer, Message, Queue, TRIES, retry_delay};
use crate::error::Error;
use crate::kit::{Kit, trace};

const BATCH: u64 = 100;
const POLL: Duration = Duration::from_millis(500);

/// Queues kept in a table.
#[derive(Clone, Debug)]
pub struct DatabaseQueue {
    kit: Kit,
    /// Who takes which events.
    subscriptions: Arc<[(&'static str, Vec<String>)]>,
    wake: Arc<Notify>,
}

impl DatabaseQueue {
    /// Queues for these consumers.
    pub fn new(kit: Kit, consumers: &[Arc<dyn Consumer>]) -> Self {
        let subscriptions = consumers.iter().map(|consumer| (consumer.name(), consumer.kinds())).collect();
        Self { kit, subscriptions, wake: Arc::default() }
    }

    async fn settle(&self, consumer: &str, message: &Model, failed: Option<Error>) -> Result<(), Error> {
        let now = self.kit.clock.now();
        let failures = message.failure_count + 1;
        let delay = TimeDelta::from_std(retry_delay(failures)).unwrap_or(TimeDelta::minutes(10));
        let key = (consumer.to_owned(), message.id);
        if let Some(error) = &failed {
            tracing::warn!(consumer, event = %message.id, failures, "{consumer} failed on {}: {error}", message.kind);
        }
        self.kit
            .db
            .write(async |tx| {
                let mut update = Entity::update_many()
                    .col_expr(Column::FailureCount, Expr::value(failures))
                    .col_expr(Column::DueTime, Expr::value(now + delay))
                    .filter(Column::Consumer.eq(&*key.0))
                    .filter(Column::Id.eq(key.1));
                match &failed {
                    None => {
                        Entity::delete_by_id(key.clone()).exec(&*tx).await?;
                    }
                    Some(_) => {
                        if failures >= TRIES {
                            update = update.col_expr(Column::DeadTime, Expr::value(now));
                        }
                        update.exec(&*tx).await?;
                    }
                }
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl Queue for DatabaseQueue {
    async fn publish(&self, messages: &[Message]) -> Result<(), Error> {
        let now = self.kit.clock.now();
        let rows: Vec<_> = messages
            .iter()
            .flat_map(|message| {
                let takes = |(_, kinds): &&(&str, Vec<String>)| kinds.contains(&message.kind);
                self.subscriptions.iter().filter(takes).map(|(consumer, _)| row(consumer, message, now))
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.kit
            .db
            .write(async |tx| {
                // Published before by a relay whose claim ran out.
                Entity::insert_many(rows.clone()).on_conflict_do_nothing().exec_without_returning(&*tx).await?;
                let wake = self.wake.clone();
                tx.on_commit(move || wake.notify_waiters());
                Ok(())
            })
            .await
    }

    async fn consume(&self, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let news = timeout(POLL, self.wake.notified());
            match self.consume_due(&*consumer).await {
                Ok(1..) => {}
                outcome => {
                    if let Err(error) = outcome {
                        tracing::warn!("{} could not read its queue: {error}", consumer.name());
                    }
                    tokio::select! { _ = news => {} () = stop.cancelled() => {} }
                }
            }
        }
    }

    async fn consume_due(&self, consumer: &dyn Consumer) -> Result<usize, Error> {
        let due = Entity::find()
            .filter(Column::Consumer.eq(consumer.name()))
            .filter(Column::DueTime.lte(self.kit.clock.now()))
            .filter(Column::DeadTime.is_null())
            .order_by_asc(Column::DueTime)
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .all(self.kit.db.read())
            .await?;
        for row in &due {
            let message = Message::from(row.clone());
            let outcome = trace::scope(message.trace.clone(), consumer.take(&message)).await;
            self.settle(consumer.name(), row, outcome.err()).await?;
        }
        Ok(due.len())
    }
}

fn row(consumer: &str, message: &Message, now: crate::kit::clock::Time) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::Set(message.id),
        consumer: ActiveValue::Set(consumer.to_owned()),
        kind: ActiveValue::Set(message.kind.clone()),
        aggregate: ActiveValue::Set(message.aggregate),
        version: ActiveValue::Set(message.version),
        actor: ActiveValue::Set(message.actor.clone()),
        trace: ActiveValue::Set(message.trace.clone()),
        payload: ActiveValue::Set(message.payload.clone()),
        create_time: ActiveValue::Set(message.create_time),
        due_time: ActiveValue::Set(now),
        failure_count: ActiveValue::Set(0),
        dead_time: ActiveValue::Set(None),
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

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "queue_message")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    consumer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    kind: String,
    aggregate: Uuid,
    version: i64,
    actor: String,
    trace: String,
    payload: Vec<u8>,
    create_time: DateTimeUtc,
    due_time: DateTimeUtc,
    failure_count: i64,
    dead_time: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
