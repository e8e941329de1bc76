//! Leases: things of one group that are held for a while by one holder, all of those asked for or none.
//!
//! Guarantees, as long as Redis remembers:
//! - a thing is held by one holder at a time; the same holder takes it again, which extends it, with the same fence;
//! - whoever takes a thing later has a higher fence, also after Redis has forgotten the earlier ones;
//! - a lease ends at its time without anyone doing anything, and ends early only by its holder's word.
//!
//! A lease refuses early, it never confirms: Redis can forget that one is held, and then gives it to another. What must not be
//! done twice is fenced in its row: a write under a lower fence than the row has seen comes from a holder of the past.

mod memory;
mod redis;
#[cfg(test)]
mod suite;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryLease;
pub use self::redis::RedisLease;
use super::redis::Redis;
use crate::error::Error;
use crate::kit::clock::Clock;

/// Holds things for a while. Every call may fail with `DEPENDENCY_UNAVAILABLE`, and may be repeated.
#[async_trait]
pub trait Lease: Debug + Send + Sync + 'static {
    /// Takes things of a group for a while, or extends them when they are the holder's; all or none. Answers with the fence, or
    /// with what is held by others.
    async fn take(&self, group: &str, things: &[&str], holder: Uuid, life: Duration) -> Result<Taken, Error>;

    /// Holds for longer what the holder still holds; false, and nothing is changed, when one of the things is no longer theirs.
    async fn extend(&self, group: &str, things: &[&str], holder: Uuid, life: Duration) -> Result<bool, Error>;

    /// Gives up what the holder still holds of these things.
    async fn release(&self, group: &str, things: &[&str], holder: Uuid) -> Result<(), Error>;
}

/// What came of taking a lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// All of it is held. The fence is higher than that of anyone who held one of the things before.
    Held {
        /// The fence.
        fence: i64,
    },
    /// Nothing was taken: these are held by others.
    ByOthers(Vec<String>),
}

/// Leases in Redis, or in this process. Time is the clock's, so that a lease ends when its row does.
pub fn open(redis: Option<&Redis>, clock: Arc<dyn Clock>) -> Arc<dyn Lease> {
    match redis {
        Some(redis) => Arc::new(RedisLease::new(redis.clone(), clock)),
        None => Arc::new(MemoryLease::new(clock)),
    }
}
