//! Who holds what is held. Bookings do; the domains that they rest on know no more of them than this.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::id::BookingId;
use crate::error::Error;

/// Who holds things for a while.
#[async_trait]
pub trait Holder: Debug + Send + Sync + 'static {
    /// Ends a hold whose time is over, in a transaction of its own; false when it lives, or a twin has ended it.
    async fn expire(&self, booking: BookingId) -> Result<bool, Error>;
}

/// The holder of a domain's things, once it is there.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<OnceLock<Arc<dyn Holder>>>);

impl Held {
    /// Says who it is. Until then no hold is ended here; a second call changes nothing.
    pub fn by(&self, holder: Arc<dyn Holder>) {
        if self.0.set(holder).is_err() {
            tracing::error!("who holds was said twice; the first stays");
        }
    }

    /// Ends holds whose time is over; whether there were any, so that who was refused for them may succeed now.
    pub async fn end(&self, stale: &[BookingId]) -> Result<bool, Error> {
        let Some(holder) = self.0.get() else { return Ok(false) };
        for booking in stale {
            holder.expire(*booking).await?;
        }
        Ok(!stale.is_empty())
    }
}
