//! Inventory: the rooms of each night, held and sold.
//!
//! Promises:
//! - for each room type and night, held + sold never exceeds what there is;
//! - all nights of a stay are taken, or none;
//! - a hold that has ended never blocks, with every job stopped: whoever is refused by one is told whose it is;
//! - what is released twice comes back once.
//!
//! A night without a row has as many rooms as its room type says; a row appears with the first hold or edit.

mod check;
mod entity;
mod error;
mod free;
mod hold;
mod model;
mod rooms;
mod settle;
mod store;

pub use self::check::{INVARIANTS, RoomNights};
pub use self::error::InventoryError;
pub use self::free::FreeRooms;
pub use self::hold::Wanted;
pub use self::model::StaleHold;
use crate::kit::Kit;
use crate::kit::holder::Held;

/// Lines from this one on are of a change that is not paid yet: they are held beside what the booking has.
pub const PENDING_LINE: u16 = 1000;

/// The rooms of each night.
#[derive(Clone, Debug)]
pub struct Inventory {
    kit: Kit,
    free: FreeRooms,
    /// By whom rooms are held.
    pub(crate) held: Held,
}

impl Inventory {
    /// Kept in the kit's database.
    pub fn new(kit: Kit) -> Self {
        Self { free: FreeRooms::new(kit.clone()), kit, held: Held::default() }
    }

    /// How many rooms are free, from memory.
    pub fn free(&self) -> &FreeRooms {
        &self.free
    }
}
