//! What other processes sell is counted here too.
//!
//! Every change of a booking leaves an event; what is held beside for a move that is to be paid stands in a row of its own. Those
//! of other processes are looked for when the bus wakes, and now and then besides; the rooms they were about are read again before
//! the next search.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Bookings, store};
use crate::backend::bus::{ROOMS, Subscription};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::ChangeId;
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

/// What was seen of all that tells of rooms taken and given back.
#[derive(Default)]
struct Seen {
    /// Events: bookings, their versions and room types, and when they happened.
    events: HashMap<(Uuid, i64, RoomTypeId), Time>,
    /// Moves that are to be paid, with until when nights are held for them.
    moves: HashSet<(ChangeId, Option<Time>, RoomTypeId)>,
}

impl Seen {
    /// The room types of which anything was not seen before.
    async fn look(&mut self, conn: &impl ConnectionTrait, since: Time) -> Result<HashSet<RoomTypeId>, Error> {
        let from = since - OVERLAP;
        let events = store::changes_since(conn, from).await?;
        let pending = store::pending::all(conn).await?;
        // Once both are read: what was not told counts as not seen.
        let mut changed = HashSet::new();
        self.events.retain(|_, time| *time >= from);
        for event in events {
            if self.events.insert((event.booking, event.version, event.room_type), event.time).is_none() {
                changed.insert(event.room_type);
            }
        }
        let moves = pending.into_iter().map(|one| (one.id, one.expire_time, one.line.room_type)).collect();
        // Those that came, are held for another time, or went.
        changed.extend(self.moves.symmetric_difference(&moves).map(|(.., room_type)| room_type));
        self.moves = moves;
        Ok(changed)
    }
}

impl Bookings {
    /// Keeps the counts of free rooms in step with other processes, until the server stops.
    pub async fn follow(&self, stop: CancellationToken) {
        // Who is alone has counted every change by itself.
        if !self.kit.db.is_shared() {
            return;
        }
        let mut changes = self.bus.subscribe(ROOMS);
        let mut seen = Seen::default();
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
        for room_type in seen.look(self.kit.db.read(), since).await? {
            self.inventory.free().changed(room_type);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::booking::model::Line;
    use crate::booking::pending::PendingChange;
    use crate::harness::Harness;
    use crate::kit::date::Nights;
    use crate::kit::id::BookingId;
    use crate::stay::RatePlanId;

    /// Guard: moves are compared with those that were seen; they leave no event of their booking.
    #[tokio::test]
    async fn nights_that_are_held_for_a_move_kept_for_it_and_let_go_of_are_seen() {
        let yeyak = Harness::new().await;
        let (ids, now) = (&yeyak.kit.ids, yeyak.kit.clock.now());
        let (room_type, date) = (RoomTypeId::new(ids, now), now.date_naive());
        let line = Line {
            room_type,
            room_type_name: "온돌방".to_owned(),
            rate_plan: RatePlanId::new(ids, now),
            nights: Nights::between(date, date.succ_opt().expect("a day")).expect("a stay"),
            rooms: 1,
            adults: 2,
            children: 0,
            prices: vec![100_000],
        };
        let held = PendingChange {
            booking: BookingId::new(ids, now),
            id: ChangeId::new(ids, now),
            version: 3,
            line,
            discounts: Vec::new(),
            terms: None,
            due: 100_000,
            fee_floor: 0,
            expire_time: Some(now + TimeDelta::minutes(15)),
            limit_time: now + TimeDelta::hours(1),
        };
        let kept = PendingChange { expire_time: None, ..held.clone() };
        let mut seen = Seen::default();
        let mut look = async || seen.look(yeyak.db.read(), now).await.expect("looks").into_iter().collect::<Vec<_>>();
        let put = async |pending: &PendingChange| {
            yeyak.db.write(async |tx| store::pending::put(&tx, pending).await).await.expect("writes");
        };
        assert_eq!(look().await, []);

        for pending in [&held, &kept] {
            put(pending).await;
            assert_eq!(look().await, [room_type]);
            assert_eq!(look().await, [], "it was seen");
        }
        let booking = held.booking;
        yeyak.db.write(async |tx| store::pending::delete(&tx, booking).await).await.expect("forgets");
        assert_eq!(look().await, [room_type]);
    }
}
