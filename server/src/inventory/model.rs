//! What a night has, and what is left of it.

use crate::kit::clock::Time;
use crate::kit::date::{Date, Nights};
use crate::kit::id::BookingId;

/// The rooms of one type in one night.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RoomNight {
    pub(super) date: Date,
    pub(super) total: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
}

impl RoomNight {
    /// Rooms that nobody has, not even a hold whose time is over.
    pub(super) fn left(&self) -> i64 {
        self.total - self.held - self.sold
    }
}

/// Rooms that a booking has held or bought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Hold {
    pub(super) booking: BookingId,
    pub(super) line: i64,
    pub(super) nights: Nights,
    pub(super) rooms: i64,
    pub(super) sold: bool,
    pub(super) expire_time: Option<Time>,
}

impl Hold {
    /// Whether its time is over: it counts in `held` until someone expires its booking, and blocks nobody.
    pub(super) fn is_stale(&self, now: Time) -> bool {
        !self.sold && self.expire_time.is_some_and(|expires| expires <= now)
    }
}

/// A hold whose time is over, and which still stands in the way of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StaleHold {
    /// Whose it is: to be expired by whoever wants the rooms.
    pub booking: BookingId,
}

/// What one night has left: everything, less what is sold and what is held by holds that live.
pub(super) fn free(night: &RoomNight, holds: &[Hold], now: Time) -> i64 {
    let stale = holds.iter().filter(|hold| hold.is_stale(now) && hold.nights.contains(night.date));
    night.left() + stale.map(|hold| hold.rooms).sum::<i64>()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::kit::id::Ids;

    #[test]
    fn a_hold_whose_time_is_over_blocks_nobody() {
        let now = Time::UNIX_EPOCH;
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let nights = Nights::between(date("2026-05-01"), date("2026-05-03")).expect("a stay");
        let hold = Hold {
            booking: BookingId::new(&Ids::seeded(1), now),
            line: 0,
            nights,
            rooms: 2,
            sold: false,
            expire_time: Some(now + TimeDelta::minutes(15)),
        };
        let night = |text| RoomNight { date: date(text), total: 3, held: 2, sold: 1 };
        let holds = [hold];

        assert_eq!(free(&night("2026-05-01"), &holds, now), 0);
        assert_eq!(free(&night("2026-05-01"), &holds, now + TimeDelta::minutes(15)), 2, "the end is exclusive");
        assert_eq!(free(&night("2026-05-03"), &holds, now + TimeDelta::days(1)), 0, "the day of departure is no night");
        let sold = [Hold { sold: true, ..holds[0].clone() }];
        assert_eq!(free(&night("2026-05-01"), &sold, now + TimeDelta::days(1)), 0);
    }
}
