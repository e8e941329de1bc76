//! The search index kept in step with the tables.
//!
//! A change marks its property once it has committed, and whoever searches first reads the marked properties again: a search
//! that begins after a change was answered finds what it changed, in this process. Another process looks for properties that
//! were touched: when the bus wakes it, and now and then besides; on embedded backends there is none. The index is filled in the
//! background while the server already answers: a search waits for it, and what needs one property only reads that one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{Days, TimeDelta};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::index::Index;
use super::load::{self, Loaded};
use super::model::{PropertyId, RoomTypeId};
use super::{Rooms, store};
use crate::backend::bus::{Bus, CATALOGUE, Subscription};
use crate::error::{Error, ErrorReason};
use crate::kit::Kit;
use crate::kit::clock::Time;
use crate::kit::date::{Date, local_date};
use crate::kit::tx::Tx;

/// How long bringing it up to date may take; a fill reads everything.
const STEP_PATIENCE: Duration = Duration::from_secs(60);
/// How soon it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// How long changes gather before they are looked for, however often the bus wakes.
const GATHER: Duration = Duration::from_millis(50);
/// How long a search waits for the database before it is answered from memory.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long a change may stay uncommitted after its time was taken, and how far clocks may be apart.
const OVERLAP: TimeDelta = TimeDelta::seconds(15);

/// The index, and what of it is out of date.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kit: Kit,
    rooms: Arc<dyn Rooms>,
    bus: Arc<dyn Bus>,
    index: Index,
    /// Done once every property is in the index.
    filled: OnceCell<()>,
    /// Properties that have changed since they were read, each with the number of its last change.
    marked: Mutex<HashMap<PropertyId, u64>>,
    marks: AtomicU64,
    /// Whether what other processes changed could not be asked for.
    behind: AtomicBool,
    /// Held by who reads, so that whoever comes behind finds what was committed before it came.
    reading: tokio::sync::Mutex<()>,
}

