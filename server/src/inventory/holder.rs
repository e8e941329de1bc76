//! Who holds the rooms. Bookings do; inventory knows no more of them than this.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::Inventory;
use super::error::InventoryError;
use crate::error::Error;
use crate::kit::id::BookingId;

/// Who holds rooms.
#[async_trait]
pub trait Holder: Debug + Send + Sync + 'static {
    /// Ends a hold whose time is over, in a transaction of its own; false when it lives, or a twin has ended it.
    async fn expire(&self, booking: BookingId) -> Result<bool, Error>;
}

impl Inventory {
    /// Says who holds rooms. Until then no hold is ended here; a second call changes nothing.
    pub fn held_by(&self, holder: Arc<dyn Holder>) {
        if self.holder.set(holder).is_err() {
            tracing::error!("who holds rooms was said twice; the first stays");
        }
    }

    /// Ends the holds whose time is over that a refusal tells of; whether there were any, so that another try may succeed.
    pub(super) async fn end_stale(&self, refused: &Error) -> Result<bool, Error> {
        let (Some(InventoryError::NightsTaken { stale, .. } | InventoryError::RoomsSold { stale, .. }), Some(holder)) =
            (refused.fault(), self.holder.get())
        else {
            return Ok(false);
        };
        for hold in stale {
            holder.expire(hold.booking).await?;
        }
        Ok(!stale.is_empty())
    }
}
