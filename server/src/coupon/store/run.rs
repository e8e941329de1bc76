//! Runs that give coupons to many.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, Condition, ConnectionTrait, QueryOrder, QuerySelect, QueryTrait};

use super::listed::rests;
use super::{narrow, unreadable};
use crate::coupon::entity::run::{ActiveModel, Column, Entity, Model};
use crate::coupon::entity::{listed, policy};
use crate::coupon::grant::{Audience, Counts, GrantRun, GrantRunId, RunState};
use crate::coupon::model::PolicyId;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::member::directory::Joined;

const LIST: &str = "LIST";
const SEGMENT: &str = "SEGMENT";
/// Rows of one statement.
const ROWS: usize = 1_000;

impl TryFrom<Model> for GrantRun {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let audience = match (&*row.audience, row.joined_before) {
            (LIST, _) => Audience::List,
            (SEGMENT, Some(before)) => Audience::Segment(Joined { from: row.joined_from, before }),
            _ => return Err(unreadable("coupon_grant_run.audience")),
        };
        let count = |number| narrow("coupon_grant_run counts", number);
        Ok(Self {
            id: GrantRunId(row.id),
            policy: PolicyId(row.policy_id),
            state: RunState::of_name(&row.state).ok_or_else(|| unreadable("coupon_grant_run.state"))?,
            audience,
            position: row.position.map(MemberId),
            total: row.total.map(count).transpose()?,
            counts: Counts { done: count(row.done)?, granted: count(row.granted)?, skipped: count(row.skipped)? },
            version: row.version,
            created_by: row.created_by,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Writes a new run, with those who are listed.
pub(in crate::coupon) async fn insert(tx: &Tx, run: &GrantRun, members: &[MemberId]) -> Result<(), Error> {
    let (audience, joined) = match run.audience {
        Audience::List => (LIST, None),
        Audience::Segment(joined) => (SEGMENT, Some(joined)),
    };
    let row = ActiveModel {
        id: ActiveValue::Set(run.id.0),
        policy_id: ActiveValue::Set(run.policy.0),
        state: ActiveValue::Set(run.state.name().to_owned()),
        audience: ActiveValue::Set(audience.to_owned()),
        joined_from: ActiveValue::Set(joined.and_then(|joined| joined.from)),
        joined_before: ActiveValue::Set(joined.map(|joined| joined.before)),
        position: ActiveValue::Set(None),
        total: ActiveValue::Set(run.total.map(number)),
        done: ActiveValue::Set(0),
        granted: ActiveValue::Set(0),
        skipped: ActiveValue::Set(0),
        version: ActiveValue::Set(run.version),
        created_by: ActiveValue::Set(run.created_by.clone()),
        create_time: ActiveValue::Set(run.create_time),
        update_time: ActiveValue::Set(run.update_time),
    };
    Entity::insert(row).exec_without_returning(&**tx).await?;
    for some in members.chunks(ROWS) {
        let rows = some.iter().map(|member| listed::ActiveModel {
            run_id: ActiveValue::Set(run.id.0),
            member_id: ActiveValue::Set(member.0),
        });
        listed::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// Writes what has become of a run that is under way, unless it has changed since.
pub(in crate::coupon) async fn update(tx: &Tx, before: i64, run: &GrantRun) -> Result<(), Error> {
    let written = Entity::update_many()
        .col_expr(Column::State, Expr::value(run.state.name()))
        .col_expr(Column::Position, Expr::value(run.position.map(|member| member.0)))
        .col_expr(Column::Total, Expr::value(run.total.map(number)))
        .col_expr(Column::Done, Expr::value(number(run.counts.done)))
        .col_expr(Column::Granted, Expr::value(number(run.counts.granted)))
        .col_expr(Column::Skipped, Expr::value(number(run.counts.skipped)))
        .col_expr(Column::Version, Expr::value(run.version))
        .col_expr(Column::UpdateTime, Expr::value(run.update_time))
        .filter(Column::Id.eq(run.id.0))
        .filter(Column::Version.eq(before))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(run.id)) }
}

/// A run, whosever it is.
pub(in crate::coupon) async fn find(conn: &impl ConnectionTrait, id: GrantRunId) -> Result<Option<GrantRun>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(GrantRun::try_from).transpose()
}

/// The runs of a policy, newest first.
pub(in crate::coupon) async fn list(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    page: &Page,
) -> Result<Vec<GrantRun>, Error> {
    let mut rows = Entity::find().filter(Column::PolicyId.eq(policy.0)).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        rows = rows.filter(Column::Id.lt(after));
    }
    rows.all(conn).await?.into_iter().map(GrantRun::try_from).collect()
}

/// How many runs of a policy are under way.
pub(in crate::coupon) async fn running_count(tx: &Tx, policy: PolicyId) -> Result<u64, Error> {
    let running =
        Entity::find().filter(Column::PolicyId.eq(policy.0)).filter(Column::State.eq(RunState::Running.name()));
    Ok(running.count(&**tx).await?)
}

/// The runs that are under way and since when they wait, those first that have waited longest; behind one of them. Those are none of
/// them whose policy is interrupted now, or has not begun.
pub(in crate::coupon) async fn running(
    conn: &impl ConnectionTrait,
    after: Option<(Time, GrantRunId)>,
    now: Time,
    limit: u64,
) -> Result<Vec<(Time, GrantRunId)>, Error> {
    let gives = policy::Entity::find().select_only().column(policy::Column::Id).filter(rests(now).not());
    let mut rows = Entity::find()
        .select_only()
        .columns([Column::UpdateTime, Column::Id])
        .filter(Column::State.eq(RunState::Running.name()))
        .filter(Column::PolicyId.in_subquery(gives.into_query()))
        .order_by_asc(Column::UpdateTime)
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some((time, id)) = after {
        let same_time = Condition::all().add(Column::UpdateTime.eq(time)).add(Column::Id.gt(id.0));
        rows = rows.filter(Condition::any().add(Column::UpdateTime.gt(time)).add(same_time));
    }
    let found: Vec<(Time, Uuid)> = rows.into_tuple().all(conn).await?;
    Ok(found.into_iter().map(|(time, id)| (time, GrantRunId(id))).collect())
}

/// Some of those who are listed, in the order of their ids, behind one of them.
pub(in crate::coupon) async fn listed(
    conn: &impl ConnectionTrait,
    run: GrantRunId,
    after: Option<MemberId>,
    limit: u64,
) -> Result<Vec<MemberId>, Error> {
    let mut rows = listed::Entity::find()
        .select_only()
        .column(listed::Column::MemberId)
        .filter(listed::Column::RunId.eq(run.0))
        .order_by_asc(listed::Column::MemberId)
        .limit(limit);
    if let Some(after) = after {
        rows = rows.filter(listed::Column::MemberId.gt(after.0));
    }
    let ids: Vec<Uuid> = rows.into_tuple().all(conn).await?;
    Ok(ids.into_iter().map(MemberId).collect())
}

/// The first run behind one that still has its list.
pub(in crate::coupon) async fn next_listed(
    conn: &impl ConnectionTrait,
    after: Uuid,
) -> Result<Option<GrantRunId>, Error> {
    let next = listed::Entity::find()
        .select_only()
        .column(listed::Column::RunId)
        .filter(listed::Column::RunId.gt(after))
        .order_by_asc(listed::Column::RunId)
        .limit(1);
    let next: Option<Uuid> = next.into_tuple().one(conn).await?;
    Ok(next.map(GrantRunId))
}

/// Forgets that members are listed, up to one of them in the order of their ids.
pub(in crate::coupon) async fn unlist(tx: &Tx, run: GrantRunId, last: MemberId) -> Result<u64, Error> {
    let listed = listed::Entity::delete_many()
        .filter(listed::Column::RunId.eq(run.0))
        .filter(listed::Column::MemberId.lte(last.0));
    Ok(listed.exec(&**tx).await?.rows_affected)
}
