//! Expiry: what was not paid in time gives its nights back.
//!
//! Whoever reads or wants the nights finds them free the moment the time is over; this only writes it down.

use std::time::Duration;

use async_trait::async_trait;

use super::model::{Booking, Event, State};
use super::{Bookings, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::holder::Holder;
use crate::kit::id::BookingId;
use crate::kit::job::Job;
use crate::kit::tx::Tx;

/// How many of each are looked for at a time.
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
        self.release_points(tx, &booking, &actor).await?;
        Ok(true)
    }

    /// Writes down what time has decided: expired holds, and stays that are over. How many there were. One that can't be
    /// written down keeps no other waiting; the failure of the first is told when all were tried.
    pub async fn tidy(&self) -> Result<u64, Error> {
        let mut outcome = Outcome::default();
        loop {
            let before = outcome.done;
            for (booking, due) in self.due(&mut outcome).await {
                let written = match due {
                    Due::Expire => self.expire(booking).await,
                    Due::Complete => self.complete_when_over(booking).await,
                    Due::SettleNoShow => self.settle_no_show(booking).await,
                };
                outcome.add(booking, written);
            }
            // What could not be written down is looked at again at the next run, not for ever in this one.
            if outcome.done == before {
                break;
            }
        }
        outcome.failure.map_or(Ok(outcome.done), Err)
    }

    /// What time has decided and is not written down, so many of each at most. What can't be looked for keeps no other waiting.
    async fn due(&self, outcome: &mut Outcome) -> Vec<(BookingId, Due)> {
        let (conn, now) = (self.kit.db.read(), self.kit.clock.now());
        let found = [
            (store::due::overdue(conn, now, BATCH).await, Due::Expire),
            (store::pending::overdue(conn, now, BATCH).await, Due::Expire),
            (store::due::departed(conn, now, BATCH).await, Due::Complete),
            (store::due::missed(conn, now, BATCH).await, Due::SettleNoShow),
        ];
        let mut all = Vec::new();
        for (bookings, due) in found {
            match bookings {
                Ok(bookings) => all.extend(bookings.into_iter().map(|booking| (booking, due))),
                Err(error) => _ = outcome.failure.get_or_insert(error),
            }
        }
        all
    }
}

/// What time has decided about a booking.
#[derive(Clone, Copy)]
enum Due {
    Expire,
    Complete,
    SettleNoShow,
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
