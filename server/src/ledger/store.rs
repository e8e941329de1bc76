//! The queries of the ledger, one a function.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{
    Condition, ConnectionTrait, ExprTrait, FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect, SqlErr,
};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::model::{Account, Balance, Cause, Recorded, Transfer, TransferId};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::bulk::Bulk;
use crate::kit::clock::Time;
use crate::kit::money::{Currency, Money};
use crate::kit::page::Page;

pub(super) async fn insert(conn: &impl ConnectionTrait, kit: &Kit, transfer: &Transfer) -> Result<(), Error> {
    let now = kit.clock.now();
    let row = row(TransferId::new(&kit.ids, now), transfer, now);
    inserted(Entity::insert(row).exec_without_returning(conn).await.map(drop), transfer)
}

/// Movements that come together, under ids that others know.
pub(super) async fn insert_many(
    conn: &impl ConnectionTrait,
    transfers: &[(TransferId, Transfer)],
    now: Time,
) -> Result<(), Error> {
    for some in transfers.chunks(500) {
        let rows = some.iter().map(|(id, transfer)| row(*id, transfer, now));
        inserted(Entity::insert_many(rows).exec_without_returning(conn).await.map(drop), &some[0].1)?;
    }
    Ok(())
}

fn inserted(outcome: Result<(), DbErr>, transfer: &Transfer) -> Result<(), Error> {
    match outcome {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(Error::lost(format!("the {} of {}", transfer.cause.as_str(), transfer.cause_id)))
        }
        outcome => Ok(outcome?),
    }
}

/// Movements of before, each with its time.
pub(super) async fn load(bulk: &mut Bulk<'_>, transfers: &[(TransferId, Transfer, Time)]) -> Result<(), Error> {
    bulk.put(transfers.iter().map(|(id, transfer, time)| model(*id, transfer, *time)).collect()).await
}

fn row(id: TransferId, transfer: &Transfer, now: Time) -> ActiveModel {
    model(id, transfer, now).into_active_model()
}

fn model(id: TransferId, transfer: &Transfer, now: Time) -> Model {
    Model {
        id: id.0,
        debit_account: transfer.debit.to_string(),
        credit_account: transfer.credit.to_string(),
        amount: transfer.amount.minor,
        currency: transfer.amount.currency.to_string(),
        cause: transfer.cause.as_str().to_owned(),
        cause_id: transfer.cause_id.clone(),
        booking_id: transfer.booking.map(|booking| booking.0),
        create_time: now,
    }
}

fn recorded(row: Model) -> Result<Recorded, Error> {
    let currency: Currency = row.currency.parse().map_err(Error::internal)?;
    Ok(Recorded {
        id: TransferId(row.id),
        debit: row.debit_account,
        credit: row.credit_account,
        amount: Money::new(currency, row.amount),
        cause: row.cause,
        cause_id: row.cause_id,
        create_time: row.create_time,
    })
}

/// Movements, newest first; those on either side of an account when one is given.
pub(super) async fn transfers(
    conn: &impl ConnectionTrait,
    account: Option<&Account>,
    page: &Page,
) -> Result<Vec<Recorded>, Error> {
    let mut found = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if let Some(account) = account {
        let name = account.to_string();
        found = found
            .filter(Condition::any().add(Column::DebitAccount.eq(name.clone())).add(Column::CreditAccount.eq(name)));
    }
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    found.all(conn).await?.into_iter().map(recorded).collect()
}

#[derive(FromQueryResult)]
struct Side {
    total: Option<i64>,
    count: i64,
}

pub(super) async fn balance(
    conn: &impl ConnectionTrait,
    account: &Account,
    currency: Currency,
) -> Result<Balance, Error> {
    let mut sides = Vec::new();
    for column in [Column::CreditAccount, Column::DebitAccount] {
        let side = Entity::find()
            .select_only()
            .expr_as(Column::Amount.sum().cast_as("bigint"), "total")
            .expr_as(Column::Id.count(), "count")
            .filter(column.eq(account.to_string()))
            .filter(Column::Currency.eq(currency.code()))
            .into_model::<Side>()
            .one(conn)
            .await?;
        sides.push(side.map_or((0, 0), |side| (side.total.unwrap_or(0), side.count)));
    }
    Ok(Balance { amount: Money::new(currency, sides[0].0 - sides[1].0), transfer_count: sides[0].1 + sides[1].1 })
}

/// What a booking's account was credited or debited in one currency.
#[derive(Debug, FromQueryResult)]
pub(super) struct Total {
    pub(super) account: String,
    pub(super) currency: String,
    pub(super) total: i64,
}

/// The sums of one side over the accounts of bookings; of these causes alone, when some are given.
pub(super) async fn booking_totals(
    conn: &impl ConnectionTrait,
    credits: bool,
    causes: &[Cause],
) -> Result<Vec<Total>, Error> {
    let column = if credits { Column::CreditAccount } else { Column::DebitAccount };
    let mut found = Entity::find().filter(column.starts_with("booking:"));
    if !causes.is_empty() {
        found = found.filter(Column::Cause.is_in(causes.iter().map(|cause| cause.as_str())));
    }
    let totals = found
        .select_only()
        .expr_as(column.into_expr(), "account")
        .column(Column::Currency)
        .expr_as(Column::Amount.sum().cast_as("bigint"), "total")
        .group_by(column)
        .group_by(Column::Currency)
        .into_model::<Total>()
        .all(conn)
        .await?;
    Ok(totals)
}

/// Movements that are none: of nothing, or from an account to itself.
pub(super) async fn unsound(conn: &impl ConnectionTrait) -> Result<Vec<Recorded>, Error> {
    let same = Expr::col(Column::DebitAccount).equals(Column::CreditAccount);
    let found =
        Entity::find().filter(Condition::any().add(Column::Amount.lte(0)).add(same)).limit(100).all(conn).await?;
    found.into_iter().map(recorded).collect()
}

/// The amounts that were moved for one cause, by what caused them.
pub(super) async fn amounts_of(
    conn: &impl ConnectionTrait,
    cause: Cause,
    cause_ids: Vec<String>,
) -> Result<HashMap<String, i64>, Error> {
    let found = Entity::find()
        .select_only()
        .columns([Column::CauseId, Column::Amount])
        .filter(Column::Cause.eq(cause.as_str()))
        .filter(Column::CauseId.is_in(cause_ids))
        .into_tuple::<(String, i64)>()
        .all(conn)
        .await?;
    Ok(found.into_iter().collect())
}
