//! The embedded queue: a table, so that a kill loses nothing.

mod entity;
mod operate;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{QueryOrder, QuerySelect, Select};
use tokio_util::sync::CancellationToken;

use self::entity::{Column, Entity, Model, row};
use super::take::{Fate, fate, give};
use super::{Consumer, Delays, Message, Queue};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::clock::Time;
use crate::kit::news::News;

/// The most messages that are read at once.
const BATCH: usize = 100;
/// How long a consumer may be unaware of what other processes published, when their news is lost.
const POLL: Duration = Duration::from_millis(500);
/// How long messages are in the hands of one process, where there are several; a consumer that takes longer is not alone.
const CLAIM: TimeDelta = TimeDelta::seconds(120);
/// How many rows one statement writes: each has 13 values, and SQLite takes 32,766 of them.
const ROWS: usize = 1000;
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// Queues kept in a table.
#[derive(Clone, Debug)]
pub struct DatabaseQueue {
    kit: Kit,
    /// Who takes which events.
    subscriptions: Arc<[(&'static str, Vec<String>)]>,
    delays: Delays,
    news: News,
}

impl DatabaseQueue {
    /// Queues for these consumers.
    pub fn new(kit: Kit, consumers: &[Arc<dyn Consumer>]) -> Self {
        let subscriptions = consumers.iter().map(|consumer| (consumer.name(), consumer.kinds())).collect();
        let news = News::new(kit.db.clone(), "yeyak_queue");
        Self { kit, subscriptions, delays: Delays::default(), news }
    }

    #[cfg(test)]
    pub(super) fn with_delays(self, delays: Delays) -> Self {
        Self { delays, ..self }
    }

    /// What is due to a consumer and in nobody's hands.
    async fn due(&self, consumer: &dyn Consumer) -> Result<Vec<Model>, Error> {
        let now = self.kit.clock.now();
        let limit = if self.kit.db.is_shared() { consumer.batch_size().clamp(16, BATCH) } else { BATCH };
        let found = due(consumer.name(), now, limit).all(self.kit.db.read()).await?;
        if found.is_empty() || !self.kit.db.is_shared() {
            return Ok(found);
        }
        self.kit
            .db
            .write(async |tx| {
                let found = due(consumer.name(), now, limit)
                    .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                    .all(&*tx)
                    .await?;
                Entity::update_many()
                    .col_expr(Column::DueTime, Expr::value(now + CLAIM))
                    .filter(Column::Consumer.eq(consumer.name()))
                    .filter(Column::Id.is_in(found.iter().map(|row| row.id)))
                    .exec(&*tx)
                    .await?;
                Ok(found)
            })
            .await
    }

    /// Deletes what was taken, and says of the rest when it comes again.
    async fn settle(
        &self,
        consumer: &dyn Consumer,
        rows: &[Model],
        outcomes: &[Result<(), Error>],
    ) -> Result<(), Error> {
        let now = self.kit.clock.now();
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for (row, outcome) in rows.iter().zip(outcomes) {
            match outcome {
                Ok(()) => taken.push(row.id),
                Err(error) => {
                    let what = format!("{} {}", row.kind, row.id);
                    failed.push((row.id, fate(consumer, &self.delays, &what, row.failure_count, error), error));
                }
            }
        }
        let mine = || Column::Consumer.eq(consumer.name());
        self.kit
            .db
            .write(async |tx| {
                let ids = taken.iter().copied();
                Entity::delete_many().filter(mine()).filter(Column::Id.is_in(ids)).exec(&*tx).await?;
                for (id, fate, error) in &failed {
                    let (failures, due, aside) = match fate {
                        Fate::Again { failures, delay } => (failures, now + time_delta(*delay), None),
                        Fate::Aside { failures } => (failures, now, Some(now)),
                    };
                    Entity::update_many()
                        .col_expr(Column::FailureCount, Expr::value(*failures))
                        .col_expr(Column::DueTime, Expr::value(due))
                        .col_expr(Column::DeadTime, Expr::value(aside))
                        .col_expr(Column::Error, Expr::value(error.to_string()))
                        .filter(mine())
                        .filter(Column::Id.eq(*id))
                        .exec(&*tx)
                        .await?;
                }
                Ok(())
            })
            .await
    }

    async fn consume_news(&self, consumer: &dyn Consumer, stop: &CancellationToken) {
        let mut heard = self.news.hear();
        while !stop.is_cancelled() {
            match self.consume_due(consumer).await {
                Ok(1..) => {}
                outcome => {
                    if let Err(error) = outcome {
                        tracing::warn!("{} could not read its queue: {error}", consumer.name());
                    }
                    let pause = tokio::time::sleep(POLL);
                    tokio::select! { () = heard.news() => {} () = pause => {} () = stop.cancelled() => {} }
                }
            }
        }
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
                for rows in rows.chunks(ROWS) {
                    // What is there was published before by a relay whose claim ran out.
                    let insert = Entity::insert_many(rows.to_vec()).on_conflict_do_nothing();
                    insert.exec_without_returning(&*tx).await?;
                }
                self.news.tell_on_commit(&tx);
                Ok(())
            })
            .await
    }

    async fn consume(&self, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
        tokio::join!(self.news.listen(&stop), self.consume_news(&*consumer, &stop));
    }

    async fn consume_due(&self, consumer: &dyn Consumer) -> Result<usize, Error> {
        let due = self.due(consumer).await?;
        for rows in due.chunks(consumer.batch_size().max(1)) {
            let messages: Vec<_> = rows.iter().cloned().map(Message::from).collect();
            let outcomes = give(consumer, &messages).await;
            self.kit.crash.point("queue.taken")?;
            self.settle(consumer, rows, &outcomes).await?;
        }
        Ok(due.len())
    }
}

fn due(consumer: &str, now: Time, limit: usize) -> Select<Entity> {
    Entity::find()
        .filter(Column::Consumer.eq(consumer))
        .filter(Column::DueTime.lte(now))
        .filter(Column::DeadTime.is_null())
        .order_by_asc(Column::DueTime)
        .order_by_asc(Column::Version)
        .order_by_asc(Column::Id)
        .limit(limit as u64)
}

fn time_delta(delay: Duration) -> TimeDelta {
    TimeDelta::from_std(delay).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::super::suite::{OnTable, Probe, Stage, messages, only, queue_suite};

    queue_suite!(OnTable::new().await, [doc = "On SQLite."]);

    /// Guard: the rows of one statement.
    #[tokio::test]
    async fn more_is_published_at_once_than_one_statement_holds() {
        let stage = OnTable::new().await;
        let queue = stage.open(&only(&Probe::new(&stage))).await;

        queue.publish(&messages(3000)).await.unwrap();

        assert_eq!(queue.list().await.unwrap().queues[0].waiting_count, 3000);
    }
}

#[cfg(test)]
mod postgres {
    use super::super::suite::{OnTable, queue_suite};

    queue_suite!(OnTable::on_postgres().await, [ignore = "needs PostgreSQL: .ci/run"]);
}
