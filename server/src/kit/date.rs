//! Civil dates and the instants that they mean at a place.

use chrono::{Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone};
pub use chrono_tz::Tz;
use yeyak_proto::yeyak::common::v1 as pb;

use super::clock::Time;

/// A day of the calendar, at a place that the context names.
pub type Date = NaiveDate;

/// The nights from one date up to, and without, another: the half-open interval of a stay.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Nights {
    check_in: Date,
    check_out: Date,
}

/// Dates that are not a stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotNights {
    /// Check-out is not behind check-in.
    #[error("must be after the check-in date")]
    Backwards,
    /// The stay is too long.
    #[error("must be at most {limit} nights after the check-in date")]
    TooLong {
        /// How many nights a stay may have.
        limit: u16,
    },
}

impl Nights {
    /// The longest stay that can be booked at once.
    pub const LIMIT: u16 = 365;

    /// The nights between two dates; at least one, at most [`Self::LIMIT`].
    pub fn between(check_in: Date, check_out: Date) -> Result<Self, NotNights> {
        match (check_out - check_in).num_days() {
            ..1 => Err(NotNights::Backwards),
            days if days > i64::from(Self::LIMIT) => Err(NotNights::TooLong { limit: Self::LIMIT }),
            _ => Ok(Self { check_in, check_out }),
        }
    }

    /// The day of arrival, which is the first night.
    pub fn check_in(&self) -> Date {
        self.check_in
    }

    /// The day of departure, which is no night of the stay.
    pub fn check_out(&self) -> Date {
        self.check_out
    }

    /// How many nights there are.
    pub fn count(&self) -> u16 {
        u16::try_from((self.check_out - self.check_in).num_days()).expect("at most 365")
    }

    /// Each night by the date on which it begins.
    pub fn dates(&self) -> impl Iterator<Item = Date> + use<> {
        self.check_in.iter_days().take(usize::from(self.count()))
    }

    /// Whether a date is one of the nights.
    pub fn contains(&self, date: Date) -> bool {
        self.check_in <= date && date < self.check_out
    }

    /// Whether two stays share a night. Stays that touch, back to back, do not.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.check_in < other.check_out && other.check_in < self.check_out
    }
}

/// The instant of a local time. In the hour that a change to summer time leaves out, the first instant behind it; in the hour
/// that comes twice, the earlier: a deadline then falls no later than a guest would read it.
pub fn instant(zone: Tz, date: Date, time: NaiveTime) -> Time {
    let local = date.and_time(time);
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant.to_utc(),
        LocalResult::None => {
            // Gaps are at most a day, when a place changes sides of the date line; nearly all are one hour.
            let mut later = local;
            loop {
                later += TimeDelta::minutes(1);
                if let Some(instant) = zone.from_local_datetime(&later).earliest() {
                    return instant.to_utc();
                }
            }
        }
    }
}

/// The day of the calendar at a place.
pub fn local_date(zone: Tz, now: Time) -> Date {
    now.with_timezone(&zone).date_naive()
}

/// The date some days before; stays at the first day of the calendar.
pub fn days_before(date: Date, days: u16) -> Date {
    date.checked_sub_days(Days::new(u64::from(days))).unwrap_or(Date::MIN)
}

/// A proto date, when it is one.
pub fn from_proto(date: &pb::Date) -> Option<Date> {
    let (month, day) = (u32::try_from(date.month).ok()?, u32::try_from(date.day).ok()?);
    (1..=9999).contains(&date.year).then(|| Date::from_ymd_opt(date.year, month, day)).flatten()
}

/// A date as the proto has it.
pub fn to_proto(date: Date) -> pb::Date {
    let [month, day] = [date.month(), date.day()].map(|part| i32::try_from(part).expect("at most 31"));
    pb::Date { year: date.year(), month, day }
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Asia, Australia, Europe};
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn at(zone: Tz, day: &str, time: &str) -> String {
        instant(zone, date(day), time.parse().expect("a time")).to_rfc3339()
    }

    #[test]
    fn a_local_time_is_one_instant_even_when_clocks_change() {
        assert_eq!(at(Asia::Seoul, "2026-03-29", "15:00:00"), "2026-03-29T06:00:00+00:00");
        // 02:00 to 03:00 does not exist; 01:00 to 02:00 comes twice.
        assert_eq!(at(America::New_York, "2026-03-08", "02:00:00"), "2026-03-08T07:00:00+00:00");
        assert_eq!(at(America::New_York, "2026-11-01", "01:30:00"), "2026-11-01T05:30:00+00:00");
        assert_eq!(at(Europe::London, "2026-03-29", "01:00:00"), "2026-03-29T01:00:00+00:00");
        // Lord Howe moves by half an hour.
        assert_eq!(at(Australia::Lord_Howe, "2026-10-04", "02:00:00"), "2026-10-03T15:30:00+00:00");
    }

    #[test]
    fn back_to_back_stays_do_not_overlap() {
        let stay = |from: &str, to: &str| Nights::between(date(from), date(to)).expect("a stay");
        assert!(!stay("2026-05-01", "2026-05-03").overlaps(&stay("2026-05-03", "2026-05-04")));
        assert!(stay("2026-05-01", "2026-05-09").overlaps(&stay("2026-05-03", "2026-05-04")), "a superset overlaps");
        assert_eq!(Nights::between(date("2026-05-03"), date("2026-05-03")), Err(NotNights::Backwards));
        assert_eq!(Nights::between(date("2026-05-03"), date("2028-05-03")), Err(NotNights::TooLong { limit: 365 }));
    }

    #[test]
    fn dates_that_are_none_are_refused() {
        assert_eq!(from_proto(&pb::Date { year: 2026, month: 2, day: 29 }), None);
        assert_eq!(from_proto(&pb::Date { year: 0, month: 1, day: 1 }), None);
        assert_eq!(from_proto(&pb::Date { year: 2026, month: -1, day: 1 }), None);
    }

    proptest! {
        #[test]
        fn stays_overlap_when_they_share_a_night(a in 0..20_u64, m in 1..20_u64, b in 0..20_u64, n in 1..20_u64) {
            let day = |days| date("2026-01-01") + Days::new(days);
            let one = Nights::between(day(a), day(a + m)).expect("a stay");
            let two = Nights::between(day(b), day(b + n)).expect("a stay");
            prop_assert_eq!(one.overlaps(&two), one.dates().any(|night| two.contains(night)));
            prop_assert_eq!(one.dates().count(), usize::from(one.count()));
        }
    }
}
