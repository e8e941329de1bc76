//! The queries of attempts, one a function. Those of refunds and webhooks stand in modules of their own.

mod refund;
mod webhook;

use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue, Condition, ConnectionTrait, ExprTrait, FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect,
    SqlErr,
};

pub(super) use self::refund::{
    finish_refund, insert_refund, next_refund, postpone_refund, refund_sums, refunds_due, refunds_of, refunds_of_all,
};
pub(super) use self::webhook::{forget_webhooks, insert_webhook, webhook_count};
use super::entity::payment::{ActiveModel, Column, Entity, Model, of_booking};
use super::model::{Failure, Payment, PaymentId, State};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, ChangeId, MemberId};
use crate::kit::money::{Currency, Money};
use crate::kit::page::Page;

fn payment_of(row: Model) -> Result<Payment, Error> {
    let currency: Currency = row.currency.parse().map_err(Error::internal)?;
    let taken: Currency = row.captured_currency.parse().map_err(Error::internal)?;
    let failed = !row.failure_code.is_empty();
    Ok(Payment {
        id: PaymentId(row.id),
        booking: BookingId(row.booking_id),
        change: row.change_id.map(ChangeId),
        number: row.number,
        payer: MemberId(row.member_id),
        seller: MemberId(row.seller_id),
        amount: Money::new(currency, row.amount),
        captured: Money::new(taken, row.captured),
        refunded: Money::new(taken, row.refunded),
        counted: row.counted,
        state: row.state,
        provider: row.provider,
        provider_key: row.provider_key,
        failure: failed.then_some(Failure { code: row.failure_code, message: row.failure_message }),
        idempotency_key: row.idempotency_key,
        return_url: row.return_url,
        order_name: row.order_name,
        version: row.version,
        create_time: row.create_time,
        update_time: row.update_time,
        expire_time: row.expire_time,
        confirm_time: row.confirm_time,
        next_ask_time: row.next_ask_time,
        ask_count: row.ask_count,
    })
}

fn row_of(payment: &Payment) -> Model {
    let failure = payment.failure.clone().unwrap_or_default();
    Model {
        id: payment.id.0,
        booking_id: payment.booking.0,
        change_id: payment.change.map(|change| change.0),
        number: payment.number,
        member_id: payment.payer.0,
        seller_id: payment.seller.0,
        currency: payment.amount.currency.to_string(),
        amount: payment.amount.minor,
        captured_currency: payment.captured.currency.to_string(),
        captured: payment.captured.minor,
        refunded: payment.refunded.minor,
        counted: payment.counted,
        state: payment.state,
        provider: payment.provider.clone(),
        provider_key: payment.provider_key.clone(),
        failure_code: failure.code,
        failure_message: failure.message,
        idempotency_key: payment.idempotency_key.clone(),
        return_url: payment.return_url.clone(),
        order_name: payment.order_name.clone(),
        version: payment.version,
        create_time: payment.create_time,
        update_time: payment.update_time,
        expire_time: payment.expire_time,
        confirm_time: payment.confirm_time,
        next_ask_time: payment.next_ask_time,
        ask_count: payment.ask_count,
    }
}

pub(super) async fn payment(conn: &impl ConnectionTrait, id: PaymentId) -> Result<Option<Payment>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(payment_of).transpose()
}

pub(super) async fn payments(conn: &impl ConnectionTrait, ids: &[PaymentId]) -> Result<Vec<Payment>, Error> {
    let found = Entity::find().filter(Column::Id.is_in(ids.iter().map(|id| id.0)));
    found.all(conn).await?.into_iter().map(payment_of).collect()
}

/// The attempts of a booking, newest first.
pub(super) async fn attempts(conn: &impl ConnectionTrait, booking: BookingId) -> Result<Vec<Payment>, Error> {
    let rows = of_booking(booking).order_by_desc(Column::Number).all(conn).await?;
    rows.into_iter().map(payment_of).collect()
}

/// A page of the attempts of a booking, newest first.
pub(super) async fn attempts_page(
    conn: &impl ConnectionTrait,
    booking: BookingId,
    page: &Page,
) -> Result<Vec<Payment>, Error> {
    let mut found = of_booking(booking).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    found.all(conn).await?.into_iter().map(payment_of).collect()
}

/// Writes an attempt, unless a twin wrote one of the same number, or one that is open.
pub(super) async fn insert(conn: &impl ConnectionTrait, payment: &Payment) -> Result<(), Error> {
    match Entity::insert(row_of(payment).into_active_model()).exec_without_returning(conn).await {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(Error::lost(format!("the attempts of {}", payment.booking)))
        }
        outcome => Ok(outcome.map(|_| ())?),
    }
}

