//! What an operator sees and does of queues in a table.

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ExprTrait, QueryOrder, QuerySelect};

use super::DatabaseQueue;
use super::entity::{Column, Entity};
use crate::backend::queue::{Aside, Depth, Listing, Operate};
use crate::error::Error;

#[async_trait]
impl Operate for DatabaseQueue {
    async fn list(&self) -> Result<Listing, Error> {
        let now = self.kit.clock.now();
        let waiting = self.count(Column::DeadTime.is_null().and(Column::DueTime.lte(now))).await?;
        let delayed = self.count(Column::DeadTime.is_null().and(Column::DueTime.gt(now))).await?;
        let aside = self.count(Column::DeadTime.is_not_null()).await?;
        let of = |counts: &HashMap<String, u64>, consumer: &str| counts.get(consumer).copied().unwrap_or_default();
        let depth = |(consumer, _): &(&str, Vec<String>)| Depth {
            consumer: (*consumer).to_owned(),
            waiting_count: of(&waiting, consumer),
            aside_count: of(&aside, consumer),
        };
        Ok(Listing { queues: self.subscriptions.iter().map(depth).collect(), delayed_count: delayed.values().sum() })
    }

    async fn show(&self, consumer: &str, limit: usize) -> Result<Vec<Aside>, Error> {
        let rows = Entity::find()
            .filter(aside(consumer))
            .order_by_asc(Column::DeadTime)
            .order_by_asc(Column::Id)
            .limit(limit as u64)
            .all(self.kit.db.read())
            .await?;
        Ok(rows.into_iter().map(Aside::from).collect())
    }

    async fn replay(&self, consumer: &str, id: Option<&str>) -> Result<u64, Error> {
        let mut which = aside(consumer);
        if let Some(id) = id {
            // What is no id is nobody's.
            let Ok(id) = id.parse::<Uuid>() else { return Ok(0) };
            which = which.add(Column::Id.eq(id));
        }
        let now = self.kit.clock.now();
        self.kit
            .db
            .write(async |tx| {
                self.news.tell_on_commit(&tx);
                let replayed = Entity::update_many()
                    .col_expr(Column::DeadTime, Expr::value(None::<DateTimeUtc>))
                    .col_expr(Column::DueTime, Expr::value(now))
                    .col_expr(Column::FailureCount, Expr::value(0))
                    .filter(which.clone())
                    .exec(&*tx)
                    .await?;
                Ok(replayed.rows_affected)
            })
            .await
    }

    async fn purge(&self, consumer: &str) -> Result<u64, Error> {
        self.kit
            .db
            .write(async |tx| Ok(Entity::delete_many().filter(aside(consumer)).exec(&*tx).await?.rows_affected))
            .await
    }
}

impl DatabaseQueue {
    async fn count(&self, which: Expr) -> Result<HashMap<String, u64>, Error> {
        let counts: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::Consumer)
            .column_as(Column::Id.count(), "messages")
            .filter(which)
            .group_by(Column::Consumer)
            .into_tuple()
            .all(self.kit.db.read())
            .await?;
        Ok(counts.into_iter().map(|(consumer, count)| (consumer, count.unsigned_abs())).collect())
    }
}

fn aside(consumer: &str) -> Condition {
    Condition::all().add(Column::Consumer.eq(consumer)).add(Column::DeadTime.is_not_null())
}
