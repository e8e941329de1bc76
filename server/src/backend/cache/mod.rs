//! The cache: readings that are expensive to make, each with the version of what was read.
//!
//! Guarantees:
//! - an older value never replaces a newer one, in whatever order they come;
//! - after [`Cache::forget`] of a version nothing older is found, in this process at once and in others within moments;
//! - a value is not found once its life is over;
//! - a cache that can't be reached finds nothing and keeps nothing, and nobody waits for it long.
//!
//! What can't be delivered is lost, and who asked is told so: the life of a value is how long it may be out of date at worst. Who
//! must see a certain version compares it with the one that was found.

mod memory;
mod near;
mod redis;
#[cfg(test)]
pub(super) mod suite;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::memory::MemoryCache;
pub use self::redis::RedisCache;
use super::redis::Redis;
use crate::error::Error;
use crate::kit::clock::Clock;

/// The largest value that is kept.
pub const LARGEST: usize = 1024 * 1024;
/// For how long a version is remembered whose value was forgotten: longer than any reading takes.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Keeps readings.
#[async_trait]
pub trait Cache: Debug + Send + Sync + 'static {
    /// What is kept under a key.
    async fn get(&self, key: &str) -> Option<Entry>;

    /// Keeps a value for a while, unless a newer one is kept, or a newer one was forgotten. One larger than [`LARGEST`] is not.
    /// Whether nothing older is found by anyone from here on.
    async fn put(&self, key: &str, version: i64, value: Bytes, life: Duration) -> bool;

    /// Forgets every value older than this version, and keeps none that comes late. Whether it was delivered.
    async fn forget(&self, key: &str, version: i64) -> bool;

    /// Whether all processes have it in common: where it is this one's own, it is never told of what others write.
    fn is_shared(&self) -> bool;
}

/// A value that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The version of what was read.
    pub version: i64,
    /// What it was kept as.
    pub value: Bytes,
}

/// The cache in Redis with a layer in this process, or in this process alone.
pub fn open(redis: Option<&Redis>, clock: Arc<dyn Clock>) -> Result<Arc<dyn Cache>, Error> {
    Ok(match redis {
        Some(redis) => Arc::new(RedisCache::new(redis.clone(), clock)?),
        None => Arc::new(MemoryCache::new(clock)),
    })
}

/// What is kept: a value, or only that everything older is out of date.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Kept {
    version: i64,
    /// In milliseconds.
    expires: i64,
    value: Option<Bytes>,
}

impl Kept {
    fn entry_at(&self, now: i64) -> Option<Entry> {
        let value = self.value.clone().filter(|_| now < self.expires)?;
        Some(Entry { version: self.version, value })
    }
}

fn expires(clock: &dyn Clock, life: Duration) -> i64 {
    clock.now().timestamp_millis().saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX))
}
