//! Coupons given to members one at a time: granted, given on, and taken back.
//!
//! Locks, in the order of the platform: the policy's turn, the coupon, the tally of its policy, then receipts.

mod convert;
mod gift;
mod grant;
mod revoke;
mod rpc;
mod slot;
#[cfg(test)]
mod tests;

pub(super) use self::grant::Recipient;
pub(super) use self::slot::{day_of, free_on, next_of};
use super::{CouponError, Coupons};
use crate::error::Error;

impl Coupons {
    /// Has who was refused for a booking's hold that is over try again, once that is written down.
    async fn unheld<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        let Err(refused) = &outcome else { return outcome };
        match refused.fault() {
            Some(CouponError::NotAvailable { coupon, stale: Some(booking), .. })
                if self.held.end(&[*booking]).await? =>
            {
                Err(Error::lost(*coupon))
            }
            _ => outcome,
        }
    }
}
