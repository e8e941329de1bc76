//! Holding nights: all or none.

use super::Inventory;
use super::error::InventoryError;
use super::model::{Hold, StaleHold};
use super::store;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::{Date, Nights};
use crate::kit::id::BookingId;
use crate::kit::tx::Tx;
use crate::stay::RoomTypeId;

/// Nights that a booking wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which line of the booking they are.
    pub line: u16,
    /// Rooms of which type.
    pub room_type: RoomTypeId,
    /// Which nights.
    pub nights: Nights,
    /// How many rooms in each.
    pub rooms: u16,
    /// How many rooms the type has in a night that nobody has touched.
    pub room_count: u32,
}

impl Inventory {
    /// Holds every night that is wanted, or none, until `expire_time`. Refused with the nights that have too few rooms, and
    /// with the holds on them whose time is over.
    pub async fn hold(
        &self,
        tx: &Tx,
        booking: BookingId,
        wanted: &[Wanted],
        expire_time: Option<Time>,
    ) -> Result<(), Error> {
        let mut wanted = wanted.to_vec();
        wanted.sort_by_key(|line| (line.room_type, line.nights.check_in()));
        for line in wanted {
            let rooms = i64::from(line.rooms);
            store::materialise(tx, line.room_type, line.nights.dates(), i64::from(line.room_count)).await?;
            let nights = store::lock(tx, line.room_type, line.nights).await?;
            let full: Vec<_> = nights.iter().filter(|night| night.left() < rooms).map(|night| night.date).collect();
            if !full.is_empty() {
                return Err(self.refusal(tx, &line, full).await?);
            }
            // Asserted again by the write itself: what was read a moment ago is no guard.
            if store::take(tx, line.room_type, line.nights, rooms).await? < u64::from(line.nights.count()) {
                return Err(Error::lost(line.room_type));
            }
            let hold =
                Hold { booking, line: i64::from(line.line), nights: line.nights, rooms, sold: false, expire_time };
            store::insert_hold(tx, line.room_type, &hold).await?;
            self.free.changes_with(tx, line.room_type);
        }
        Ok(())
    }

    async fn refusal(&self, tx: &Tx, line: &Wanted, dates: Vec<Date>) -> Result<Error, Error> {
        let now = self.kit.clock.now();
        let stale = store::stale_holds(&**tx, line.room_type, line.nights, now).await?;
        let stale = stale.into_iter().map(|hold| StaleHold { booking: hold.booking }).collect();
        Ok(InventoryError::NightsTaken { room_type: line.room_type, dates, stale }.into())
    }
}
