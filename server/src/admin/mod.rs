//! What admins see of the whole platform: whether its promises hold.

mod rpc;

use crate::booking::{self, Bookings};
use crate::coupon::{self, Coupons};
use crate::error::Error;
use crate::inventory::{self, Inventory};
use crate::kit::check::Violation;
use crate::ledger::Ledger;
use crate::payment::Payments;
use crate::point::{self, Points};

/// Compares the tables with the promises of the platform.
#[derive(Clone, Debug)]
pub struct Checks {
    pub(crate) inventory: Inventory,
    pub(crate) coupons: Coupons,
    pub(crate) points: Points,
    pub(crate) ledger: Ledger,
    pub(crate) payments: Payments,
    pub(crate) bookings: Bookings,
}

impl Checks {
    /// Every promise that is checked, in words.
    pub fn invariants() -> impl Iterator<Item = &'static str> {
        let rooms = inventory::INVARIANTS.iter().copied();
        let bookings = booking::INVARIANTS.iter().copied();
        rooms
            .chain(coupon::INVARIANTS.iter().copied())
            .chain(point::INVARIANTS.iter().copied())
            .chain(bookings)
            .chain(Payments::INVARIANTS)
            .chain(Ledger::INVARIANTS)
    }

    /// Everything that is not as it must be. A change that commits between two reads shows as a violation that the next
    /// check no longer finds: what is found while the platform is busy is looked at twice.
    pub async fn run(&self) -> Result<Vec<Violation>, Error> {
        let first = self.look().await?;
        if first.is_empty() {
            return Ok(first);
        }
        let second = self.look().await?;
        Ok(second.into_iter().filter(|violation| first.contains(violation)).collect())
    }

    async fn look(&self) -> Result<Vec<Violation>, Error> {
        let mut found = self.inventory.check().await?;
        found.extend(self.coupons.check().await?);
        found.extend(self.points.check().await?);
        found.extend(self.bookings.check().await?);
        found.extend(self.payments.check().await?);
        found.extend(self.ledger.check().await?);
        Ok(found)
    }
}
