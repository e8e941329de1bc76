//! The queries of inventory, one a function.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait, DatabaseBackend, ExprTrait, QueryOrder, QuerySelect};

use super::entity::{night_hold, room_night};
use super::model::{Hold, RoomNight};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::{Date, Nights};
use crate::kit::id::BookingId;
use crate::kit::tx::Tx;
use crate::stay::RoomTypeId;

use room_night::Column;

fn of_nights(room_type: RoomTypeId, nights: Nights) -> sea_orm::Condition {
    sea_orm::Condition::all()
        .add(Column::RoomTypeId.eq(room_type.0))
        .add(Column::Date.gte(nights.check_in()))
        .add(Column::Date.lt(nights.check_out()))
}

/// The nights of a stay that have rows, locked in the order of their dates, so that overlapping stays can't lock each other
/// out. SQLite has one writer, and nothing to lock.
pub(super) async fn lock(tx: &Tx, room_type: RoomTypeId, nights: Nights) -> Result<Vec<RoomNight>, Error> {
    let mut rows = room_night::Entity::find().filter(of_nights(room_type, nights)).order_by_asc(Column::Date);
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        rows = rows.lock_exclusive();
    }
    Ok(rows.all(&**tx).await?.into_iter().map(RoomNight::from).collect())
}

/// Adds to `held` in every night that has the rooms; how many nights had.
pub(super) async fn take(tx: &Tx, room_type: RoomTypeId, nights: Nights, rooms: i64) -> Result<u64, Error> {
    let taken = room_night::Entity::update_many()
        .col_expr(Column::Held, Expr::col(Column::Held).add(rooms))
        .filter(of_nights(room_type, nights))
        .filter(Expr::col(Column::Held).add(Expr::col(Column::Sold)).add(rooms).lte(Expr::col(Column::Total)))
        .exec(&**tx)
        .await?;
    Ok(taken.rows_affected)
}

/// Moves rooms between `held` and `sold`, or gives them back.
pub(super) async fn shift(tx: &Tx, room_type: RoomTypeId, nights: Nights, held: i64, sold: i64) -> Result<(), Error> {
    lock(tx, room_type, nights).await?;
    let shifted = room_night::Entity::update_many()
        .col_expr(Column::Held, Expr::col(Column::Held).add(held))
        .col_expr(Column::Sold, Expr::col(Column::Sold).add(sold))
        .filter(of_nights(room_type, nights))
        .exec(&**tx)
        .await?;
    match shifted.rows_affected == u64::from(nights.count()) {
        true => Ok(()),
        false => Err(Error::internal(format!("{room_type} has no rows for nights that are held"))),
    }
}

