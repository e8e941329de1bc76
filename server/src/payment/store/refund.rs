//! The queries of refunds.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait, ExprTrait, FromQueryResult, QueryOrder, QuerySelect};

use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::money::{Currency, Money};
use crate::payment::entity::refund::{ActiveModel, Column, Entity, Model, of_payment};
use crate::payment::model::{PaymentId, Refund, RefundId, RefundState};

fn refund_of(row: Model) -> Result<Refund, Error> {
    let currency: Currency = row.currency.parse().map_err(Error::internal)?;
    Ok(Refund {
        id: RefundId(row.id),
        payment: PaymentId(row.payment_id),
        amount: Money::new(currency, row.amount),
        state: row.state,
        reason: row.reason,
        idempotency_key: row.idempotency_key,
        create_time: row.create_time,
        done_time: row.done_time,
        next_try_time: row.next_try_time,
        try_count: row.try_count,
    })
}

pub(in crate::payment) async fn insert_refund(conn: &impl ConnectionTrait, refund: &Refund) -> Result<(), Error> {
    let row = ActiveModel {
        id: ActiveValue::Set(refund.id.0),
        payment_id: ActiveValue::Set(refund.payment.0),
        amount: ActiveValue::Set(refund.amount.minor),
        currency: ActiveValue::Set(refund.amount.currency.to_string()),
        state: ActiveValue::Set(refund.state),
        reason: ActiveValue::Set(refund.reason.clone()),
        failure_code: ActiveValue::Set(String::new()),
        idempotency_key: ActiveValue::Set(refund.idempotency_key.clone()),
        create_time: ActiveValue::Set(refund.create_time),
        done_time: ActiveValue::Set(refund.done_time),
        next_try_time: ActiveValue::Set(refund.next_try_time),
        try_count: ActiveValue::Set(refund.try_count),
    };
    Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// The refunds of a payment, oldest first.
pub(in crate::payment) async fn refunds_of(
    conn: &impl ConnectionTrait,
    payment: PaymentId,
) -> Result<Vec<Refund>, Error> {
    of_payment(payment).order_by_asc(Column::Id).all(conn).await?.into_iter().map(refund_of).collect()
}

/// The refunds of many payments, oldest first.
pub(in crate::payment) async fn refunds_of_all(
    conn: &impl ConnectionTrait,
    payments: impl IntoIterator<Item = PaymentId>,
) -> Result<HashMap<PaymentId, Vec<Refund>>, Error> {
    let ids: Vec<_> = payments.into_iter().map(|payment| payment.0).collect();
    let rows = Entity::find().filter(Column::PaymentId.is_in(ids)).order_by_asc(Column::Id).all(conn).await?;
    let mut all: HashMap<PaymentId, Vec<Refund>> = HashMap::new();
    for row in rows {
        let refund = refund_of(row)?;
        all.entry(refund.payment).or_default().push(refund);
    }
    Ok(all)
}

/// The oldest pending refund of a payment, and how much the refunds that are done gave back.
pub(in crate::payment) async fn next_refund(
    conn: &impl ConnectionTrait,
    payment: PaymentId,
) -> Result<Option<(Refund, i64)>, Error> {
    let refunds = refunds_of(conn, payment).await?;
    let done = refunds.iter().filter(|refund| refund.state == RefundState::Done);
    let given: i64 = done.map(|refund| refund.amount.minor).sum();
    Ok(refunds.into_iter().find(|refund| refund.state == RefundState::Pending).map(|refund| (refund, given)))
}

/// Payments with a refund that is due to be carried out.
pub(in crate::payment) async fn refunds_due(
    conn: &impl ConnectionTrait,
    now: Time,
    limit: u64,
) -> Result<Vec<PaymentId>, Error> {
    let due = Entity::find()
        .select_only()
        .column(Column::PaymentId)
        .distinct()
        .filter(Column::State.eq(RefundState::Pending))
        .filter(Column::NextTryTime.lte(now))
        .limit(limit)
        .into_tuple::<Uuid>()
        .all(conn)
        .await?;
    Ok(due.into_iter().map(PaymentId).collect())
}

/// Ends a pending refund; false when a twin has ended it.
pub(in crate::payment) async fn finish_refund(
    conn: &impl ConnectionTrait,
    id: RefundId,
    state: RefundState,
    failure_code: &str,
    now: Time,
) -> Result<bool, Error> {
    let done_time = (state == RefundState::Done).then_some(now);
    let written = Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::FailureCode, Expr::value(failure_code))
        .col_expr(Column::DoneTime, Expr::value(done_time))
        .col_expr(Column::NextTryTime, Expr::value(Option::<Time>::None))
        .filter(Column::Id.eq(id.0))
        .filter(Column::State.eq(RefundState::Pending))
        .exec(conn)
        .await?;
    Ok(written.rows_affected == 1)
}

/// Puts a pending refund off until an instant.
pub(in crate::payment) async fn postpone_refund(
    conn: &impl ConnectionTrait,
    id: RefundId,
    until: Time,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::NextTryTime, Expr::value(until))
        .col_expr(Column::TryCount, Expr::col(Column::TryCount).add(1))
        .filter(Column::Id.eq(id.0))
        .filter(Column::State.eq(RefundState::Pending))
        .exec(conn)
        .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Sum {
    payment_id: Uuid,
    total: i64,
}

/// What the refunds of payments add up to, without those that failed.
pub(in crate::payment) async fn refund_sums(
    conn: &impl ConnectionTrait,
    payments: impl IntoIterator<Item = PaymentId>,
) -> Result<HashMap<PaymentId, i64>, Error> {
    let ids: Vec<_> = payments.into_iter().map(|payment| payment.0).collect();
    let sums = Entity::find()
        .select_only()
        .column(Column::PaymentId)
        .expr_as(Column::Amount.sum().cast_as("bigint"), "total")
        .filter(Column::PaymentId.is_in(ids))
        .filter(Column::State.ne(RefundState::Failed))
        .group_by(Column::PaymentId)
        .into_model::<Sum>()
        .all(conn)
        .await?;
    Ok(sums.into_iter().map(|sum| (PaymentId(sum.payment_id), sum.total)).collect())
}
