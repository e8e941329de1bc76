//! The layer in this process before Redis: what was found stays at hand until Redis says that it has changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use moka::ops::compute::Op;
use moka::sync::Cache as Bounded;

use super::Kept;
use super::memory::bounded;

const BYTES: u64 = 16 * 1024 * 1024;
/// How long a value is trusted though Redis has said nothing: a connection that hangs carries no news, and the client passes on no
/// word of a flush, behind which Redis tells of nothing that was read before.
const TRUST: Duration = Duration::from_secs(10);
const SLOTS: usize = 256;

/// Values at hand.
#[derive(Debug)]
pub(super) struct Near {
    kept: Bounded<String, Kept>,
    /// How often keys of each slot have changed: what was asked for before a change is not kept after it.
    changes: Vec<AtomicU64>,
    /// Whether Redis tells of changes.
    told: AtomicBool,
}

/// The state of a key's slot when it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(u64);

impl Near {
    pub(super) fn new() -> Self {
        let changes = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self { kept: bounded(BYTES).time_to_live(TRUST).build(), changes, told: AtomicBool::new(false) }
    }

    fn slot(&self, key: &str) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or(0);
        &self.changes[at]
    }

    pub(super) fn get(&self, key: &str) -> Option<Kept> {
        if self.told.load(Ordering::Acquire) { self.kept.get(key) } else { None }
    }

    /// To be called before Redis is asked for a key.
    pub(super) fn ask(&self, key: &str) -> Asked {
        Asked(self.slot(key).load(Ordering::Acquire))
    }

    /// Keeps what Redis answered, unless the key has changed since it was asked for.
    pub(super) fn keep(&self, key: &str, asked: Asked, kept: Kept) {
        if !self.told.load(Ordering::Acquire) {
            return;
        }
        let slot = self.slot(key);
        // A change counts first and removes then, and this looks while it has the key: whichever comes first, an old value
        // does not stay.
        self.kept.entry(key.to_owned()).and_compute_with(|_| match slot.load(Ordering::Acquire) == asked.0 {
            true => Op::Put(kept),
            false => Op::Nop,
        });
    }

    /// A key has changed.
    pub(super) fn forget(&self, key: &str) {
        self.slot(key).fetch_add(1, Ordering::AcqRel);
        self.kept.invalidate(key);
    }

    /// Any key may have changed; and whether changes are told from now on.
    pub(super) fn forget_all(&self, told: bool) {
        self.told.store(false, Ordering::Release);
        for slot in &self.changes {
            slot.fetch_add(1, Ordering::AcqRel);
        }
        self.kept.invalidate_all();
        self.told.store(told, Ordering::Release);
    }

    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(version: i64) -> Kept {
        Kept { version, expires: i64::MAX, value: None }
    }

    /// Guard: the count of changes that is compared as the value is kept.
    #[test]
    fn what_was_asked_for_before_a_change_is_not_kept_after_it() {
        let near = Near::new();
        near.forget_all(true);
        let asked = near.ask("key");
        near.forget("key");

        near.keep("key", asked, kept(1));
        assert_eq!(near.get("key"), None);

        near.keep("key", near.ask("key"), kept(2));
        assert_eq!(near.get("key"), Some(kept(2)));
        let asked = near.ask("other");
        near.forget_all(true);
        near.keep("other", asked, kept(1));
        assert_eq!((near.get("key"), near.get("other")), (None, None));
    }

    #[test]
    fn nothing_is_at_hand_while_changes_are_not_told() {
        let near = Near::new();
        near.keep("key", near.ask("key"), kept(1));
        near.forget_all(true);
        assert_eq!(near.get("key"), None);
        near.keep("key", near.ask("key"), kept(1));
        near.forget_all(false);
        assert_eq!(near.get("key"), None);
    }
}