/// Makes the rows that are missing, with the rooms that the room type has.
pub(super) async fn materialise(
    tx: &Tx,
    room_type: RoomTypeId,
    dates: impl Iterator<Item = Date>,
    total: i64,
) -> Result<(), Error> {
    let rows = dates.map(|date| room_night::ActiveModel {
        room_type_id: ActiveValue::Set(room_type.0),
        date: ActiveValue::Set(date),
        total: ActiveValue::Set(total),
        held: ActiveValue::Set(0),
        sold: ActiveValue::Set(0),
    });
    let mut missing = OnConflict::columns([Column::RoomTypeId, Column::Date]);
    missing.do_nothing();
    let made = room_night::Entity::insert_many(rows).on_conflict(missing).exec_without_returning(&**tx).await;
    match made {
        Ok(_) | Err(DbErr::RecordNotInserted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Some nights that have rows, locked in the order of their dates.
pub(super) async fn lock_dates(tx: &Tx, room_type: RoomTypeId, dates: &[Date]) -> Result<Vec<RoomNight>, Error> {
    let mut rows = room_night::Entity::find()
        .filter(Column::RoomTypeId.eq(room_type.0))
        .filter(Column::Date.is_in(dates.iter().copied()))
        .order_by_asc(Column::Date);
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        rows = rows.lock_exclusive();
    }
    Ok(rows.all(&**tx).await?.into_iter().map(RoomNight::from).collect())
}

/// Sets how many rooms there are in some nights, which are locked and whose held and sold rooms it holds.
pub(super) async fn set_total(tx: &Tx, room_type: RoomTypeId, dates: &[Date], total: i64) -> Result<(), Error> {
    room_night::Entity::update_many()
        .col_expr(Column::Total, Expr::value(total))
        .filter(Column::RoomTypeId.eq(room_type.0))
        .filter(Column::Date.is_in(dates.iter().copied()))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Every night from a date on that has a row, of many room types.
pub(super) async fn nights_from(
    conn: &impl ConnectionTrait,
    room_types: &[RoomTypeId],
    from: Date,
) -> Result<Vec<(RoomTypeId, RoomNight)>, Error> {
    let rows = room_night::Entity::find()
        .filter(Column::RoomTypeId.is_in(room_types.iter().map(|id| id.0)))
        .filter(Column::Date.gte(from));
    Ok(rows.all(conn).await?.into_iter().map(|row| (RoomTypeId(row.room_type_id), row.into())).collect())
}

/// The holds on room types that reach beyond a date.
pub(super) async fn holds_from(
    conn: &impl ConnectionTrait,
    room_types: &[RoomTypeId],
    from: Date,
) -> Result<Vec<(RoomTypeId, Hold)>, Error> {
    let rows = night_hold::Entity::find()
        .filter(night_hold::Column::RoomTypeId.is_in(room_types.iter().map(|id| id.0)))
        .filter(night_hold::Column::CheckOut.gt(from))
        .filter(night_hold::Column::State.eq(HELD));
    rows.all(conn).await?.into_iter().map(|row| Ok((RoomTypeId(row.room_type_id), hold(row)?))).collect()
}

/// The holds of others that stand in the way of a stay and whose time is over.
pub(super) async fn stale_holds(
    conn: &impl ConnectionTrait,
    room_type: RoomTypeId,
    nights: Nights,
    now: Time,
) -> Result<Vec<Hold>, Error> {
    let rows = night_hold::Entity::find()
        .filter(night_hold::Column::RoomTypeId.eq(room_type.0))
        .filter(night_hold::Column::CheckOut.gt(nights.check_in()))
        .filter(night_hold::Column::CheckIn.lt(nights.check_out()))
        .filter(night_hold::Column::State.eq(HELD))
        .filter(night_hold::Column::ExpireTime.lte(now));
    rows.all(conn).await?.into_iter().map(hold).collect()
}

const HELD: &str = "HELD";
const SOLD: &str = "SOLD";

pub(super) async fn insert_hold(tx: &Tx, room_type: RoomTypeId, hold: &Hold) -> Result<(), Error> {
    let row = night_hold::ActiveModel {
        booking_id: ActiveValue::Set(hold.booking.0),
        line: ActiveValue::Set(hold.line),
        room_type_id: ActiveValue::Set(room_type.0),
        check_in: ActiveValue::Set(hold.nights.check_in()),
        check_out: ActiveValue::Set(hold.nights.check_out()),
        room_count: ActiveValue::Set(hold.rooms),
        state: ActiveValue::Set(if hold.sold { SOLD } else { HELD }.to_owned()),
        expire_time: ActiveValue::Set(hold.expire_time),
    };
    night_hold::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Sets until when a booking's holds last; `None` is until someone says otherwise.
pub(super) async fn set_expiry(
    tx: &Tx,
    booking: BookingId,
    expire_time: Option<Time>,
) -> Result<Vec<RoomTypeId>, Error> {
    let rows = night_hold::Entity::update_many()
        .col_expr(night_hold::Column::ExpireTime, Expr::value(expire_time))
        .filter(night_hold::Column::BookingId.eq(booking.0))
        .filter(night_hold::Column::State.eq(HELD))
        .exec_with_returning(&**tx)
        .await?;
    Ok(rows.into_iter().map(|row| RoomTypeId(row.room_type_id)).collect())
}

/// Marks a booking's holds as sold; those that were not before, in lock order.
pub(super) async fn mark_sold(tx: &Tx, booking: BookingId) -> Result<Vec<(RoomTypeId, Hold)>, Error> {
    let rows = night_hold::Entity::update_many()
        .col_expr(night_hold::Column::State, Expr::value(SOLD))
        .col_expr(night_hold::Column::ExpireTime, Expr::value(None::<Time>))
        .filter(night_hold::Column::BookingId.eq(booking.0))
        .filter(night_hold::Column::State.eq(HELD))
        .exec_with_returning(&**tx)
        .await?;
    in_lock_order(rows)
}

/// Deletes a booking's holds; those that there were, in lock order.
pub(super) async fn delete_holds(tx: &Tx, booking: BookingId) -> Result<Vec<(RoomTypeId, Hold)>, Error> {
    let rows = night_hold::Entity::delete_many()
        .filter(night_hold::Column::BookingId.eq(booking.0))
        .exec_with_returning(&**tx)
        .await?;
    in_lock_order(rows)
}

fn in_lock_order(mut rows: Vec<night_hold::Model>) -> Result<Vec<(RoomTypeId, Hold)>, Error> {
    rows.sort_by_key(|row| (row.room_type_id, row.check_in));
    rows.into_iter().map(|row| Ok((RoomTypeId(row.room_type_id), hold(row)?))).collect()
}

impl From<room_night::Model> for RoomNight {
    fn from(row: room_night::Model) -> Self {
        Self { date: row.date, total: row.total, held: row.held, sold: row.sold }
    }
}

fn hold(row: night_hold::Model) -> Result<Hold, Error> {
    Ok(Hold {
        booking: BookingId(row.booking_id),
        line: row.line,
        nights: Nights::between(row.check_in, row.check_out).map_err(Error::internal)?,
        rooms: row.room_count,
        sold: row.state == SOLD,
        expire_time: row.expire_time,
    })
}

/// Every night that has a row, for the check.
pub(super) async fn all_nights(conn: &impl ConnectionTrait) -> Result<Vec<(RoomTypeId, RoomNight)>, Error> {
    let touched = Expr::col(Column::Held).add(Expr::col(Column::Sold)).gt(0);
    let rows = room_night::Entity::find().filter(touched).all(conn).await?;
    Ok(rows.into_iter().map(|row| (RoomTypeId(row.room_type_id), row.into())).collect())
}

/// Every hold, for the check.
pub(super) async fn all_holds(conn: &impl ConnectionTrait) -> Result<Vec<(RoomTypeId, Hold)>, Error> {
    let rows = night_hold::Entity::find().all(conn).await?;
    rows.into_iter().map(|row| Ok((RoomTypeId(row.room_type_id), hold(row)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    /// Guard: the condition on held + sold in the statement that takes nights. With one writer, or with the rows locked, what
    /// was read before it says the same, so it is asked alone here.
    #[tokio::test]
    async fn nights_that_have_too_few_rooms_are_not_taken() {
        let yeyak = Harness::new().await;
        let room_type = RoomTypeId::new(&yeyak.kit.ids, yeyak.kit.clock.now());
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let both = Nights::between(date("2026-05-01"), date("2026-05-03")).expect("a stay");
        let last = Nights::between(date("2026-05-02"), date("2026-05-03")).expect("a stay");
        let take = async |nights, rooms| yeyak.db.write(async |tx| take(&tx, room_type, nights, rooms).await).await;
        yeyak.db.write(async |tx| materialise(&tx, room_type, both.dates(), 2).await).await.expect("makes rows");
        assert_eq!(take(last, 1).await.expect("takes"), 1);

        let taken = take(both, 2).await.expect("takes what there is");

        assert_eq!(taken, 1, "one of the two nights has two rooms");
    }
}