impl Catalogue {
    pub(super) fn new(kit: Kit, rooms: Arc<dyn Rooms>, bus: Arc<dyn Bus>) -> Self {
        let inner = Inner {
            kit,
            rooms,
            bus,
            index: Index::new(),
            filled: OnceCell::new(),
            marked: Mutex::default(),
            marks: AtomicU64::new(0),
            behind: AtomicBool::new(false),
            reading: tokio::sync::Mutex::new(()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Reads a property again once the transaction has committed.
    pub(super) fn changes_with(&self, tx: &Tx, property: PropertyId) {
        let catalogue = self.clone();
        tx.on_commit(move || {
            catalogue.mark(property);
            catalogue.inner.bus.publish(CATALOGUE);
        });
    }

    fn mark(&self, property: PropertyId) {
        let number = self.inner.marks.fetch_add(1, Ordering::Relaxed);
        self.inner.marked.lock().expect("nothing panics while it is held").insert(property, number);
    }

    /// The whole index, with everything in it that this process has committed; or as it was last read, and true, while the
    /// database does not answer to those who ask it what has changed.
    pub(super) async fn whole(&self) -> Result<(&Index, bool), Error> {
        self.fill().await?;
        let fresh = async {
            self.read_marked().await?;
            self.inner.rooms.refresh_changed().await
        };
        let degraded = match tokio::time::timeout(PATIENCE, fresh).await {
            Ok(Ok(())) => false,
            Ok(Err(error)) if error.reason() == ErrorReason::DependencyUnavailable => true,
            Ok(Err(error)) => return Err(error),
            Err(_) => true,
        };
        // Where nothing is known to have changed, nothing was asked: others may know of more.
        let behind = self.inner.behind.load(Ordering::Relaxed) || self.inner.rooms.is_behind();
        Ok((&self.inner.index, degraded || behind))
    }

    /// The index as far as one room type goes, which needs not wait for the rest.
    pub(super) async fn of_room_type(&self, room_type: RoomTypeId) -> Result<&Index, Error> {
        let Inner { kit, rooms, index, filled, .. } = &*self.inner;
        self.read_marked().await?;
        if !filled.initialized() || !self.is_alone() {
            let held = index.room_type(room_type).map(|(listing, _)| listing.version());
            let current = store::property::revision_of(kit.db.read(), room_type).await?;
            if let Some((property, _)) = current.filter(|(_, revision)| held.is_none_or(|held| held < *revision)) {
                self.read(&[property]).await?;
            }
        }
        rooms.refresh(&[room_type]).await?;
        Ok(index)
    }

    /// Fills the index, unless that is done; whoever comes meanwhile waits.
    pub(super) async fn fill(&self) -> Result<(), Error> {
        let fill = || async {
            let Inner { kit, rooms, index, .. } = &*self.inner;
            // What a replica has not seen yet is newer than its rows, and is found among what was touched since.
            let conn = kit.db.read_late().await;
            let loaded = load::some(conn, &load::listed(conn).await?, self.base()).await?;
            let listings: Vec<_> = loaded.into_iter().filter_map(Loaded::listing).collect();
            let ids: Vec<_> = listings.iter().flat_map(|listing| listing.rooms()).map(|room| room.id).collect();
            rooms.refresh(&ids).await?;
            index.fill(listings);
            Ok::<_, Error>(())
        };
        self.inner.filled.get_or_try_init(fill).await?;
        Ok(())
    }

    /// Keeps the index in step until the server stops.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let start = self.inner.kit.clock.now();
        let mut since = start;
        let mut base = self.base();
        let mut changes = self.inner.bus.subscribe(CATALOGUE);
        let mut wait = Duration::ZERO;
        while stop.run_until_cancelled(self.next_look(wait, &mut *changes)).await.is_some() {
            wait = self.inner.bus.look_every();
            let looked = tokio::time::timeout(STEP_PATIENCE, self.step(&mut since, &mut base)).await;
            self.inner.behind.store(!matches!(looked, Ok(Ok(()))), Ordering::Relaxed);
            let failed = match looked {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the database does not answer".to_owned(),
            };
            wait = RETRY;
            tracing::warn!("the search index could not be brought up to date, and is tried again: {failed}");
        }
    }

    /// Waits for the next time to look: once the bus wakes, or a while has passed.
    async fn next_look(&self, wait: Duration, changes: &mut dyn Subscription) {
        let woken = async {
            changes.changed().await;
            tokio::time::sleep(GATHER).await;
        };
        // Who is alone has marked every change by itself.
        if self.is_alone() {
            tokio::time::sleep(wait).await;
        } else {
            _ = tokio::time::timeout(wait, woken).await;
        }
    }

    async fn step(&self, since: &mut Time, base: &mut Date) -> Result<(), Error> {
        self.fill().await?;
        if *base != self.base() {
            // The calendar of a listing begins with the day on which it was read.
            *base = self.base();
            let conn = self.inner.kit.db.read_late().await;
            let loaded = load::some(conn, &load::listed(conn).await?, *base).await?;
            self.inner.index.fill(loaded.into_iter().filter_map(Loaded::listing).collect());
        }
        if !self.is_alone() {
            let now = self.inner.kit.clock.now();
            for (property, revision) in
                store::property::touched_since(self.inner.kit.db.read(), *since - OVERLAP).await?
            {
                if self.inner.index.version(property).is_none_or(|held| held < revision) {
                    self.mark(property);
                }
            }
            *since = now;
        }
        self.read_marked().await
    }

    /// Whether no other process changes the tables.
    fn is_alone(&self) -> bool {
        !self.inner.kit.db.is_shared()
    }

    /// The first night that is kept: a day early, for places whose today is our yesterday.
    fn base(&self) -> Date {
        local_date(chrono_tz::UTC, self.inner.kit.clock.now()) - Days::new(1)
    }

    async fn read_marked(&self) -> Result<(), Error> {
        if self.inner.marked.lock().expect("nothing panics while it is held").is_empty() {
            return Ok(());
        }
        let _turn = self.inner.reading.lock().await;
        let marked: Vec<_> = {
            let marked = self.inner.marked.lock().expect("nothing panics while it is held");
            marked.iter().map(|(id, number)| (*id, *number)).collect()
        };
        let ids: Vec<_> = marked.iter().map(|(id, _)| *id).collect();
        self.read(&ids).await?;
        let mut left = self.inner.marked.lock().expect("nothing panics while it is held");
        // What has changed again meanwhile is read again.
        left.retain(|id, number| !marked.contains(&(*id, *number)));
        Ok(())
    }

    async fn read(&self, ids: &[PropertyId]) -> Result<(), Error> {
        let Inner { kit, rooms, index, .. } = &*self.inner;
        for loaded in load::some(kit.db.read(), ids, self.base()).await? {
            match loaded {
                Loaded::Listed(listing) => {
                    let ids: Vec<_> = listing.rooms().iter().map(|room| room.id).collect();
                    rooms.refresh(&ids).await?;
                    index.replace_property(*listing);
                }
                Loaded::Unlisted(id, revision) => _ = index.remove_property(id, revision),
            }
        }
        Ok(())
    }
}
