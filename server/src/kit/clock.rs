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

/// A stretch of time for people to read: `300 ms`, `2 s`, `1.5 s`, `3 min`, `2 min 30 s`.
pub fn words(stretch: std::time::Duration) -> String {
    let (seconds, millis) = (stretch.as_secs(), stretch.subsec_millis());
    match (seconds / 60, seconds % 60) {
        (0, 0) => format!("{millis} ms"),
        (0, _) if millis >= 100 => format!("{seconds}.{} s", millis / 100),
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod words_tests {
    use std::time::Duration;

    use super::words;

    #[test]
    fn a_stretch_of_time_is_read_as_people_say_it() {
        let cases = [(2_000, "2 s"), (300, "300 ms"), (1_560, "1.5 s"), (180_000, "3 min"), (150_500, "2 min 30 s")];
        for (millis, told) in cases {
            assert_eq!(words(Duration::from_millis(millis)), told);
        }
    }
}
