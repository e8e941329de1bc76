//! Expiry: what was not paid in time gives its nights back.
//!
//! Whoever reads or wants the nights finds them free the moment the time is over; this only writes it down.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::model::{Booking, Event, State};
use super::{Bookings, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::date::local_date;
use crate::kit::holder::Holder;
use crate::kit::id::BookingId;
use crate::kit::job::Job;
use crate::kit::tx::Tx;

const BATCH: u64 = 200;

impl Bookings {
    /// Writes down that a booking has expired and frees its nights, if its time is over and nobody did before.
    pub(super) async fn expire(&self, id: BookingId) -> Result<bool, Error> {
        self.kit.db.write(async |tx| self.expire_in(&tx, id).await).await
    }

    /// The same, in a transaction that wants its nights.
    pub(super) async fn expire_in(&self, tx: &Tx, id: BookingId) -> Result<bool, Error> {
        let booking = self.load_in(tx, id).await?;
        let now = self.kit.clock.now();
        if booking.state == State::Expired || booking.state_at(now) != State::Expired {
            return self.expire_change(tx, &booking).await;
        }
        let expired =
            Booking { state: State::Expired, version: booking.version + 1, update_time: now, ..booking.clone() };
        let actor = Actor::job("expiry");
        self.put(tx, &booking, &expired, Event::Expire, &actor).await?;
        self.inventory.release(tx, id).await?;
        self.coupons.release(tx, id, &actor).await?;
        self.points.release(tx, id, &actor).await?;
        Ok(true)
    }

    /// Writes down what time has decided: expired holds, and stays that are over. How many there were. One that can't be
    /// written down keeps no other waiting; the failure of the first is told when all were tried.
    pub async fn tidy(&self) -> Result<u64, Error> {
        let mut outcome = Outcome::default();
        loop {
            let overdue = store::overdue(self.kit.db.read(), &self.kit, self.kit.clock.now(), BATCH).await?;
            let before = outcome.done;
            for booking in &overdue {
                outcome.add(booking.id, self.expire(booking.id).await);
            }
            // What could not be expired is looked at again at the next run, not for ever in this one.
            if outcome.done == before || overdue.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                break;
            }
        }
        for booking in store::pending::overdue(self.kit.db.read(), self.kit.clock.now(), BATCH).await? {
            outcome.add(booking, self.expire(booking).await);
        }
        // The day may have come already in the east of the world.
        let latest = local_date(chrono_tz::UTC, self.kit.clock.now() + TimeDelta::hours(14));
        for booking in store::departed(self.kit.db.read(), &self.kit, latest, BATCH).await? {
            let written = match booking.state {
                State::NoShow => self.settle_no_show(booking.id).await,
                _ => self.complete_when_over(booking.id).await,
            };
            outcome.add(booking.id, written);
        }
        outcome.failure.map_or(Ok(outcome.done), Err)
    }
}

/// What came of a run over many bookings.
#[derive(Default)]
struct Outcome {
    done: u64,
    failure: Option<Error>,
}

impl Outcome {
    fn add(&mut self, booking: BookingId, written: Result<bool, Error>) {
        match written {
            Ok(written) => self.done += u64::from(written),
            Err(error) => {
                tracing::error!(booking.id = %booking, "what time has decided about {booking} can't be written down: {error}");
                self.failure.get_or_insert(error);
            }
        }
    }
}

#[async_trait]
impl Holder for Bookings {
    async fn expire(&self, booking: BookingId) -> Result<bool, Error> {
        Self::expire(self, booking).await
    }
}

/// Writes down what time has decided.
#[derive(Debug)]
pub struct ExpireJob(pub Bookings);

#[async_trait]
impl Job for ExpireJob {
    fn name(&self) -> &'static str {
        "expiry"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> Result<u64, Error> {
        self.0.tidy().await
    }
}
