//! What the database had two seconds ago at most, so that a call need not ask it who calls.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::error::Error;

/// How long this process may trust what it read: other processes may have changed it.
const TRUSTED: Duration = Duration::from_secs(2);
const REMEMBERED: u64 = 50_000;

#[derive(Clone)]
pub(super) struct Recent<K, V> {
    known: Cache<K, V>,
    /// Counts what was forgotten: a value read before that and kept after it would be trusted in its old form.
    forgotten: Arc<AtomicU64>,
}

impl<K, V> std::fmt::Debug for Recent<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recent")
    }
}

impl<K, V> Recent<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        let known =
            Cache::builder().max_capacity(REMEMBERED).time_to_live(TRUSTED).support_invalidation_closures().build();
        Self { known, forgotten: Arc::default() }
    }

    /// The value of a key, loaded unless it was a moment ago.
    pub(super) async fn get(&self, key: K, load: impl Future<Output = Result<V, Error>>) -> Result<V, Error> {
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let before = self.forgotten();
        let loaded = load.await?;
        self.keep(key, loaded.clone(), before);
        Ok(loaded)
    }

    /// The value of a key, if it was read a moment ago.
    pub(super) fn known(&self, key: &K) -> Option<V> {
        self.known.get(key)
    }

    /// What was forgotten until now, for [`Self::keep`] behind a read that begins now.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Keeps a value that was read, unless something was forgotten since the read began.
    pub(super) fn keep(&self, key: K, value: V, forgotten_before: u64) {
        self.known.insert(key.clone(), value);
        if self.forgotten() != forgotten_before {
            self.known.invalidate(&key);
        }
    }

    /// Looks again when this key is next asked for.
    pub(super) fn forget(&self, key: &K) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.known.invalidate(key);
    }

    /// Looks again for every key whose value is of this kind.
    pub(super) fn forget_all(&self, of_kind: impl Fn(&V) -> bool + Send + Sync + 'static) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.known.invalidate_entries_if(move |_, value| of_kind(value)).expect("built with support for it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_read_before_it_was_forgotten_is_not_kept() {
        let recent = Recent::new();

        let read = recent.get(1, async {
            recent.forget(&1);
            Ok("old")
        });
        assert_eq!(read.await.expect("loads"), "old");

        assert_eq!(recent.get(1, async { Ok("new") }).await.expect("loads"), "new");
        assert_eq!(recent.get(1, async { Ok("newer") }).await.expect("kept"), "new");
        recent.forget_all(|value| *value == "new");
        assert_eq!(recent.get(1, async { Ok("newer") }).await.expect("loads"), "newer");
    }
}
