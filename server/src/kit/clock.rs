//! Time, passed in.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// An instant, to the microsecond: PostgreSQL keeps no more, and equal instants must stay equal.
pub type Time = DateTime<Utc>;

/// Tells the time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, to the microsecond.
    fn now(&self) -> Time;
}

/// The clock of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Time {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Time) -> Self {
        Self { micros: AtomicI64::new(start.timestamp_micros()) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: TimeDelta) {
        let micros = by.num_microseconds().expect("a test never advances by 292,000 years");
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Moves the clock to an instant.
    pub fn set(&self, to: Time) {
        self.micros.store(to.timestamp_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::SeqCst)).expect("set from a valid instant")
    }
}
