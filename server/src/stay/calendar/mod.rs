//! The calendar: prices, restrictions and room counts, night by night.

mod convert;
pub(super) mod month;
mod read;
mod rpc;
mod update;

pub use month::NightRules;

/// How many days ahead nights can be set, and are searched.
pub(super) const HORIZON_DAYS: u64 = 1_461;
