//! Watching a booking: as it is at once, and again whenever it changes.

use std::time::Duration;

use futures::Stream;
use futures::stream;
use tokio::time::timeout;

use super::Bookings;
use super::model::{Booking, State};
use crate::backend::bus::Subscription;
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::id::BookingId;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where a watcher is: the version it has seen, and the state as it read then. Time moves a state without a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cursor {
    pub(super) version: i64,
    pub(super) state: State,
}

/// One item of a watch.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) cursor: Cursor,
    /// Absent in a heartbeat.
    pub(super) booking: Option<Booking>,
}

struct Watch {
    bookings: Bookings,
    caller: Member,
    id: BookingId,
    cursor: Option<Cursor>,
    changes: Box<dyn Subscription>,
    over: bool,
}

impl Cursor {
    pub(super) fn of(text: &str) -> Option<Self> {
        let (version, state) = text.split_once('.')?;
        Some(Self { version: version.parse().ok()?, state: State::of_name(state)? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.version, self.state.name())
    }
}

impl Bookings {
    /// Watches a booking of the caller. The first item comes at once, unless the caller has seen it.
    pub(super) async fn watch(
        &self,
        caller: Member,
        id: BookingId,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<Seen, Error>> + Send + use<>, Error> {
        // Subscribed before the first look, so that nothing happens unseen between the two.
        let changes = self.bus.subscribe(id.0);
        self.get(&caller, id).await?;
        let watch = Watch { bookings: self.clone(), caller, id, cursor: after, changes, over: false };
        Ok(stream::unfold(watch, |mut watch| async move {
            if watch.over {
                return None;
            }
            let seen = watch.next().await.transpose()?;
            watch.over = match &seen {
                Ok(seen) => seen.booking.is_some() && seen.cursor.state.is_final(),
                Err(_) => true,
            };
            Some((seen, watch))
        }))
    }
}

impl Watch {
    /// What there is to tell next; nothing when who watches has seen the end.
    async fn next(&mut self) -> Result<Option<Seen>, Error> {
        loop {
            let booking = self.bookings.get(&self.caller, self.id).await?;
            let now = self.bookings.kit.clock.now();
            let cursor = Cursor { version: booking.version, state: booking.state_at(now) };
            if self.cursor != Some(cursor) {
                self.cursor = Some(cursor);
                return Ok(Some(Seen { cursor, booking: Some(booking) }));
            }
            if cursor.state.is_final() {
                return Ok(None);
            }
            // A hold ends without anyone doing anything: look again at that moment.
            let ends = booking.expire_time.and_then(|expires| (expires - now).to_std().ok());
            let patience = ends.filter(|left| !left.is_zero()).map_or(HEARTBEAT, |left| left.min(HEARTBEAT));
            if timeout(patience, self.changes.changed()).await.is_err() && patience == HEARTBEAT {
                return Ok(Some(Seen { cursor, booking: None }));
            }
        }
    }
}
