//! What other processes sell is counted here too.
//!
//! Every change of a booking leaves an event. Those of other processes are looked for when the bus wakes, and now and then
//! besides; the rooms they were about are read again before the next search.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Bookings, store};
use crate::backend::bus::{ROOMS, Subscription};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::stay::RoomTypeId;

/// How long changes gather before they are looked for, however often the bus wakes.
const GATHER: Duration = Duration::from_millis(50);
/// How often everything is counted again.
const HEAL: TimeDelta = TimeDelta::minutes(1);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// For how long a change may stay uncommitted after its time was taken, and how far clocks may be apart.
const OVERLAP: TimeDelta = TimeDelta::seconds(15);

/// The events that were seen: bookings, their versions and room types, and when they happened.
type Seen = HashMap<(Uuid, i64, RoomTypeId), Time>;

impl Bookings {
    /// Keeps the counts of free rooms in step with other processes, until the server stops.
    pub async fn follow(&self, stop: CancellationToken) {
        // Who is alone has counted every change by itself.
        if !self.kit.db.is_shared() {
            return;
        }
        let mut changes = self.bus.subscribe(ROOMS);
        let mut seen = Seen::new();
        let mut since = self.kit.clock.now();
        let mut heal = since + HEAL;
        let mut wait = self.bus.look_every();
        while stop.run_until_cancelled(next_look(wait, &mut *changes)).await.is_some() {
            let now = self.kit.clock.now();
            if now >= heal {
                // What left no event, or left it later than anyone looked, is seen by this.
                self.inventory.free().all_changed();
                heal = now + HEAL;
            }
            let looked = timeout(PATIENCE, self.look(&mut seen, since)).await;
            self.inventory.free().set_behind(!matches!(looked, Ok(Ok(()))));
            match looked {
                Ok(Ok(())) => (since, wait) = (now, self.bus.look_every()),
                Ok(Err(error)) => {
                    wait = RETRY;
                    tracing::warn!("what others sell could not be counted, and is tried again: {error}");
                }
                Err(_) => wait = RETRY,
            }
        }
    }

    async fn look(&self, seen: &mut Seen, since: Time) -> Result<(), Error> {
        let from = since - OVERLAP;
        seen.retain(|_, time| *time >= from);
        for change in store::changes_since(self.kit.db.read(), from).await? {
            if seen.insert((change.booking, change.version, change.room_type), change.time).is_none() {
                self.inventory.free().changed(change.room_type);
            }
        }
        Ok(())
    }
}

/// Waits for the next time to look: once the bus wakes, or a while has passed.
async fn next_look(wait: Duration, changes: &mut dyn Subscription) {
    let woken = async {
        changes.changed().await;
        sleep(GATHER).await;
    };
    // Woken or not, it is time to look.
    _ = timeout(wait, woken).await;
}
