//! Days and months at the place of a member.

use chrono::{Datelike, Days, Months, NaiveTime, TimeDelta};

use crate::kit::clock::Time;
use crate::kit::date::{self, Tz};

/// The end of the day that is some days behind that of an instant: the first moment of the next one.
pub(in crate::point) fn end_of_day(zone: Tz, instant: Time, days: u16) -> Time {
    let next = date::local_date(zone, instant).checked_add_days(Days::new(u64::from(days) + 1));
    next.map_or(Time::MAX_UTC, |next| date::instant(zone, next, NaiveTime::MIN))
}

/// The end of the day that is some months behind that of an instant.
pub(in crate::point) fn expiry_behind(zone: Tz, instant: Time, months: u16) -> Time {
    let last = date::local_date(zone, instant).checked_add_months(Months::new(u32::from(months)));
    let next = last.and_then(|last| last.checked_add_days(Days::new(1)));
    next.map_or(Time::MAX_UTC, |next| date::instant(zone, next, NaiveTime::MIN))
}

/// The end of the day on which points expire that can be spent from another moment on: they are good for as many days.
pub(in crate::point) fn expiry_moved(zone: Tz, expiry: Time, (from, to): (Time, Time)) -> Time {
    let days = date::local_date(zone, to) - date::local_date(zone, from);
    // A day ends with the first moment of the next.
    let last = date::local_date(zone, expiry - TimeDelta::milliseconds(1)).checked_add_signed(days);
    let next = last.and_then(|last| last.checked_add_days(Days::new(1)));
    next.map_or(Time::MAX_UTC, |next| date::instant(zone, next, NaiveTime::MIN))
}

/// Which day an instant is of: days of the calendar are counted up.
pub(in crate::point) fn day_number(zone: Tz, instant: Time) -> i64 {
    i64::from(date::local_date(zone, instant).num_days_from_ce())
}

/// Which month an instant is of: months of the calendar are counted up.
pub(in crate::point) fn month_number(zone: Tz, instant: Time) -> i64 {
    let day = date::local_date(zone, instant);
    i64::from(day.year()) * 12 + i64::from(day.month0())
}
