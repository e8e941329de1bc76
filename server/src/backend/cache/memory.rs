//! The cache of a single process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use moka::ops::compute::Op;
use moka::sync::Cache as Bounded;

use super::{Cache, Entry, FORGOTTEN, Kept, LARGEST, expires};
use crate::kit::clock::Clock;

/// How many bytes are kept.
const BYTES: u64 = 64 * 1024 * 1024;

/// Readings kept in this process; those that are asked for least make room.
#[derive(Debug)]
pub struct MemoryCache {
    kept: Bounded<String, Kept>,
    clock: Arc<dyn Clock>,
}

pub(super) fn bounded(bytes: u64) -> moka::sync::CacheBuilder<String, Kept, Bounded<String, Kept>> {
    let weigh = |key: &String, kept: &Kept| {
        let size = key.len() + kept.value.as_ref().map_or(0, Bytes::len) + size_of::<Kept>();
        u32::try_from(size).unwrap_or(u32::MAX)
    };
    Bounded::builder().max_capacity(bytes).weigher(weigh)
}

impl MemoryCache {
    /// Nothing is kept.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { kept: bounded(BYTES).build(), clock }
    }

    fn keep(&self, key: &str, kept: Kept) {
        let now = self.clock.now().timestamp_millis();
        self.kept.entry(key.to_owned()).and_compute_with(|known| {
            match known.map(|entry| entry.into_value()) {
                Some(known) if known.version > kept.version && now < known.expires => Op::Nop,
                // What is known of this version is better than that it was forgotten.
                Some(known) if known.version == kept.version && kept.value.is_none() => Op::Nop,
                _ => Op::Put(kept),
            }
        });
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Option<Entry> {
        self.kept.get(key)?.entry_at(self.clock.now().timestamp_millis())
    }

    async fn put(&self, key: &str, version: i64, value: Bytes, life: Duration) -> bool {
        let fits = value.len() <= LARGEST;
        if fits {
            self.keep(key, Kept { version, expires: expires(&*self.clock, life), value: Some(value) });
        }
        fits
    }

    async fn forget(&self, key: &str, version: i64) -> bool {
        self.keep(key, Kept { version, expires: expires(&*self.clock, FORGOTTEN), value: None });
        true
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, cache_suite};
    use super::MemoryCache;

    cache_suite!(suite::Stage::new(|clock| async { MemoryCache::new(clock) }).await);
}
