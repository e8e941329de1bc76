//! Coupons given to many members at once, by runs that go on by themselves.
//!
//! A run is a row with a position. A process that takes it up looks at the next members, gives them their coupons and moves the
//! position in one transaction, which asserts that nobody else has: so it goes on from where it was when a process dies, and two
//! that believe to lead give nothing twice.

mod audience;
mod cancel;
mod convert;
mod job;
mod lists;
mod model;
mod read;
mod rpc;
mod start;
#[cfg(test)]
mod tests;
mod watch;
mod work;

pub(super) use self::job::GrantJob;
pub(super) use self::lists::GrantListsJob;
pub(super) use self::model::{Audience, Counts, GrantRun, GrantRunId, RunState};
