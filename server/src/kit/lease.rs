//! The lease of leadership: of many processes one runs a job, and another takes over within seconds when it dies.
//!
//! A lease keeps two leaders from doing the same work; it never makes the work safe. Every job is idempotent, and each of its
//! writes is a compare-and-set of its own.

use std::sync::Arc;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ExprTrait};

use super::clock::{Clock, Time};
use super::tx::Db;
use crate::error::Error;

/// How long a leader may be silent before another takes over.
pub const LIFE: TimeDelta = TimeDelta::seconds(10);

/// Takes part in the election of leaders.
#[derive(Clone, Debug)]
pub struct Leases {
    db: Db,
    clock: Arc<dyn Clock>,
    holder: Uuid,
}

/// A lease that is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Grows whenever the lease changes hands: a write under an older fence comes from a leader of the past.
    pub fence: i64,
    /// Until when it is held.
    pub expire_time: Time,
}

impl Leases {
    /// Takes part as one holder, which is this process.
    pub fn new(db: Db, clock: Arc<dyn Clock>, holder: Uuid) -> Self {
        Self { db, clock, holder }
    }

    /// Takes or extends the lease of a job, unless another process holds it.
    pub async fn hold(&self, job: &str) -> Result<Option<Lease>, Error> {
        let now = self.clock.now();
        self.db
            .write(async |tx| {
                let row = ActiveModel {
                    name: ActiveValue::Set(job.to_owned()),
                    holder: ActiveValue::Set(self.holder),
                    fence: ActiveValue::Set(1),
                    expire_time: ActiveValue::Set(now + LIFE),
                };
                let column = |column: Column| Expr::col((Entity, column));
                let mine = column(Column::Holder).eq(self.holder);
                let fence = Expr::case(mine.clone(), column(Column::Fence)).finally(column(Column::Fence).add(1));
                let mut take = OnConflict::column(Column::Name);
                take.update_columns([Column::Holder, Column::ExpireTime])
                    .value(Column::Fence, fence)
                    .action_and_where(mine.or(column(Column::ExpireTime).lte(now)));
                let written = Entity::insert(row).on_conflict(take).exec_without_returning(&*tx).await?;
                if written == 0 {
                    return Ok(None);
                }
                let row = Entity::find_by_id(job).one(&*tx).await?;
                Ok(row.map(|row| Lease { fence: row.fence, expire_time: row.expire_time }))
            })
            .await
    }

    /// Takes every lease from whoever had it: for a server that knows that nobody else lives, so that it need not wait for
    /// the leases of a predecessor that was killed.
    pub async fn inherit(&self) -> Result<(), Error> {
        let now = self.clock.now();
        self.db
            .write(async |tx| {
                let held = Entity::update_many().col_expr(Column::ExpireTime, Expr::value(now));
                held.filter(Column::ExpireTime.gt(now)).exec(&*tx).await?;
                Ok(())
            })
            .await
    }

    /// Gives up a lease of this process that it has no use for any more.
    pub async fn give_up(&self, job: &str) -> Result<(), Error> {
        self.db
            .write(async |tx| {
                Entity::delete_by_id(job).filter(Column::Holder.eq(self.holder)).exec(&*tx).await?;
                Ok(())
            })
            .await
    }

    /// Gives up every lease of this process, so that another need not wait for their end.
    pub async fn release_all(&self) -> Result<(), Error> {
        let now = self.clock.now();
        self.db
            .write(async |tx| {
                Entity::update_many()
                    .col_expr(Column::ExpireTime, Expr::value(now))
                    .filter(Column::Holder.eq(self.holder))
                    .filter(Column::ExpireTime.gt(now))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }
}

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "lease")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    name: String,
    holder: Uuid,
    fence: i64,
    expire_time: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    /// Guard: the condition on holder and expiry in the upsert.
    #[tokio::test]
    async fn one_of_many_leads_and_another_takes_over_when_it_is_silent() {
        let yeyak = Harness::new().await;
        let process = |n| Leases::new(yeyak.db.clone(), yeyak.clock.clone(), Uuid::from_u128(n));
        let all: Vec<_> = (1..=20).map(process).collect();

        let held = futures::future::join_all(all.iter().map(|leases| leases.hold("tidy"))).await;

        let leaders: Vec<_> = (0..20).filter(|n| matches!(held[*n], Ok(Some(_)))).collect();
        let [leader] = leaders[..] else { panic!("{leaders:?} lead") };
        assert_eq!(all[leader].hold("tidy").await.expect("extends").map(|lease| lease.fence), Some(1));
        let other = &all[(leader + 1) % 20];
        assert_eq!(other.hold("tidy").await.expect("asks"), None);
        yeyak.clock.advance(LIFE);
        assert_eq!(other.hold("tidy").await.expect("takes over").map(|lease| lease.fence), Some(2));
        other.release_all().await.expect("releases");
        assert!(all[leader].hold("tidy").await.expect("takes").is_some());
    }
}
