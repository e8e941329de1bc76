//! The search index kept in step with the tables.
//!
//! A change marks its property once it has committed, and whoever searches first reads the marked properties again: a search
//! that begins after a change was answered finds what it changed, in this process. Another process finds it within two seconds,
//! by looking for properties that were touched; on embedded backends there is none. The index is filled in the background while
//! the server already answers: a search waits for it, and what needs one property only reads that one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{Days, TimeDelta};
use sea_orm::DatabaseBackend;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::index::Index;
use super::load::{self, Loaded};
use super::model::{PropertyId, RoomTypeId};
use super::{Rooms, store};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::clock::Time;
use crate::kit::date::{Date, local_date};
use crate::kit::tx::Tx;

/// How often the changes of other processes are looked for.
const PERIOD: Duration = Duration::from_secs(1);
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
    index: Index,
    /// Done once every property is in the index.
    filled: OnceCell<()>,
    /// Properties that have changed since they were read, each with the number of its last change.
    marked: Mutex<HashMap<PropertyId, u64>>,
    marks: AtomicU64,
    /// Held by who reads, so that whoever comes behind finds what was committed before it came.
    reading: tokio::sync::Mutex<()>,
}

impl Catalogue {
    pub(super) fn new(kit: Kit, rooms: Arc<dyn Rooms>) -> Self {
        let inner = Inner {
            kit,
            rooms,
            index: Index::new(),
            filled: OnceCell::new(),
            marked: Mutex::default(),
            marks: AtomicU64::new(0),
            reading: tokio::sync::Mutex::new(()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Reads a property again once the transaction has committed.
    pub(super) fn changes_with(&self, tx: &Tx, property: PropertyId) {
        let catalogue = self.clone();
        tx.on_commit(move || catalogue.mark(property));
    }

    fn mark(&self, property: PropertyId) {
        let number = self.inner.marks.fetch_add(1, Ordering::Relaxed);
        self.inner.marked.lock().expect("nothing panics while it is held").insert(property, number);
    }

    /// The whole index, with everything in it that this process has committed.
    pub(super) async fn whole(&self) -> Result<&Index, Error> {
        self.fill().await?;
        self.read_marked().await?;
        self.inner.rooms.refresh_changed().await?;
        Ok(&self.inner.index)
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
            let loaded = load::all(kit.db.read(), self.base()).await?;
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
        let mut wait = Duration::ZERO;
        while stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
            wait = PERIOD;
            if let Err(error) = self.step(&mut since, &mut base).await {
                tracing::warn!("the search index could not be brought up to date, and is tried again: {error}");
            }
        }
    }

    async fn step(&self, since: &mut Time, base: &mut Date) -> Result<(), Error> {
        self.fill().await?;
        if *base != self.base() {
            // The calendar of a listing begins with the day on which it was read.
            *base = self.base();
            let loaded = load::all(self.inner.kit.db.read(), *base).await?;
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
        self.inner.kit.db.backend() == DatabaseBackend::Sqlite
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
