//! The daily run over all wallets: what time has done is written down, each wallet's balance of the day is kept, and wallets are
//! compared with their lots, their movements and their reservations, as they are written; one that differs is left as it is, unless it is put right.
//! Balances of days more than five weeks before are deleted.
//!
//! It goes through the wallets by key, in ranges beside one another, a chunk at a time. What a chunk does and how far its range has
//! come commit together: a run that was killed goes on behind the last chunk, and a chunk that two processes do at once is done by
//! one of them. Where runs are kept in a database of their own, the second follows the first: the last chunk is done once more then,
//! which finds nothing left to do. Wallets that were moved of late are put at hand then. No rule of time rests on it.
//!
//! A day that was missed is made up. One that is not over is run as of now, and again when it is. A wallet's balance of a day is of
//! the moment at which the run came to the wallet, which may be hours behind the day.

mod checkpoint;
mod chunk;
mod compare;
mod mend;
mod pace;
mod run;
mod schedule;
mod store;
mod warm;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::describe_gauge;

pub use self::store::{Counts, Difference};
use super::Points;
use crate::error::Error;
use crate::kit::date::Date;
use crate::kit::job::Job;

/// The name of the run, and of its lease.
pub const DAILY: &str = "points-daily";
/// The gauge of wallets that differ.
const DIFFERENCES: &str = "yeyak_points_differences";
/// How much of the database's time a run takes, in hundredths, where nothing else is said: a day is done in minutes however many
/// wallets there are, and who reads a balance meanwhile does not feel it.
pub const SHARE: u8 = 60;
/// How many ranges are worked on at once, where nothing else is said: each keeps a core of the database busy.
const SESSIONS: u8 = 1;
/// The most: a database of runs has a connection for each of them, and one to tell how far the run is.
pub const MOST_SESSIONS: u8 = 2;

/// What a run is to do.
#[derive(Clone)]
pub struct Order {
    /// Of which day.
    pub date: Date,
    /// Whether a wallet that differs from its lots, its movements and its reservations, which agree, is put right.
    pub repair: bool,
    /// How much of the database's time it takes, in hundredths: 1 to 100.
    pub share: u8,
    /// How many ranges of wallets are worked on at once, from 1 to [`MOST_SESSIONS`]: each keeps a core of the database busy. SQLite, which has one
    /// writer, does one.
    pub sessions: u8,
    /// Whether the balances of wallets that were moved of late are put at hand.
    pub warm: bool,
    /// Is told how far it is.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").field("date", &self.date).field("repair", &self.repair).finish_non_exhaustive()
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Wallets that were done.
    pub done: i64,
    /// Of so many.
    pub all: i64,
    /// In a second, since this process took the run up.
    pub rate: f64,
    /// How long it takes still, at this rate.
    pub left: Duration,
}

/// What a run did.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Of which day.
    pub date: Date,
    /// Whether it has ended, of a day that was over when it began.
    pub is_done: bool,
    /// Whether the balances of the day are kept still, of which it is known how many wallets time had changed, and what had expired.
    pub is_kept: bool,
    /// What was counted.
    pub counts: Counts,
}

impl Order {
    /// The run of a day, as its schedule has it.
    pub fn of(date: Date) -> Self {
        Self { date, repair: false, share: SHARE, sessions: SESSIONS, warm: true, progress: Arc::new(|_| {}) }
    }
}

/// The run of a day.
#[derive(Debug)]
pub struct DailyJob {
    points: Points,
    /// None for the days that are due, whichever they are.
    order: Option<Order>,
}

impl Points {
    /// The run of a day, by hand.
    pub fn daily(&self, order: Order) -> DailyJob {
        DailyJob { points: self.clone(), order: Some(order) }
    }

    /// Work that repeats.
    pub fn jobs(&self) -> Vec<Arc<dyn Job>> {
        describe_gauge!(
            DIFFERENCES,
            "Wallets that differed at the last daily run and are not put right, told by every process."
        );
        vec![Arc::new(DailyJob { points: self.clone(), order: None })]
    }
}

#[async_trait]
impl Job for DailyJob {
    fn name(&self) -> &'static str {
        DAILY
    }

    fn every(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(6 * 3600)
    }

    async fn run(&self) -> Result<u64, Error> {
        if let Some(order) = &self.order {
            return self.points.run_day(order).await;
        }
        let days = self.points.days_due().await?;
        let (mut done, mut failed) = (0, None);
        for date in &days {
            let order = Order { warm: days.last() == Some(date), ..Order::of(*date) };
            match self.points.run_day(&order).await {
                Ok(wallets) => done += wallets,
                // A day that can't be done keeps no other from being done.
                Err(error) => {
                    tracing::warn!(date = %date, "{DAILY} of {date} failed and is tried again: {error}");
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(done), Err)
    }

    async fn stand_back(&self) -> Result<(), Error> {
        // What this one knew when it led may be no longer so.
        self.points.measure_latest().await
    }
}
