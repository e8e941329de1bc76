//! Leases of a single process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Lease, Taken};
use crate::error::Error;
use crate::kit::clock::Clock;

/// Leases in this process.
#[derive(Debug)]
pub struct MemoryLease {
    clock: Arc<dyn Clock>,
    groups: Mutex<Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    held: HashMap<String, HashMap<String, Held>>,
    fence: i64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    holder: Uuid,
    fence: i64,
    /// In microseconds.
    expires: i64,
}

impl MemoryLease {
    /// Nothing is held.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, groups: Mutex::default() }
    }

    fn with<T>(&self, group: &str, work: impl FnOnce(&mut HashMap<String, Held>, &mut i64, i64) -> T) -> T {
        let now = self.clock.now().timestamp_micros();
        let mut groups = self.groups.lock().expect("nothing panics while it is held");
        let Groups { held, fence } = &mut *groups;
        let things = held.entry(group.to_owned()).or_default();
        things.retain(|_, held| held.expires > now);
        let done = work(things, fence, now);
        if things.is_empty() {
            held.remove(group);
        }
        done
    }
}

fn end(now: i64, life: Duration) -> i64 {
    now.saturating_add(i64::try_from(life.as_micros()).unwrap_or(i64::MAX))
}

#[async_trait]
impl Lease for MemoryLease {
    async fn take(&self, group: &str, things: &[&str], holder: Uuid, life: Duration) -> Result<Taken, Error> {
        Ok(self.with(group, |held, last, now| {
            let of_others = |thing: &&&str| held.get(**thing).is_some_and(|held| held.holder != holder);
            let others: Vec<String> = things.iter().filter(of_others).map(|thing| (*thing).to_owned()).collect();
            if !others.is_empty() {
                return Taken::ByOthers(others);
            }
            let mine: Vec<Option<i64>> = things.iter().map(|thing| held.get(*thing).map(|held| held.fence)).collect();
            let fence = match mine.first().copied().flatten() {
                Some(fence) if mine.iter().all(|mine| *mine == Some(fence)) => fence,
                _ => {
                    *last = (*last + 1).max(now);
                    *last
                }
            };
            for thing in things {
                held.insert((*thing).to_owned(), Held { holder, fence, expires: end(now, life) });
            }
            Taken::Held { fence }
        }))
    }

    async fn extend(&self, group: &str, things: &[&str], holder: Uuid, life: Duration) -> Result<bool, Error> {
        Ok(self.with(group, |held, _, now| {
            if !things.iter().all(|thing| held.get(*thing).is_some_and(|held| held.holder == holder)) {
                return false;
            }
            for thing in things {
                if let Some(held) = held.get_mut(*thing) {
                    held.expires = end(now, life);
                }
            }
            true
        }))
    }

    async fn release(&self, group: &str, things: &[&str], holder: Uuid) -> Result<(), Error> {
        self.with(group, |held, _, _| {
            for thing in things {
                if held.get(*thing).is_some_and(|held| held.holder == holder) {
                    held.remove(*thing);
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, lease_suite};
    use super::MemoryLease;

    lease_suite!(suite::Stage::new(|clock| async { MemoryLease::new(clock) }).await);
}
