//! Parts of budgets that are kept for changes of bookings until those are paid.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, QueryOrder};

use crate::coupon::entity::set_aside::{ActiveModel, Column, Entity};
use crate::coupon::model::PolicyId;
use crate::error::Error;
use crate::kit::id::BookingId;
use crate::kit::tx::Tx;

/// Takes what is set aside for a booking, by policy: it is no longer.
pub(in crate::coupon) async fn take(tx: &Tx, booking: BookingId) -> Result<BTreeMap<PolicyId, i64>, Error> {
    let of_booking = Column::BookingId.eq(booking.0);
    let rows = Entity::find().filter(of_booking.clone()).order_by_asc(Column::PolicyId).all(&**tx).await?;
    if !rows.is_empty() {
        Entity::delete_many().filter(of_booking).exec(&**tx).await?;
    }
    Ok(rows.into_iter().map(|row| (PolicyId(row.policy_id), row.amount)).collect())
}

/// Sets amounts aside for a booking for which nothing is.
pub(in crate::coupon) async fn put(
    tx: &Tx,
    booking: BookingId,
    amounts: &BTreeMap<PolicyId, i64>,
) -> Result<(), Error> {
    let rows = amounts.iter().map(|(policy, amount)| ActiveModel {
        booking_id: ActiveValue::Set(booking.0),
        policy_id: ActiveValue::Set(policy.0),
        amount: ActiveValue::Set(*amount),
    });
    Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}
