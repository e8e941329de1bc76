//! What becomes of held nights: kept, sold, given back; and how many there are to sell.

use super::Inventory;
use super::error::InventoryError;
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

    /// Sets how many rooms of a type are for sale in some nights; refused when more are held and sold in one of them.
    pub async fn set_rooms(&self, tx: &Tx, room_type: RoomTypeId, dates: &[Date], rooms: u32) -> Result<(), Error> {
        for dates in dates.chunks(CHUNK) {
            store::materialise(tx, room_type, dates.iter().copied(), i64::from(rooms)).await?;
            let nights = store::lock_dates(tx, room_type, dates).await?;
            if let Some(night) = nights.iter().find(|night| night.held + night.sold > i64::from(rooms)) {
                let taken = night.held + night.sold;
                return Err(InventoryError::RoomsSold { room_type, date: night.date, taken }.into());
            }
            store::set_total(tx, room_type, dates, i64::from(rooms)).await?;
        }
        self.free.changes_with(tx, room_type);
        Ok(())
    }
}
