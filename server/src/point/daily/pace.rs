//! How many wallets a chunk has, and how often one that failed is tried again.

use std::time::Duration;

use crate::error::{Error, Unavailable};
use crate::kit::tx::Db;

/// How many wallets are done in one transaction.
const WALLETS: i64 = 5_000;
/// The same on SQLite, where whoever writes waits for it.
const WALLETS_ALONE: i64 = 500;
/// The fewest: what takes too long with so few does so for another reason.
const LEAST: i64 = 50;
/// How often in a row a chunk is tried again.
const TRIES: u32 = 10;
/// How long to wait before the first time, twice as long before each other, and how long at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How chunks go.
#[derive(Debug)]
pub(super) struct Pace {
    most: i64,
    wallets: i64,
    failed: u32,
}

impl Pace {
    pub(super) fn of(db: &Db) -> Self {
        Self::from(if db.is_shared() { WALLETS } else { WALLETS_ALONE })
    }

    fn from(most: i64) -> Self {
        Self { most, wallets: most, failed: 0 }
    }

    /// How many wallets the next chunk has at most.
    pub(super) fn wallets(&self) -> i64 {
        self.wallets
    }

    /// A chunk is done: the next may have some more.
    pub(super) fn went_well(&mut self) {
        self.failed = 0;
        self.wallets = (self.wallets + self.most / 20).min(self.most);
    }

    /// How long to wait before a chunk that failed is tried again: one that another has changed from where that has come, one that
    /// took too long with half as many wallets. None where it is not: it fails the run.
    pub(super) fn again(&mut self, error: &Error) -> Option<Duration> {
        let took_too_long = error.fault::<Unavailable>().is_some() && self.wallets > LEAST;
        if !(took_too_long || error.is_lost()) || self.failed == TRIES {
            return None;
        }
        if took_too_long {
            self.wallets = (self.wallets / 2).max(LEAST);
        }
        let pause = PAUSE * 2_u32.pow(self.failed);
        self.failed += 1;
        Some(pause.min(LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_long() -> Error {
        Unavailable { what: "the database" }.into()
    }

    /// Guard: what takes too long once would do so at each try, if it had as many wallets.
    #[test]
    fn a_chunk_that_took_too_long_has_half_as_many_wallets_down_to_a_few_and_grows_back() {
        let mut pace = Pace::from(1_000);
        let mut tried = Vec::new();
        while pace.again(&too_long()).is_some() {
            tried.push(pace.wallets());
        }
        assert_eq!(tried, [500, 250, 125, 62, 50]);

        pace.went_well();
        assert_eq!(pace.wallets(), 100);
        assert!(pace.again(&too_long()).is_some(), "it is counted from there");
        for _ in 0..20 {
            pace.went_well();
        }
        assert_eq!(pace.wallets(), 1_000);
    }

    /// Guard: nobody asks for ever, nor at once.
    #[test]
    fn a_chunk_that_others_change_all_the_time_fails_the_run_in_the_end() {
        let mut pace = Pace::from(1_000);
        let lost = Error::lost("wallets");
        let pauses: Vec<_> = std::iter::from_fn(|| pace.again(&lost)).collect();

        assert_eq!((pauses.len(), pauses[0], pauses[1], pauses[9]), (10, PAUSE, PAUSE * 2, LONGEST_PAUSE));
        assert_eq!(pace.wallets(), 1_000, "it was not too much");
        assert!(Pace::from(1_000).again(&Error::internal("a bug")).is_none());
    }
}
