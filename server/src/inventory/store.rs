//! The queries of inventory, one a function.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait, ExprTrait, QueryOrder, QuerySelect, QueryTrait};

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

/// Takes rooms in every night that has them, and tells which nights those were. A night without a row gets one, with the rooms
/// that the type has. Rows are written, and so locked, in the order of their dates, whether they have the rooms or not:
/// overlapping stays can't lock each other out.
pub(super) async fn take(
    tx: &Tx,
    room_type: RoomTypeId,
    nights: Nights,
    rooms: i64,
    room_count: i64,
) -> Result<Vec<Date>, Error> {
    if rooms > room_count {
        // A row that is made here can't have them; one that is there may.
        materialise(tx, room_type, nights.dates(), room_count).await?;
    }
    let rows = nights.dates().map(|date| row(room_type, date, Ord::max(room_count, rooms), rooms));
    let column = |column: Column| Expr::col((room_night::Entity, column));
    let mut take = OnConflict::columns([Column::RoomTypeId, Column::Date]);
    take.value(Column::Held, column(Column::Held).add(rooms))
        .action_and_where(column(Column::Held).add(column(Column::Sold)).add(rooms).lte(column(Column::Total)));
    let taken = room_night::Entity::insert_many(rows).on_conflict(take).exec_with_returning(&**tx).await?;
    Ok(taken.into_iter().map(|night| night.date).collect())
}

/// Gives rooms back that were held in some nights, which this transaction has locked.
pub(super) async fn give(tx: &Tx, room_type: RoomTypeId, dates: &[Date], rooms: i64) -> Result<(), Error> {
    if dates.is_empty() {
        return Ok(());
    }
    room_night::Entity::update_many()
        .col_expr(Column::Held, Expr::col(Column::Held).sub(rooms))
        .filter(Column::RoomTypeId.eq(room_type.0))
        .filter(Column::Date.is_in(dates.iter().copied()))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Moves rooms between `held` and `sold`, or gives them back.
pub(super) async fn shift(tx: &Tx, room_type: RoomTypeId, nights: Nights, held: i64, sold: i64) -> Result<(), Error> {
    let mut shift = room_night::Entity::update_many()
        .col_expr(Column::Held, Expr::col(Column::Held).add(held))
        .col_expr(Column::Sold, Expr::col(Column::Sold).add(sold))
        .filter(of_nights(room_type, nights));
    if tx.has_others() {
        // Locked in the order of their dates first: an update by itself takes them in any.
        let in_order =
            room_night::Entity::find().select_only().column(Column::Date).filter(of_nights(room_type, nights));
        let in_order = in_order.order_by_asc(Column::Date).lock_exclusive().into_query();
        shift = shift.filter(Column::Date.in_subquery(in_order));
    }
    let shifted = shift.exec(&**tx).await?;
    match shifted.rows_affected == u64::from(nights.count()) {
        true => Ok(()),
        false => Err(Error::internal(format!("{room_type} has no rows for nights that are held"))),
    }
}

fn row(room_type: RoomTypeId, date: Date, total: i64, held: i64) -> room_night::ActiveModel {
    room_night::ActiveModel {
        room_type_id: ActiveValue::Set(room_type.0),
        date: ActiveValue::Set(date),
        total: ActiveValue::Set(total),
        held: ActiveValue::Set(held),
        sold: ActiveValue::Set(0),
    }
}

/// Makes the rows that are missing, with the rooms that the room type has.
pub(super) async fn materialise(
    tx: &Tx,
    room_type: RoomTypeId,
    dates: impl Iterator<Item = Date>,
    total: i64,
) -> Result<(), Error> {
    let rows = dates.map(|date| row(room_type, date, total, 0));
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
    let rows = room_night::Entity::find()
        .filter(Column::RoomTypeId.eq(room_type.0))
        .filter(Column::Date.is_in(dates.iter().copied()))
        .order_by_asc(Column::Date)
        .lock_exclusive();
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
    (first, behind): (Date, Date),
    now: Time,
) -> Result<Vec<Hold>, Error> {
    let rows = night_hold::Entity::find()
        .filter(night_hold::Column::RoomTypeId.eq(room_type.0))
        .filter(night_hold::Column::CheckOut.gt(first))
        .filter(night_hold::Column::CheckIn.lt(behind))
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

/// Deletes one of a booking's holds.
pub(super) async fn delete_hold(tx: &Tx, booking: BookingId, line: u16) -> Result<(), Error> {
    night_hold::Entity::delete_by_id((booking.0, i64::from(line))).exec(&**tx).await?;
    Ok(())
}

/// Deletes what a booking holds for a change that is not paid; those holds, in lock order.
pub(super) async fn delete_pending(tx: &Tx, booking: BookingId) -> Result<Vec<(RoomTypeId, Hold)>, Error> {
    let rows = night_hold::Entity::delete_many()
        .filter(night_hold::Column::BookingId.eq(booking.0))
        .filter(night_hold::Column::Line.gte(i64::from(super::PENDING_LINE)))
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

    /// Guard: the condition on held + sold in the statement that takes nights; the CHECK of the table alone would be an error.
    #[tokio::test]
    async fn nights_that_have_too_few_rooms_are_not_taken() {
        let yeyak = Harness::new().await;
        let room_type = RoomTypeId::new(&yeyak.kit.ids, yeyak.kit.clock.now());
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let days = ["2026-05-01", "2026-05-02", "2026-05-03"].map(date);
        let both = Nights::between(days[0], days[2]).expect("a stay");
        let last = Nights::between(days[1], days[2]).expect("a stay");
        let take = async |nights, rooms, room_count| {
            yeyak.db.write(async |tx| take(&tx, room_type, nights, rooms, room_count).await).await.expect("takes")
        };
        assert_eq!(take(last, 1, 2).await, [days[1]]);

        assert_eq!(take(both, 2, 2).await, [days[0]], "one of the two nights has two rooms");
        assert_eq!(take(last, 1, 2).await, [days[1]]);
        assert_eq!(take(both, 1, 2).await, [], "all are taken");
        let next = Nights::between(days[2], days[2].succ_opt().expect("a day")).expect("a stay");
        assert_eq!(take(next, 3, 2).await, [], "more than the type has");
        assert_eq!(take(next, 2, 2).await, [days[2]]);
    }
}
