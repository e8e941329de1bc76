//! The queries of stays, one a function, by table.

pub(super) mod calendar;
pub(super) mod property;
pub(super) mod rate_plan;
pub(super) mod room_type;

use crate::error::Error;

/// A column that holds what no release ever wrote there.
#[track_caller]
fn unreadable(column: &'static str) -> Error {
    Error::internal(format!("the column {column} holds what can't be read"))
}

fn narrow<T: TryFrom<i32>>(column: &'static str, number: i32) -> Result<T, Error> {
    T::try_from(number).map_err(|_| unreadable(column))
}
