//! Which coupons of a member's are best for a booking.
//!
//! A booking takes at most [`AT_MOST`] coupons, at most one of a group, and an exclusive one alone. They apply one after the
//! other in an order that nobody chooses: those on single units first, then those on the whole; of both the lower priority
//! first, then the policy that was created first. Each applies to what those before it have left, if what it takes off is within
//! the budget of its policy. A set in which one does not apply is no combination at all.
//!
//! Promises:
//! - what [`best`] names is valid, and saves what [`apply`] takes off;
//! - unless it says otherwise, nothing is better: the largest saving, then the fewest coupons, then those that expire first,
//!   then the lower ids;
//! - it depends on nothing but its input: the same cart and coupons, in whatever order, have the same answer.

mod apply;
mod board;
mod bound;
mod coupon;
mod judge;
mod search;
mod standing;
#[cfg(test)]
mod tests;

use uuid::Uuid;

pub use self::apply::{Applied, AppliedCoupon, NotApplicable, apply};
pub use self::coupon::{Coupon, Stacking};
use self::judge::judge;
use super::cart::Cart;
use super::kind::Refusal;

/// How many coupons a booking takes.
pub const AT_MOST: usize = 5;

/// How far the search goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many steps are taken: lines or units looked at, and savings bounded. A count and not a time, so that the same
    /// question has the same answer, whatever else the machine does.
    pub steps: u64,
}

impl Default for Limits {
    /// Many times what 30 coupons take at worst, and less than a quarter of a second of work.
    fn default() -> Self {
        Self { steps: 5_000_000 }
    }
}

/// The best coupons for a booking.
#[derive(Clone, Debug)]
pub struct Best {
    /// Which, in the order in which they apply, and what each takes off; none when none is good for it.
    pub applied: Applied,
    /// Whether nothing is better. Without it the limit was reached first, and this is the best that was found.
    pub is_proven: bool,
    /// No combination saves more than this.
    pub bound: i64,
}

/// What a coupon is worth alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Usable {
    /// The coupon.
    pub coupon: Uuid,
    /// What it takes off, or why it is not good for the booking.
    pub outcome: Result<i64, Refusal>,
}

/// What each coupon is worth alone, in the order given.
pub fn usable(cart: &Cart, coupons: &[Coupon]) -> Vec<Usable> {
    let left = apply::units(cart);
    let outcome = |coupon| judge(cart, coupon)?.off(&left).map(|off| off.iter().sum());
    coupons.iter().map(|coupon| Usable { coupon: coupon.id, outcome: outcome(coupon) }).collect()
}

/// The best of all combinations of some coupons. Those that are not good for the booking are passed over.
pub fn best(cart: &Cart, candidates: &[Coupon], limits: Limits) -> Best {
    let found = search::search(cart, candidates, limits);
    let applied = apply(cart, &found.coupons).expect("the search builds valid sets alone, by the same rules");
    debug_assert_eq!(applied.saving(), found.saving, "the search and the application agree");
    Best { applied, is_proven: found.is_proven, bound: found.bound }
}
