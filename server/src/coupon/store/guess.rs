//! Wrong codes that members have tried.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait, ExprTrait};

use crate::coupon::entity::guess::{ActiveModel, Column, Entity};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;

/// How many a member has tried, and since when.
pub(in crate::coupon) async fn find(
    conn: &impl ConnectionTrait,
    member: MemberId,
) -> Result<Option<(i64, Time)>, Error> {
    let row = Entity::find_by_id(member.0).one(conn).await?;
    Ok(row.map(|row| (row.wrong, row.since)))
}

/// Counts one more, unless there are so many since then; whether it was counted. What is older is forgotten.
pub(in crate::coupon) async fn count(
    tx: &Tx,
    member: MemberId,
    now: Time,
    since: Time,
    most: i64,
) -> Result<bool, Error> {
    let row =
        ActiveModel { member_id: ActiveValue::Set(member.0), wrong: ActiveValue::Set(1), since: ActiveValue::Set(now) };
    let column = |column: Column| Expr::col((Entity, column));
    let is_old = || column(Column::Since).lte(since);
    let mut again = OnConflict::column(Column::MemberId);
    again
        .value(Column::Wrong, Expr::case(is_old(), 1).finally(column(Column::Wrong).add(1)))
        .value(Column::Since, Expr::case(is_old(), now).finally(column(Column::Since)))
        .action_and_where(is_old().or(column(Column::Wrong).lt(most)));
    let written = Entity::insert(row).on_conflict(again).exec_without_returning(&**tx).await?;
    Ok(written == 1)
}

/// Counts one less.
pub(in crate::coupon) async fn forgive(tx: &Tx, member: MemberId) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Wrong, Expr::col(Column::Wrong).sub(1))
        .filter(Column::MemberId.eq(member.0))
        .filter(Column::Wrong.gt(0))
        .exec(&**tx)
        .await?;
    Ok(())
}
