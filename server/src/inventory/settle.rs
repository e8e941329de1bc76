//! What becomes of held nights: kept, sold, given back; and how many there are to sell.

use super::Inventory;
use super::error::InventoryError;
use super::model::{RoomNight, StaleHold};
use super::store;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Date;
use crate::kit::id::BookingId;
use crate::kit::tx::Tx;
use crate::stay::RoomTypeId;

/// How many nights are set with one statement.
const CHUNK: usize = 500;

impl Inventory {
    /// Holds a booking's nights until another time; `None` keeps them until they are sold or released.
    pub async fn extend(&self, tx: &Tx, booking: BookingId, expire_time: Option<Time>) -> Result<(), Error> {
        for room_type in store::set_expiry(tx, booking, expire_time).await? {
            self.free.changes_with(tx, room_type);
        }
        Ok(())
    }

    /// Sells a booking's held nights to it.
    pub async fn sell(&self, tx: &Tx, booking: BookingId) -> Result<(), Error> {
        for (room_type, hold) in store::mark_sold(tx, booking).await? {
            store::shift(tx, room_type, hold.nights, -hold.rooms, hold.rooms).await?;
            self.free.changes_with(tx, room_type);
        }
        Ok(())
    }

    /// Gives a booking's nights back, held or sold. What was given back before is not given back again.
    pub async fn release(&self, tx: &Tx, booking: BookingId) -> Result<(), Error> {
        for (room_type, hold) in store::delete_holds(tx, booking).await? {
            let (held, sold) = if hold.sold { (0, -hold.rooms) } else { (-hold.rooms, 0) };
            store::shift(tx, room_type, hold.nights, held, sold).await?;
            self.free.changes_with(tx, room_type);
        }
        Ok(())
    }

    /// Gives back what a booking holds for a change that is not paid.
    pub async fn release_pending(&self, tx: &Tx, booking: BookingId) -> Result<(), Error> {
        for (room_type, hold) in store::delete_pending(tx, booking).await? {
            store::shift(tx, room_type, hold.nights, -hold.rooms, 0).await?;
            self.free.changes_with(tx, room_type);
        }
        Ok(())
    }

    /// Sets how many rooms of a type are for sale in some nights; refused when more are held and sold in one of them, with the
    /// holds on such nights whose time is over.
    pub async fn set_rooms(&self, tx: &Tx, room_type: RoomTypeId, dates: &[Date], rooms: u32) -> Result<(), Error> {
        for dates in dates.chunks(CHUNK) {
            store::materialise(tx, room_type, dates.iter().copied(), i64::from(rooms)).await?;
            let nights = store::lock_dates(tx, room_type, dates).await?;
            let full: Vec<_> = nights.iter().filter(|night| night.held + night.sold > i64::from(rooms)).collect();
            if !full.is_empty() {
                return Err(self.too_few(tx, room_type, &full).await?);
            }
            store::set_total(tx, room_type, dates, i64::from(rooms)).await?;
        }
        self.free.changes_with(tx, room_type);
        Ok(())
    }

    async fn too_few(&self, tx: &Tx, room_type: RoomTypeId, full: &[&RoomNight]) -> Result<Error, Error> {
        let ([first, ..], [.., last]) = (full, full) else { return Err(Error::internal("nothing is too few")) };
        // Perhaps further apart than a stay may be long.
        let dates = (first.date, last.date.succ_opt().unwrap_or(last.date));
        let holds = store::stale_holds(&**tx, room_type, dates, self.kit.clock.now()).await?;
        let in_the_way = holds.into_iter().filter(|hold| full.iter().any(|night| hold.nights.contains(night.date)));
        let stale = in_the_way.map(|hold| StaleHold { booking: hold.booking }).collect();
        let (date, taken) = (first.date, first.held + first.sold);
        Ok(InventoryError::RoomsSold { room_type, date, taken, stale }.into())
    }
}
