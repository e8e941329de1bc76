//! The queries of changes that are to be paid first.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::{json, parsed};
use crate::booking::entity::{booking, change};
use crate::booking::model::Booking;
use crate::booking::pending::PendingChange;
use crate::booking::token::{QuotedLine, QuotedTerms};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, ChangeId};
use crate::kit::tx::Tx;

fn read(row: change::Model) -> Result<PendingChange, Error> {
    Ok(PendingChange {
        booking: BookingId(row.booking_id),
        id: ChangeId(row.id),
        version: row.version,
        line: parsed::<QuotedLine>(&row.line)?.line()?,
        discounts: parsed(&row.discounts)?,
        terms: row.terms.map(|terms| parsed::<QuotedTerms>(&terms)?.terms()).transpose()?,
        due: row.due,
        fee_floor: row.fee_floor,
        expire_time: row.expire_time,
        limit_time: row.limit_time,
    })
}

/// The change of a booking that is to be paid.
pub(in crate::booking) async fn of(
    conn: &impl ConnectionTrait,
    booking: BookingId,
) -> Result<Option<PendingChange>, Error> {
    change::Entity::find_by_id(booking.0).one(conn).await?.map(read).transpose()
}

/// Every change that is to be paid.
pub(in crate::booking) async fn all(conn: &impl ConnectionTrait) -> Result<Vec<PendingChange>, Error> {
    change::Entity::find().all(conn).await?.into_iter().map(read).collect()
}

/// Writes a change that is to be paid, in place of any other of its booking.
pub(in crate::booking) async fn put(tx: &Tx, pending: &PendingChange) -> Result<(), Error> {
    let row = change::Model {
        booking_id: pending.booking.0,
        id: pending.id.0,
        version: pending.version,
        line: json(&QuotedLine::from(&pending.line))?,
        discounts: json(&pending.discounts)?,
        terms: pending.terms.as_ref().map(|terms| json(&QuotedTerms::from(terms))).transpose()?,
        due: pending.due,
        fee_floor: pending.fee_floor,
        expire_time: pending.expire_time,
        limit_time: pending.limit_time,
    };
    use change::Column;
    let mut replace = OnConflict::column(Column::BookingId);
    replace.update_columns([
        Column::Id,
        Column::Version,
        Column::Line,
        Column::Discounts,
        Column::Terms,
        Column::Due,
        Column::FeeFloor,
        Column::ExpireTime,
        Column::LimitTime,
    ]);
    change::Entity::insert(row.into_active_model()).on_conflict(replace).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Forgets the change of a booking that was to be paid.
pub(in crate::booking) async fn delete(tx: &Tx, booking: BookingId) -> Result<(), Error> {
    change::Entity::delete_by_id(booking.0).exec(&**tx).await?;
    Ok(())
}

/// The bookings whose change was not paid in time.
pub(in crate::booking) async fn overdue(
    conn: &impl ConnectionTrait,
    now: Time,
    limit: u64,
) -> Result<Vec<BookingId>, Error> {
    let rows = change::Entity::find()
        .filter(change::Column::ExpireTime.lte(now))
        .order_by_asc(change::Column::ExpireTime)
        .limit(limit)
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| BookingId(row.booking_id)).collect())
}

/// Locks a booking as it was read, unless another change was faster: first of all locks, as the order has it.
pub(in crate::booking) async fn lock(tx: &Tx, read: &Booking) -> Result<(), Error> {
    let locked = booking::Entity::update_many()
        .col_expr(booking::Column::Version, Expr::value(read.version))
        .filter(booking::Column::Id.eq(read.id.0))
        .filter(booking::Column::Version.eq(read.version))
        .exec(&**tx)
        .await?;
    if locked.rows_affected == 1 { Ok(()) } else { Err(Error::lost(read.id)) }
}
