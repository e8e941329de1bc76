//! The bus: tells watchers that something changed, in this process and in others. It carries no news itself, and may tell too
//! often: who watches reads the table.
//!
//! What was not told because the bus was down, or could not keep up, is made good by waking every watcher: again and again while
//! it is down, and once it is up.

mod memory;
mod redis;
#[cfg(test)]
mod suite;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryBus;
pub use self::redis::RedisBus;
use super::redis::Redis;
use crate::error::Error;

/// What whoever keeps the catalogue of stays watches.
pub const CATALOGUE: Uuid = Uuid::from_u128(1);

/// What whoever counts free rooms watches.
pub const ROOMS: Uuid = Uuid::from_u128(2);

/// Tells watchers that something changed.
pub trait Bus: Debug + Send + Sync + 'static {
    /// Wakes those who watch a thing. Never waits.
    fn publish(&self, thing: Uuid);

    /// Watches a thing: every change from now on is told.
    fn subscribe(&self, thing: Uuid) -> Box<dyn Subscription>;

    /// How often whoever wants to hear of other processes looks by themselves: seldom, where the bus reaches those.
    fn look_every(&self) -> Duration;
}

/// A watch over one thing.
#[async_trait]
pub trait Subscription: Send + 'static {
    /// Waits until the thing has changed since the last call, or since the watch began.
    async fn changed(&mut self);
}

/// The bus of all processes on a Redis, or of this one.
pub fn open(redis: Option<&Redis>) -> Result<Arc<dyn Bus>, Error> {
    Ok(match redis {
        Some(redis) => Arc::new(RedisBus::new(redis.clone())?),
        None => Arc::new(MemoryBus::default()),
    })
}
