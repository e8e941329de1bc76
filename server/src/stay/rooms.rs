//! What stays need of whoever counts rooms, which stands above them.

use async_trait::async_trait;

use super::Stays;
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

    /// Whether what other processes sold could not be asked for.
    fn is_behind(&self) -> bool;

    /// Sets how many rooms are for sale in some nights, in the transaction of the caller; refused when more are held and sold
    /// in one of them.
    async fn set_rooms(&self, tx: &Tx, room_type: RoomTypeId, dates: &[Date], rooms: u32) -> Result<(), Error>;

    /// Ends the holds whose time is over that a refusal of [`Rooms::set_rooms`] tells of; whether there were any, so that another
    /// try may succeed. To be called behind the transaction that was refused.
    async fn make_way(&self, refused: &Error) -> Result<bool, Error>;

    /// The nights from a date on that have a count of their own, so that they don't follow the room type's.
    async fn counted(&self, tx: &Tx, room_type: RoomTypeId, from: Date) -> Result<Vec<Date>, Error>;
}

impl Stays {
    /// Runs an operation that sets rooms. When holds whose time is over stand in its way they are ended, and it runs once more:
    /// so a stale hold never blocks, with every job stopped.
    pub(super) async fn making_way<T, F, Fut>(&self, operation: F) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        match operation().await {
            Err(refused) if self.rooms.make_way(&refused).await? => operation().await,
            outcome => outcome,
        }
    }
}
