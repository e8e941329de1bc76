//! Coupons that are given: receipt and coupon at once, without a place.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait, QuerySelect, SqlErr};

use super::among;
use crate::coupon::entity::receipt::{ActiveModel, Column, Entity, Model};
use crate::coupon::entity::{coupon, receipt};
use crate::coupon::model::{Coupon, CouponId, Policy, PolicyId, Receipt, ReceiptId, State};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;

/// What a member has of a policy, as far as it decides about one more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::coupon) struct Taken {
    pub(in crate::coupon) member: MemberId,
    /// None: it was taken back.
    pub(in crate::coupon) ordinal: Option<i64>,
    pub(in crate::coupon) day_slot: Option<i64>,
    pub(in crate::coupon) once: Option<Uuid>,
}

/// A coupon to be given.
#[derive(Clone, Copy, Debug)]
pub(in crate::coupon) struct New {
    pub(in crate::coupon) id: ReceiptId,
    pub(in crate::coupon) member: MemberId,
    pub(in crate::coupon) ordinal: i64,
    pub(in crate::coupon) day_slot: Option<i64>,
    pub(in crate::coupon) token: Uuid,
    pub(in crate::coupon) once: Option<Uuid>,
}

/// What members have of a policy.
pub(in crate::coupon) async fn taken(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    members: &[MemberId],
) -> Result<Vec<Taken>, Error> {
    let rows = Entity::find()
        .filter(Column::PolicyId.eq(policy.0))
        .filter(among(conn, Column::MemberId, members.iter().map(|member| member.0).collect()))
        .all(conn)
        .await?;
    let taken = |Model { member_id, ordinal, day_slot, once, .. }| Taken {
        member: MemberId(member_id),
        ordinal,
        day_slot,
        once,
    };
    Ok(rows.into_iter().map(taken).collect())
}

/// Writes receipts and their coupons. Where a row forbids one of them, another call has given its member one meanwhile.
pub(in crate::coupon) async fn insert(
    tx: &Tx,
    policy: &Policy,
    given: &[New],
    created_by: &str,
    now: Time,
) -> Result<(), Error> {
    let receipts = given.iter().map(|new| ActiveModel {
        id: ActiveValue::Set(new.id.0),
        policy_id: ActiveValue::Set(policy.id.0),
        member_id: ActiveValue::Set(new.member.0),
        ordinal: ActiveValue::Set(Some(new.ordinal)),
        place: ActiveValue::Set(None),
        day_slot: ActiveValue::Set(new.day_slot),
        token: ActiveValue::Set(new.token),
        once: ActiveValue::Set(new.once),
        gift_of: ActiveValue::Set(None),
        expire_time: ActiveValue::Set(policy.expiry(now)),
        created_by: ActiveValue::Set(created_by.to_owned()),
        create_time: ActiveValue::Set(now),
        cancel_time: ActiveValue::Set(None),
        cancel_reason: ActiveValue::Set(String::new()),
    });
    unless_taken(policy.id, Entity::insert_many(receipts).exec_without_returning(&**tx).await)?;
    let coupons = given
        .iter()
        .map(|new| coupon_row(CouponId::from(new.id), policy, new.member, State::Available, created_by, now));
    coupon::Entity::insert_many(coupons).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes that a member was given a coupon by another: it is one of those that they may have.
pub(in crate::coupon) async fn insert_gift(
    tx: &Tx,
    id: ReceiptId,
    given: &Coupon,
    ordinal: i64,
    created_by: &str,
    now: Time,
) -> Result<(), Error> {
    let row = ActiveModel {
        id: ActiveValue::Set(id.0),
        policy_id: ActiveValue::Set(given.policy.0),
        member_id: ActiveValue::Set(given.member.0),
        ordinal: ActiveValue::Set(Some(ordinal)),
        place: ActiveValue::Set(None),
        day_slot: ActiveValue::Set(None),
        token: ActiveValue::Set(id.0),
        once: ActiveValue::Set(None),
        gift_of: ActiveValue::Set(Some(given.id.0)),
        expire_time: ActiveValue::Set(given.expire_time),
        created_by: ActiveValue::Set(created_by.to_owned()),
        create_time: ActiveValue::Set(now),
        // No issuer makes a coupon of it, and nobody counts it as a receipt.
        cancel_time: ActiveValue::Set(Some(now)),
        cancel_reason: ActiveValue::Set(String::new()),
    };
    unless_taken(given.policy, Entity::insert(row).exec_without_returning(&**tx).await)?;
    Ok(())
}

fn unless_taken<T>(policy: PolicyId, outcome: Result<T, DbErr>) -> Result<T, Error> {
    match outcome {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(Error::lost(format!("what a member has of {policy}")))
        }
        outcome => Ok(outcome?),
    }
}

fn coupon_row(
    id: CouponId,
    policy: &Policy,
    member: MemberId,
    state: State,
    created_by: &str,
    now: Time,
) -> coupon::ActiveModel {
    coupon::ActiveModel {
        id: ActiveValue::Set(id.0),
        policy_id: ActiveValue::Set(policy.id.0),
        member_id: ActiveValue::Set(member.0),
        state: ActiveValue::Set(state.name().to_owned()),
        version: ActiveValue::Set(1),
        expire_time: ActiveValue::Set(policy.expiry(now)),
        booking_id: ActiveValue::Set(None),
        hold_expire_time: ActiveValue::Set(None),
        gift_from: ActiveValue::Set(None),
        created_by: ActiveValue::Set(created_by.to_owned()),
        create_time: ActiveValue::Set(now),
        update_time: ActiveValue::Set(now),
    }
}

/// Writes the coupon of a receipt as revoked, unless it is there already; whether it was written. Who issues it at this moment is
/// waited for, and who comes behind finds it there.
pub(in crate::coupon) async fn forestall(
    tx: &Tx,
    policy: &Policy,
    receipt: &Receipt,
    created_by: &str,
    now: Time,
) -> Result<bool, Error> {
    let row = coupon_row(receipt.id.into(), policy, receipt.member, State::Revoked, created_by, now);
    let written = coupon::Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&**tx).await?;
    Ok(matches!(written, sea_orm::TryInsertResult::Inserted(1)))
}

/// What a gate knows a receipt by.
pub(in crate::coupon) async fn token(conn: &impl ConnectionTrait, id: ReceiptId) -> Result<Option<Uuid>, Error> {
    let token = Entity::find_by_id(id.0).select_only().column(Column::Token);
    Ok(token.into_tuple().one(conn).await?)
}

/// Takes a receipt back: its place, and that of its member, are free again. Refused where another was faster.
pub(in crate::coupon) async fn cancel(tx: &Tx, receipt: &Receipt, reason: &str, now: Time) -> Result<(), Error> {
    let absent = || Expr::value(None::<i64>);
    let written = receipt::Entity::update_many()
        .col_expr(Column::Ordinal, absent())
        .col_expr(Column::Place, absent())
        .col_expr(Column::DaySlot, absent())
        .col_expr(Column::CancelTime, Expr::value(now))
        .col_expr(Column::CancelReason, Expr::value(reason))
        .filter(Column::Id.eq(receipt.id.0))
        .filter(Column::CancelTime.is_null())
        .exec(&**tx)
        .await?;
    if written.rows_affected != 1 {
        return Err(Error::lost(receipt.id));
    }
    // Who has it now may have another.
    receipt::Entity::update_many()
        .col_expr(Column::Ordinal, absent())
        .filter(Column::PolicyId.eq(receipt.policy.0))
        .filter(Column::GiftOf.eq(receipt.id.0))
        .exec(&**tx)
        .await?;
    Ok(())
}
