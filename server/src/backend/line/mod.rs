//! Lines: those who wait for a room are let in one after another.
//!
//! Guarantees, as long as Redis remembers:
//! - who joined first is let in first, and a member has one place in a line, however often they join;
//! - who gave no sign of life for the line's patience has left it: nobody waits behind them, and they join again at the end;
//! - a turn lets in as many as it says, once, however often it is repeated;
//! - who was let in is in until they leave or their time is over, with every background job stopped.
//!
//! A line that Redis has forgotten is empty: its members join again, in the order in which they come.

mod memory;
mod redis;
#[cfg(test)]
mod suite;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryLine;
pub use self::redis::RedisLine;
use super::redis::Redis;
use crate::error::Error;
use crate::kit::clock::{Clock, Time};

/// For how long the answer to a turn is remembered.
const TURN: Duration = Duration::from_secs(600);

/// Lets members in, in turn. Every call may fail with `DEPENDENCY_UNAVAILABLE`, and may be repeated.
#[async_trait]
pub trait Line: Debug + Send + Sync + 'static {
    /// Joins at the end, or stays where one is. A sign of life.
    async fn join(&self, room: &str, member: Uuid) -> Result<Standing, Error>;

    /// Where a member stands. A sign of life.
    async fn look(&self, room: &str, member: Uuid) -> Result<Standing, Error>;

    /// Lets in the next, for a while; who they are. The same turn lets in the same ones, and nobody else.
    async fn admit(&self, room: &str, turn: Uuid, count: u32, stay: Duration) -> Result<Vec<Uuid>, Error>;

    /// Leaves, whether waiting or let in; false when the member was neither.
    async fn leave(&self, room: &str, member: Uuid) -> Result<bool, Error>;

    /// How many there are.
    async fn count(&self, room: &str) -> Result<Crowd, Error>;
}

/// Where a member stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// In the line.
    Waiting {
        /// How many are let in before.
        ahead: u64,
    },
    /// In the room.
    Admitted {
        /// Until when.
        until: Time,
    },
    /// Nowhere: never joined, left, silent for too long, or their time in the room is over.
    Absent,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Crowd {
    /// In the line.
    pub waiting: u64,
    /// In the room.
    pub admitted: u64,
}

/// Lines in Redis, or in this process, whose members are waited for as long as `patience`.
pub fn open(redis: Option<&Redis>, clock: Arc<dyn Clock>, patience: Duration) -> Arc<dyn Line> {
    match redis {
        Some(redis) => Arc::new(RedisLine::new(redis.clone(), clock, patience)),
        None => Arc::new(MemoryLine::new(clock, patience)),
    }
}
