//! Batches of codes, and the codes that were redeemed.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait, ExprTrait, QueryOrder, QuerySelect};

use super::{narrow, unreadable};
use crate::coupon::code::{Batch, BatchState, CodeBatchId};
use crate::coupon::entity::batch::{ActiveModel, Column, Entity, Model};
use crate::coupon::entity::{code, receipt};
use crate::coupon::model::PolicyId;
use crate::error::Error;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::kit::tx::Tx;

/// A batch, and how often its codes were redeemed.
#[derive(Clone, Debug)]
pub(in crate::coupon) struct Counted {
    pub(in crate::coupon) batch: Batch,
    pub(in crate::coupon) redeemed: i64,
}

impl TryFrom<Model> for Batch {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: CodeBatchId(row.id),
            number: narrow("coupon_code_batch.number", row.number)?,
            policy: PolicyId(row.policy_id),
            state: BatchState::of_name(&row.state).ok_or_else(|| unreadable("coupon_code_batch.state"))?,
            code_count: narrow("coupon_code_batch.code_count", row.code_count)?,
            uses_per_code: narrow("coupon_code_batch.uses_per_code", row.uses_per_code)?,
            tag: row.tag,
            version: row.version,
            created_by: row.created_by,
            create_time: row.create_time,
        })
    }
}

pub(in crate::coupon) async fn insert(tx: &Tx, batch: &Batch) -> Result<(), Error> {
    let row = ActiveModel {
        id: ActiveValue::Set(batch.id.0),
        number: ActiveValue::Set(batch.number.into()),
        policy_id: ActiveValue::Set(batch.policy.0),
        state: ActiveValue::Set(batch.state.name().to_owned()),
        code_count: ActiveValue::Set(batch.code_count.into()),
        uses_per_code: ActiveValue::Set(batch.uses_per_code.into()),
        tag: ActiveValue::Set(batch.tag.clone()),
        version: ActiveValue::Set(batch.version),
        created_by: ActiveValue::Set(batch.created_by.clone()),
        create_time: ActiveValue::Set(batch.create_time),
    };
    Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// How many batches a policy has.
pub(in crate::coupon) async fn batch_count(tx: &Tx, policy: PolicyId) -> Result<u64, Error> {
    Ok(Entity::find().filter(Column::PolicyId.eq(policy.0)).count(&**tx).await?)
}

/// The highest number that a batch has; 0 when there is none.
pub(in crate::coupon) async fn highest_number(tx: &Tx) -> Result<u32, Error> {
    let last = Entity::find().select_only().column(Column::Number).order_by_desc(Column::Number).limit(1);
    let last: Option<i64> = last.into_tuple().one(&**tx).await?;
    last.map_or(Ok(0), |last| narrow("coupon_code_batch.number", last))
}

/// Cancels an active batch, unless another was faster.
pub(in crate::coupon) async fn cancel(tx: &Tx, batch: &Batch) -> Result<(), Error> {
    let written = Entity::update_many()
        .col_expr(Column::State, Expr::value(BatchState::Cancelled.name()))
        .col_expr(Column::Version, Expr::value(batch.version + 1))
        .filter(Column::Id.eq(batch.id.0))
        .filter(Column::Version.eq(batch.version))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(batch.id)) }
}

/// A batch, whosever it is.
pub(in crate::coupon) async fn find(conn: &impl ConnectionTrait, id: CodeBatchId) -> Result<Option<Counted>, Error> {
    let Some(row) = Entity::find_by_id(id.0).one(conn).await? else { return Ok(None) };
    Ok(counted(conn, vec![row]).await?.pop())
}

/// The batch that codes name by a number.
pub(in crate::coupon) async fn of_number(conn: &impl ConnectionTrait, number: u32) -> Result<Option<Batch>, Error> {
    let row = Entity::find().filter(Column::Number.eq(i64::from(number))).one(conn).await?;
    row.map(Batch::try_from).transpose()
}

/// The batches of a policy, newest first.
pub(in crate::coupon) async fn list(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    page: &Page,
) -> Result<Vec<Counted>, Error> {
    let mut rows = Entity::find().filter(Column::PolicyId.eq(policy.0)).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        rows = rows.filter(Column::Id.lt(after));
    }
    let rows = rows.all(conn).await?;
    counted(conn, rows).await
}

async fn counted(conn: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Counted>, Error> {
    let sums: Vec<(Uuid, i64)> = code::Entity::find()
        .select_only()
        .column(code::Column::BatchId)
        // PostgreSQL's sum of whole numbers is a decimal.
        .column_as(code::Column::Redeemed.sum().cast_as("bigint"), "redeemed")
        .filter(code::Column::BatchId.is_in(rows.iter().map(|row| row.id)))
        .group_by(code::Column::BatchId)
        .into_tuple()
        .all(conn)
        .await?;
    let sums: HashMap<_, _> = sums.into_iter().collect();
    let counted = |row: Model| {
        let redeemed = sums.get(&row.id).copied().unwrap_or(0);
        Ok(Counted { batch: Batch::try_from(row)?, redeemed })
    };
    rows.into_iter().map(counted).collect()
}

/// Where a batch is; it stays there until the transaction ends.
pub(in crate::coupon) async fn keep(tx: &Tx, id: CodeBatchId) -> Result<Option<BatchState>, Error> {
    let state = Entity::find_by_id(id.0).select_only().column(Column::State).lock_shared();
    let state: Option<String> = state.into_tuple().one(&**tx).await?;
    Ok(state.and_then(|state| BatchState::of_name(&state)))
}

/// Counts that a code is redeemed once more, if it may be; whether it was counted.
pub(in crate::coupon) async fn redeem(tx: &Tx, batch: &Batch, number: u32) -> Result<bool, Error> {
    let row = code::ActiveModel {
        batch_id: ActiveValue::Set(batch.id.0),
        number: ActiveValue::Set(number.into()),
        redeemed: ActiveValue::Set(1),
    };
    let redeemed = || Expr::col((code::Entity, code::Column::Redeemed));
    let mut again = OnConflict::columns([code::Column::BatchId, code::Column::Number]);
    again
        .value(code::Column::Redeemed, redeemed().add(1))
        .action_and_where(redeemed().lt(i64::from(batch.uses_per_code)));
    let written = code::Entity::insert(row).on_conflict(again).exec_without_returning(&**tx).await?;
    Ok(written == 1)
}

/// Whether a member has redeemed a code before.
pub(in crate::coupon) async fn has_redeemed(
    tx: &Tx,
    policy: PolicyId,
    member: MemberId,
    once: Uuid,
) -> Result<bool, Error> {
    let rows = receipt::Entity::find()
        .filter(receipt::Column::PolicyId.eq(policy.0))
        .filter(receipt::Column::MemberId.eq(member.0))
        .filter(receipt::Column::Once.eq(once));
    Ok(rows.count(&**tx).await? > 0)
}
