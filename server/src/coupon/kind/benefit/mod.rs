//! What coupons take off.
//!
//! What every benefit promises, and a test over the registry holds it to:
//! - it never takes off more when the units are left with less, each of them or some;
//! - it never takes off more than is left, of a unit or of all.
//!
//! The search for the best coupons rests on the first promise: what a coupon saves now is the most that it can save later.

pub mod buy_x_get_y;
pub mod fixed_amount;
pub mod fixed_price;
pub mod free_extra;
pub mod free_night;
pub mod nth_night;
pub mod percent;

use std::fmt::Debug;

use crate::coupon::cart::Unit;

/// What a coupon takes off.
#[derive(Debug)]
pub enum Benefit {
    /// Something off single units: these come first.
    OnUnits(Box<dyn OnUnits>),
    /// Something off the whole of what the coupon is good for, spread over its units by what is left of them.
    OnTotal(Box<dyn OnTotal>),
}

/// A unit that a coupon is good for.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The position of its line.
    pub line: usize,
    /// What it is.
    pub unit: &'a Unit,
}

/// Takes something off single units.
pub trait OnUnits: Debug + Send + Sync {
    /// Writes what it takes off each unit into `off`, which is all zero, given what is `left` of each. The three are in the
    /// same order: line by line, and in a line by date.
    fn take(&self, units: &[Piece<'_>], left: &[i64], off: &mut [i64]);
}

/// Takes something off the whole.
pub trait OnTotal: Debug + Send + Sync {
    /// What it takes off when so much is left of what the coupon is good for.
    fn off(&self, left: i64) -> i64;

    /// Whether what remains to be paid never grows when less is left: true of a percentage, false of 10 off every full 100. The
    /// search is faster for benefits that are.
    fn is_steady(&self) -> bool;
}

impl Benefit {
    /// The benefit on single units.
    pub fn on_units(benefit: impl OnUnits + 'static) -> Self {
        Self::OnUnits(Box::new(benefit))
    }

    /// The benefit on the whole.
    pub fn on_total(benefit: impl OnTotal + 'static) -> Self {
        Self::OnTotal(Box::new(benefit))
    }
}

/// Takes the whole of the cheapest of some units, so many of them; of equal ones the first.
fn free_cheapest(mut among: Vec<usize>, count: usize, left: &[i64], off: &mut [i64]) {
    if count < among.len() {
        among.select_nth_unstable_by_key(count, |at| (left[*at], *at));
        among.truncate(count);
    }
    for at in among {
        off[at] = left[at];
    }
}
