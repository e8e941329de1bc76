//! What stays ask of inventory: how many rooms are free, and that so many be for sale.

use async_trait::async_trait;

use super::{Inventory, InventoryError, store};
use crate::error::Error;
use crate::kit::date::{Date, Nights};
use crate::kit::tx::Tx;
use crate::stay::{Availability, RoomTypeId, Rooms};

impl Availability for Inventory {
    fn free(&self, room_type: RoomTypeId, room_count: u32, nights: Nights, free: &mut [i32]) {
        let now = self.kit.clock.now();
        let counted = self.free.free(room_type, nights.dates(), room_count, now);
        for (slot, count) in free.iter_mut().zip(counted) {
            *slot = i32::try_from(count).unwrap_or(0);
        }
    }
}

#[async_trait]
impl Rooms for Inventory {
    async fn refresh(&self, room_types: &[RoomTypeId]) -> Result<(), Error> {
        // Other processes may have sold since.
        match self.kit.db.is_shared() {
            true => self.free.reread(room_types).await,
            false => self.free.refresh(room_types).await,
        }
    }

    async fn refresh_changed(&self) -> Result<(), Error> {
        self.free.refresh_changed().await
    }

    fn is_behind(&self) -> bool {
        self.free.is_behind()
    }

    async fn set_rooms(&self, tx: &Tx, room_type: RoomTypeId, dates: &[Date], rooms: u32) -> Result<(), Error> {
        Self::set_rooms(self, tx, room_type, dates, rooms).await
    }

    async fn make_way(&self, refused: &Error) -> Result<bool, Error> {
        let stale: Vec<_> = match refused.fault() {
            Some(InventoryError::NightsTaken { stale, .. } | InventoryError::RoomsSold { stale, .. }) => {
                stale.iter().map(|hold| hold.booking).collect()
            }
            _ => Vec::new(),
        };
        self.held.end(&stale).await
    }

    async fn counted(&self, tx: &Tx, room_type: RoomTypeId, from: Date) -> Result<Vec<Date>, Error> {
        let nights = store::nights_from(&**tx, &[room_type], from).await?;
        Ok(nights.into_iter().map(|(_, night)| night.date).collect())
    }
}
