//! Turns: in one process, one at a time does something about a thing. The others could only repeat it.
//!
//! Nothing rests on it: other processes do it at the same time, and the database decides.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;

/// The turns at things of one kind.
#[derive(Clone, Debug)]
pub struct Turns<K>(Arc<Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> Turns<K> {
    /// Waits for one's turn at a thing, and has it until the guard is dropped; whether it was waited for.
    pub async fn of(&self, thing: K) -> (OwnedMutexGuard<()>, bool) {
        let turn = {
            let mut all = self.0.lock().expect("nothing panics while it takes a turn");
            all.retain(|_, turn| Arc::strong_count(turn) > 1);
            all.entry(thing).or_default().clone()
        };
        match turn.clone().try_lock_owned() {
            Ok(mine) => (mine, false),
            Err(_) => (turn.lock_owned().await, true),
        }
    }
}
