//! How many rooms are free, answered from memory.
//!
//! Freshness: what this process has committed is seen by the next [`FreeRooms::refresh`], and holds end on time at every
//! look. What another process has committed is seen once [`FreeRooms::changed`] was told of it; while nobody can tell, they
//! are [behind](FreeRooms::is_behind). Nothing is sold by it: a hold asks the table.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::model::{self, Hold, RoomNight};
use super::store;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::clock::Time;
use crate::kit::date::{Date, local_date};
use crate::kit::tx::Tx;
use crate::stay::RoomTypeId;

/// How many room types are read with one statement.
const CHUNK: usize = 500;

#[derive(Debug, Default)]
struct Known {
    /// Of the look that it was found by.
    look: u64,
    nights: HashMap<Date, RoomNight>,
    holds: Vec<Hold>,
}

/// How many rooms are free.
#[derive(Clone, Debug)]
pub struct FreeRooms {
    kit: Kit,
    known: Arc<RwLock<HashMap<RoomTypeId, Arc<Known>>>>,
    /// Room types that have changed since they were read, each with the number of its last change.
    changed: Arc<Mutex<HashMap<RoomTypeId, u64>>>,
    changes: Arc<AtomicU64>,
    /// How many looks at the tables were begun.
    looks: Arc<AtomicU64>,
    /// Whether what other processes did could not be asked for.
    behind: Arc<AtomicBool>,
    /// Held by who reads, so that whoever comes behind finds what was committed before it came.
    reading: Arc<tokio::sync::Mutex<()>>,
}

