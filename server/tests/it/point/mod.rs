//! Points: earned, spent, set aside, given back, taken back, read.

mod cache;
mod daily;
pub(crate) mod desk;
mod gift;
mod killed;
mod policy;
mod race;
mod random;
mod spend;
mod tier;
mod time;
mod wallet;
