//! Coupons at bookings: held with the nights, used when the booking is paid, given back as their policies say; all in the
//! transaction of the booking.
//!
//! Locks, in the order of the platform: coupons by id, then the tallies of their policies by id.

mod hold;
mod offer;
mod replace;
mod settle;

use serde::{Deserialize, Serialize};

pub use self::hold::Holder;
pub use self::offer::{BestCoupons, Candidates, Choice, Offered, OfferedCoupon};
use super::discount::{self, LineDiscount};
use super::model::{CouponId, PolicyId};

/// What a coupon takes off a booking: settled when it is quoted, kept with the booking, never worked out again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Discount {
    /// Which coupon.
    pub coupon: CouponId,
    /// Of which policy.
    pub policy: PolicyId,
    /// The policy's name.
    pub name: String,
    /// What it takes off each line.
    #[serde(flatten)]
    pub off: discount::Discount,
}

impl Discount {
    /// What it takes off in all.
    pub fn amount(&self) -> i64 {
        self.off.amount()
    }

    /// What of it the seller pays.
    pub fn seller_part(&self) -> i64 {
        self.lines().iter().map(|line| line.seller_part).sum()
    }

    /// What it takes off each line that it takes something off.
    pub fn lines(&self) -> &[LineDiscount] {
        &self.off.lines
    }
}
