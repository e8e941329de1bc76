//! Events that one relay has in hand for a while.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Alias, LockBehavior, LockType, Query, SelectStatement};
use sea_orm::{Condition, ConnectionTrait, ExprTrait, QueryOrder, QuerySelect};

use crate::error::Error;
use crate::kit::Kit;
use crate::kit::clock::Time;
use crate::kit::outbox::{Column, Entity, Model};
use crate::kit::tx::{Tx, among};

/// Enough that what a claim costs is little for each, and few enough that whoever calls meanwhile does not feel it.
const BATCH: u64 = 200;
/// Has PostgreSQL go by the indexes of the outbox, whatever it believes. The outbox is empty most of the time and fills at once, and
/// what was counted of it then says that a row is all there is: to look through all of it for each of its rows is as good as any
/// other way with that, and takes minutes with thousands. For the same reason no statement here joins: what each row asks of others is
/// fenced off.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
    SET LOCAL max_parallel_workers_per_gather = 0";
/// Longer than a queue takes to answer or to give up.
const LIFE: TimeDelta = TimeDelta::seconds(30);

/// Events in hand, in the order in which they are to be published.
pub(super) struct Claim {
    pub(super) rows: Vec<Model>,
    /// Grows with each claim on a row, so it names the claim too.
    until: Time,
}

impl Claim {
    /// Claims the oldest events that are free and have no older one of their aggregate before them that is not.
    pub(super) async fn take(kit: &Kit) -> Result<Option<Self>, Error> {
        let now = kit.clock.now();
        // An idle relay writes nothing.
        let waiting = Entity::find().filter(free(now)).limit(1).one(kit.db.read()).await?;
        if waiting.is_none() {
            return Ok(None);
        }
        let until = now + LIFE;
        let rows = kit.db.write(async |tx| take_rows(&tx, now, until).await).await?;
        Ok((!rows.is_empty()).then_some(Self { rows, until }))
    }

    /// Deletes the events: they are published.
    pub(super) async fn settle(&self, kit: &Kit) -> Result<(), Error> {
        kit.db
            .write(async |tx| {
                Entity::delete_many().filter(among(&*tx, Column::Id, self.ids())).exec(&*tx).await?;
                Ok(())
            })
            .await
    }

    /// Leaves the events to whoever comes next.
    pub(super) async fn give_up(&self, kit: &Kit) -> Result<(), Error> {
        kit.db
            .write(async |tx| {
                Entity::update_many()
                    .col_expr(Column::ClaimTime, Expr::value(None::<DateTimeUtc>))
                    .filter(among(&*tx, Column::Id, self.ids()))
                    .filter(Column::ClaimTime.eq(self.until))
                    .exec(&*tx)
                    .await?;
                Ok(())
            })
            .await
    }

    fn ids(&self) -> Vec<Uuid> {
        self.rows.iter().map(|row| row.id).collect()
    }
}

async fn take_rows(tx: &Tx, now: Time, until: Time) -> Result<Vec<Model>, Error> {
    if tx.has_others() {
        tx.execute_unprepared(BY_INDEX).await?;
    }
    // The aggregates of the oldest events, and then the first versions of these: the clocks of processes differ, so an event
    // may have an older id than the one that must leave before it.
    let claimed = older().and_where(Expr::col((older_row(), Column::ClaimTime)).gt(now)).take();
    let aggregates: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Aggregate)
        .filter(free(now))
        .filter(Expr::exists(claimed).not())
        .order_by_asc(Column::Id)
        .limit(BATCH)
        .into_tuple()
        .all(&**tx)
        .await?;
    // Relays don't wait for each other: rows that another is about to claim are passed over (SQLite has one writer).
    let free: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(free(now))
        .filter(among(&**tx, Column::Aggregate, aggregates))
        .order_by_asc(Column::Version)
        .order_by_asc(Column::Id)
        .limit(BATCH)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(&**tx)
        .await?;
    // Whatever keeps an older event of the aggregate from being among these, a claim or one on its way, keeps this one too.
    let id = Expr::col((older_row(), Column::Id));
    let is_not_among = match tx.has_others() {
        true => id.ne(PgFunc::all(Expr::val(free.clone()))),
        false => id.is_not_in(free.iter().copied()),
    };
    let left_out = older().and_where(is_not_among).take();
    let mut rows = Entity::update_many()
        .col_expr(Column::ClaimTime, Expr::value(until))
        .filter(among(&**tx, Column::Id, free))
        .filter(Expr::exists(left_out).not())
        .exec_with_returning(&**tx)
        .await?;
    rows.sort_by_key(|row| (row.version, row.id));
    Ok(rows)
}

fn free(now: Time) -> Condition {
    Condition::any().add(Column::ClaimTime.is_null()).add(Column::ClaimTime.lte(now))
}

fn older_row() -> Alias {
    Alias::new("older")
}

/// The events of a row's aggregate that must leave before it; fenced off, which is what an offset does.
fn older() -> SelectStatement {
    let (older, this) = (|column: Column| Expr::col((older_row(), column)), |column: Column| (Entity, column));
    let earlier = older(Column::Version).lt(Expr::col(this(Column::Version)));
    let same = older(Column::Version).equals(this(Column::Version));
    let put_before = same.and(older(Column::Id).lt(Expr::col(this(Column::Id))));
    Query::select()
        .expr(Expr::value(1))
        .from_as(Entity, older_row())
        .and_where(older(Column::Aggregate).equals(this(Column::Aggregate)))
        .and_where(earlier.or(put_before))
        .limit(1)
        .offset(0)
        .take()
}
