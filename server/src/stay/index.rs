//! The catalogue in memory, so that a search costs microseconds and no query.
//!
//! Freshness: the tables are the truth, and the index follows them. Whoever commits a change to a property, its room types,
//! rate plans or calendar reads that property again after the commit and calls [`Index::replace_property`]; other processes do
//! so when they hear of the change, within two seconds. What is committed is therefore found late, never wrongly sold: a
//! booking reads, prices and counts again in its own transaction. A listing carries the version of the rows that it was read
//! from, and never takes the place of a later one, in whatever order two reloads end. The calendar is kept from the `base` date
//! on; every listing is read again when the day changes, so that the base follows.
//!
//! How many rooms are free is asked of an [`Availability`] at each search, and is as fresh as that is.
//!
//! Readers never wait: they load one pointer to a snapshot, which is never changed. A writer makes the next snapshot out of the
//! old one, copying the pointers of one region.

mod listing;
mod nights;
mod search;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
pub use listing::{Details, Listing, Plan, Room, fold};
pub use nights::{Night, Priced};
pub use search::{Best, Found, Hit, Key, Order, Query};

use super::model::{PropertyId, Region, RoomTypeId};
use crate::kit::date::Nights;

/// Knows how many rooms are free: those for sale, less those held and sold. It stands here because search stands below the
/// inventory that counts. Asked for each room type that might fit, so it answers from memory and at once.
pub trait Availability: Debug + Send + Sync {
    /// Writes the number of free rooms for each night of the stay, in order; `room_count` for nights that nobody has touched.
    /// `free` is as long as the stay.
    fn free(&self, room_type: RoomTypeId, room_count: u32, nights: Nights, free: &mut [i32]);
}

/// The listed properties.
#[derive(Debug, Default)]
pub struct Index {
    snapshot: ArcSwap<Snapshot>,
    /// What is held of each property that ever was here, so that a late reload of older rows changes nothing. Writers work
    /// under it, one at a time.
    held: Mutex<HashMap<PropertyId, Held>>,
}

/// One state of the catalogue.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    /// By region, each in order of id.
    regions: [Arc<Vec<Arc<Listing>>>; Region::ALL.len()],
    /// The property of each room type.
    rooms: Arc<HashMap<RoomTypeId, Place>>,
}

/// Where a property is in a snapshot.
type Place = (Region, PropertyId);

#[derive(Debug)]
struct Held {
    version: i64,
    /// Where its listing is; none when it is not for sale.
    region: Option<Region>,
}

impl Index {
    /// An index of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts many properties in at once, each as [`Self::replace_property`] would: for the start, and for a reload of all.
    pub fn fill(&self, listings: Vec<Listing>) {
        self.change(listings.into_iter().map(|listing| (listing.id(), listing.version(), Some(listing))).collect());
    }

    /// Puts a property in, or in the place of an earlier reading of it. False when it is left as it was, because what is held
    /// was read from later rows, or because these rows were removed.
    pub fn replace_property(&self, listing: Listing) -> bool {
        self.change(vec![(listing.id(), listing.version(), Some(listing))])
    }

    /// Takes a property out that is not for sale any more. False when it is left as it was, because what is held was read from
    /// later rows.
    pub fn remove_property(&self, id: PropertyId, version: i64) -> bool {
        self.change(vec![(id, version, None)])
    }

    /// How many properties are for sale.
    pub fn len(&self) -> usize {
        self.snapshot.load().regions.iter().map(|region| region.len()).sum()
    }

    /// Whether none is for sale.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The listing of a room type, and the place of the room type in it.
    pub fn room_type(&self, id: RoomTypeId) -> Option<(Arc<Listing>, usize)> {
        let snapshot = self.snapshot.load();
        let listing = snapshot.listing(*snapshot.rooms.get(&id)?)?;
        let at = listing.rooms().iter().position(|room| room.id == id)?;
        Some((Arc::clone(listing), at))
    }

    /// The version of the rows that a property was last read from, for sale or not.
    pub fn version(&self, id: PropertyId) -> Option<i64> {
        self.held.lock().expect("no writer panics").get(&id).map(|held| held.version)
    }

    /// Applies changes in one new snapshot; tells whether there was anything to apply.
    fn change(&self, changes: Vec<(PropertyId, i64, Option<Listing>)>) -> bool {
        let mut held = self.held.lock().expect("no writer panics");
        let mut next = Snapshot::clone(&self.snapshot.load());
        let mut changed = false;
        for (id, version, listing) in changes {
            // The same rows may be read again from another base date; but once removed they stay out.
            let late = |held: &Held| version < held.version || (version == held.version && held.region.is_none());
            if held.get(&id).is_some_and(late) {
                continue;
            }
            let region = listing.as_ref().map(Listing::region);
            let before = held.insert(id, Held { version, region }).and_then(|before| before.region);
            if let Some(before) = before.filter(|before| Some(*before) != region) {
                next.take_out(before, id);
            }
            if let Some(listing) = listing {
                next.put_in(Arc::new(listing));
            }
            changed = true;
        }
        if changed {
            self.snapshot.store(Arc::new(next));
        }
        changed
    }
}

impl Snapshot {
    fn listing(&self, (region, id): Place) -> Option<&Arc<Listing>> {
        let listings = &self.regions[region as usize];
        let at = listings.binary_search_by_key(&id, |listing| listing.id()).ok()?;
        listings.get(at)
    }

    fn put_in(&mut self, listing: Arc<Listing>) {
        let (id, region) = (listing.id(), listing.region());
        let rooms: Vec<_> = listing.rooms().iter().map(|room| room.id).collect();
        if rooms.iter().any(|room| self.rooms.get(room) != Some(&(region, id))) {
            Arc::make_mut(&mut self.rooms).extend(rooms.iter().map(|room| (*room, (region, id))));
        }
        let listings = Arc::make_mut(&mut self.regions[region as usize]);
        match listings.binary_search_by_key(&id, |listing| listing.id()) {
            Ok(at) => {
                let before = std::mem::replace(&mut listings[at], listing);
                if before.rooms().iter().any(|room| !rooms.contains(&room.id)) {
                    self.forget_rooms(id, &rooms);
                }
            }
            Err(at) => listings.insert(at, listing),
        }
    }

    fn take_out(&mut self, region: Region, id: PropertyId) {
        let listings = Arc::make_mut(&mut self.regions[region as usize]);
        if let Ok(at) = listings.binary_search_by_key(&id, |listing| listing.id()) {
            listings.remove(at);
        }
        self.forget_rooms(id, &[]);
    }

    /// Forgets the room types of a property, except some.
    fn forget_rooms(&mut self, id: PropertyId, except: &[RoomTypeId]) {
        Arc::make_mut(&mut self.rooms).retain(|room, (_, property)| *property != id || except.contains(room));
    }
}

#[cfg(test)]
mod tests;
