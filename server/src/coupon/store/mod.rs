//! One query a function.

pub(super) mod code;
pub(super) mod coupon;
pub(super) mod given;
pub(super) mod guess;
pub(super) mod held;
pub(super) mod listed;
pub(super) mod mark;
pub(super) mod policy;
pub(super) mod receipt;
pub(super) mod run;
pub(super) mod set_aside;
pub(super) mod tally;

use crate::error::Error;
use crate::kit::tx::among;

/// A row that this release can't read.
fn unreadable(what: &str) -> Error {
    Error::internal(format!("{what} holds what this release does not know"))
}

fn narrow<T: TryFrom<i64>>(what: &str, number: i64) -> Result<T, Error> {
    T::try_from(number).map_err(|_| unreadable(what))
}