/// Writes an attempt as the next version of what was read.
pub(super) async fn update(conn: &impl ConnectionTrait, payment: Payment, now: Time) -> Result<Payment, Error> {
    let next = Payment { version: payment.version + 1, update_time: now, ..payment };
    let mut row: ActiveModel = row_of(&next).into_active_model().reset_all();
    row.id = ActiveValue::Unchanged(next.id.0);
    let written = Entity::update_many()
        .set(row)
        .filter(Column::Id.eq(next.id.0))
        .filter(Column::Version.eq(payment.version))
        .exec(conn)
        .await?;
    if written.rows_affected == 1 { Ok(next) } else { Err(Error::lost(next.id)) }
}

/// Counts an amount as given back, unless that were more than was captured; whether it was counted.
pub(super) async fn give_back(
    conn: &impl ConnectionTrait,
    id: PaymentId,
    amount: i64,
    now: Time,
) -> Result<bool, Error> {
    let sum = Expr::col(Column::Refunded).add(amount);
    let written = Entity::update_many()
        .col_expr(Column::Refunded, sum.clone())
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdateTime, Expr::value(now))
        .filter(Column::Id.eq(id.0))
        .filter(sum.clone().gte(0))
        .filter(sum.lte(Expr::col(Column::Captured)))
        .exec(conn)
        .await?;
    Ok(written.rows_affected == 1)
}

/// Attempts whose outcome is due to be asked for: under way, or past their expiry.
pub(super) async fn due(conn: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Payment>, Error> {
    let under_way = Condition::all()
        .add(Column::State.is_in([State::Confirming, State::Reconciling]))
        .add(Column::NextAskTime.lte(now));
    let asked_lately = Column::NextAskTime.is_null().or(Column::NextAskTime.lte(now));
    let overdue =
        Condition::all().add(Column::State.eq(State::Ready)).add(Column::ExpireTime.lte(now)).add(asked_lately);
    let found = Entity::find()
        .filter(Condition::any().add(under_way).add(overdue))
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(conn)
        .await?;
    found.into_iter().map(payment_of).collect()
}

/// Attempts whose money came late, was not decided on, and can't be taken any more.
pub(super) async fn undecided(conn: &impl ConnectionTrait, now: Time, limit: u64) -> Result<Vec<Payment>, Error> {
    let found = Entity::find()
        .filter(Column::State.eq(State::NeedsDecision))
        .filter(Column::NextAskTime.lte(now))
        .order_by_asc(Column::NextAskTime)
        .limit(limit)
        .all(conn)
        .await?;
    found.into_iter().map(payment_of).collect()
}

/// Attempts whose outcome has been unknown since before an instant.
pub(super) async fn unknown_since(conn: &impl ConnectionTrait, before: Time) -> Result<Vec<Payment>, Error> {
    let found = Entity::find()
        .filter(Column::State.is_in([State::Confirming, State::Reconciling]))
        .filter(Column::ConfirmTime.lte(before))
        .limit(100)
        .all(conn)
        .await?;
    found.into_iter().map(payment_of).collect()
}

/// Attempts behind one that took money, for a check to walk through.
pub(super) async fn captured_after(
    conn: &impl ConnectionTrait,
    after: Option<PaymentId>,
    limit: u64,
) -> Result<Vec<Payment>, Error> {
    let mut found = Entity::find().filter(Column::Captured.gt(0)).order_by_asc(Column::Id).limit(limit);
    if let Some(after) = after {
        found = found.filter(Column::Id.gt(after.0));
    }
    found.all(conn).await?.into_iter().map(payment_of).collect()
}

/// What payments hold of one booking, in one currency.
#[derive(Debug, FromQueryResult)]
pub(super) struct Kept {
    pub(super) booking_id: Uuid,
    pub(super) currency: String,
    pub(super) counted: bool,
    pub(super) total: i64,
}

/// What was captured and not given back, by booking, currency, and whether the booking counts it.
pub(super) async fn kept(conn: &impl ConnectionTrait) -> Result<Vec<Kept>, Error> {
    let kept = Expr::col(Column::Captured).sub(Expr::col(Column::Refunded)).sum();
    let found = Entity::find()
        .select_only()
        .column(Column::BookingId)
        .column_as(Column::CapturedCurrency, "currency")
        .column(Column::Counted)
        .expr_as(kept.cast_as("bigint"), "total")
        .filter(Column::Captured.gt(0))
        .group_by(Column::BookingId)
        .group_by(Column::CapturedCurrency)
        .group_by(Column::Counted)
        .into_model::<Kept>()
        .all(conn)
        .await?;
    Ok(found)
}
