//! What stays need of whoever counts rooms, which stands above them.

use async_trait::async_trait;

use super::index::Availability;
use super::model::RoomTypeId;
use crate::error::Error;
use crate::kit::date::Date;
use crate::kit::tx::Tx;

/// Counts the rooms of each night. Inventory does.
#[async_trait]
pub trait Rooms: Availability {
    /// Brings what [`Availability::free`] knows of some room types up to date.
    async fn refresh(&self, room_types: &[RoomTypeId]) -> Result<(), Error>;

    /// Brings up to date whatever has changed since it was read; costs nothing when nothing has.
    async fn refresh_changed(&self) -> Result<(), Error>;

    /// Sets how many rooms are for sale in some nights, in the transaction of the caller; refused when more are held and sold
    /// in one of them.
    async fn set_rooms(&self, tx: &Tx, room_type: RoomTypeId, dates: &[Date], rooms: u32) -> Result<(), Error>;

    /// The nights from a date on that have a count of their own, so that they don't follow the room type's.
    async fn counted(&self, tx: &Tx, room_type: RoomTypeId, from: Date) -> Result<Vec<Date>, Error>;
}