impl FreeRooms {
    pub(super) fn new(kit: Kit) -> Self {
        Self {
            kit,
            known: Arc::default(),
            changed: Arc::default(),
            changes: Arc::default(),
            looks: Arc::default(),
            behind: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// Reads a room type again once the transaction has committed.
    pub(super) fn changes_with(&self, tx: &Tx, room_type: RoomTypeId) {
        let free = self.clone();
        tx.on_commit(move || free.changed(room_type));
    }

    /// Reads a room type again before it is next asked for.
    pub fn changed(&self, room_type: RoomTypeId) {
        let change = self.changes.fetch_add(1, Ordering::Relaxed);
        self.changed.lock().expect("nothing panics while it is held").insert(room_type, change);
    }

    /// Reads every room type again before it is next asked for.
    pub fn all_changed(&self) {
        let known: Vec<_> = self.known.read().expect("nothing panics while it is held").keys().copied().collect();
        for room_type in known {
            self.changed(room_type);
        }
    }

    /// Says whether what other processes did could not be asked for.
    pub fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// Whether others may have sold what is still counted here.
    pub(super) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Reads what has changed, and what was never read. To be called before [`Self::free`], for the room types that will be
    /// asked for.
    pub async fn refresh(&self, room_types: &[RoomTypeId]) -> Result<(), Error> {
        if self.stale(room_types).is_empty() {
            return Ok(());
        }
        let _turn = self.reading.lock().await;
        let stale = self.stale(room_types);
        self.read_stale(stale).await
    }

    /// Reads again whatever has changed since it was read.
    pub async fn refresh_changed(&self) -> Result<(), Error> {
        if self.changed.lock().expect("nothing panics while it is held").is_empty() {
            return Ok(());
        }
        let _turn = self.reading.lock().await;
        let stale = {
            let changed = self.changed.lock().expect("nothing panics while it is held");
            changed.iter().map(|(id, change)| (*id, Some(*change))).collect()
        };
        self.read_stale(stale).await
    }

    /// The room types to be read, with the change that makes them so.
    fn stale(&self, room_types: &[RoomTypeId]) -> Vec<(RoomTypeId, Option<u64>)> {
        let changed = self.changed.lock().expect("nothing panics while it is held");
        let known = self.known.read().expect("nothing panics while it is held");
        let marked = room_types.iter().map(|id| (*id, changed.get(id).copied()));
        marked.filter(|(id, change)| change.is_some() || !known.contains_key(id)).collect()
    }

    async fn read_stale(&self, stale: Vec<(RoomTypeId, Option<u64>)>) -> Result<(), Error> {
        for chunk in stale.chunks(CHUNK) {
            let ids: Vec<_> = chunk.iter().map(|(id, _)| *id).collect();
            self.read(&ids).await?;
            let mut changed = self.changed.lock().expect("nothing panics while it is held");
            for (id, change) in chunk {
                // What has changed again meanwhile is read again.
                if change.is_some() && changed.get(id) == change.as_ref() {
                    changed.remove(id);
                }
            }
        }
        Ok(())
    }

    /// Reads room types, whatever is known of them.
    pub(super) async fn reread(&self, room_types: &[RoomTypeId]) -> Result<(), Error> {
        for chunk in room_types.chunks(CHUNK) {
            self.read(chunk).await?;
        }
        Ok(())
    }

    async fn read(&self, room_types: &[RoomTypeId]) -> Result<(), Error> {
        let found = self.look(room_types).await?;
        self.keep(found);
        Ok(())
    }

    /// What the tables say of room types now.
    async fn look(&self, room_types: &[RoomTypeId]) -> Result<HashMap<RoomTypeId, Known>, Error> {
        // Before the tables are asked: a look of a higher number finds all that was committed before this one began.
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        // A day early, for places whose today is our yesterday.
        let from = local_date(chrono_tz::UTC, self.kit.clock.now()) - chrono::Days::new(1);
        let conn = self.kit.db.read();
        let empty = || Known { look, ..Known::default() };
        let mut found: HashMap<RoomTypeId, Known> = room_types.iter().map(|id| (*id, empty())).collect();
        for (id, night) in store::nights_from(conn, room_types, from).await? {
            found.entry(id).or_insert_with(empty).nights.insert(night.date, night);
        }
        for (id, hold) in store::holds_from(conn, room_types, from).await? {
            found.entry(id).or_insert_with(empty).holds.push(hold);
        }
        Ok(found)
    }

    /// Keeps what a look has found, unless one that began later was faster.
    fn keep(&self, found: HashMap<RoomTypeId, Known>) {
        let mut known = self.known.write().expect("nothing panics while it is held");
        for (room_type, found) in found {
            if known.get(&room_type).is_none_or(|known| known.look < found.look) {
                known.insert(room_type, Arc::new(found));
            }
        }
    }

    /// How many rooms of a type are free in each night; `room_count` in those that nobody has touched.
    pub fn free(
        &self,
        room_type: RoomTypeId,
        dates: impl Iterator<Item = Date>,
        room_count: u32,
        now: Time,
    ) -> impl Iterator<Item = i64> {
        let known = self.known.read().expect("nothing panics while it is held").get(&room_type).cloned();
        dates.map(move |date| {
            let known = known.as_deref();
            match known.and_then(|known| Some((known, known.nights.get(&date)?))) {
                Some((known, night)) => model::free(night, &known.holds, now),
                None => i64::from(room_count),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;
    use crate::inventory::{Inventory, Wanted};
    use crate::kit::date::Nights;
    use crate::kit::id::BookingId;

    /// Guard: the number of the look. Quotes look side by side where other processes sell too, and end in any order.
    #[tokio::test]
    async fn what_an_older_look_has_found_takes_the_place_of_nothing_newer() {
        let yeyak = Harness::new().await;
        let inventory = Inventory::new(yeyak.kit.clone());
        let (free, now) = (inventory.free(), yeyak.kit.clock.now());
        let room_type = RoomTypeId::new(&yeyak.kit.ids, now);
        let date = now.date_naive();
        let nights = Nights::between(date, date.succ_opt().expect("a day")).expect("a stay");
        let left = || free.free(room_type, nights.dates(), 1, now).next().expect("a night");
        let older = free.look(&[room_type]).await.expect("looks");
        let wanted = Wanted { line: 0, room_type, nights, rooms: 1, room_count: 1 };
        let booking = BookingId::new(&yeyak.kit.ids, now);
        yeyak.db.write(async |tx| inventory.hold(&tx, booking, &[wanted], None).await).await.expect("is free");
        free.refresh(&[room_type]).await.expect("reads");
        assert_eq!(left(), 0);

        free.keep(older);

        assert_eq!(left(), 0, "the room is held");
        yeyak.db.write(async |tx| inventory.release(&tx, booking).await).await.expect("releases");
        free.reread(&[room_type]).await.expect("reads");
        assert_eq!(left(), 1, "what is newer counts");
    }
}
