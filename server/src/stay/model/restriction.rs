//! Which stays a night and a rate plan allow.

use std::fmt;
use std::num::NonZeroU16;
use std::ops::ControlFlow;

use chrono::Days;

use super::{NightRate, Offer, Wanted};
use crate::error::NAMED;
use crate::kit::date::{Date, Nights};

/// What the calendar allows on one night of a room type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Restrictions {
    /// The night is not for sale.
    pub closed: bool,
    /// No stay begins on the date.
    pub closed_to_arrival: bool,
    /// No stay ends on the date.
    pub closed_to_departure: bool,
    /// The fewest nights of a stay that begins on the night.
    pub min_stay_arrival: Option<NonZeroU16>,
    /// The fewest nights of a stay that includes the night.
    pub min_stay_through: Option<NonZeroU16>,
    /// The most nights of a stay that includes the night.
    pub max_stay: Option<NonZeroU16>,
}

/// Which stays a rate plan is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StayLimits {
    min_nights: u16,
    max_nights: u16,
    min_advance: u16,
    max_advance: Option<u16>,
}

/// Numbers that are no limits of a rate plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotLimits {
    /// The fewest nights are none, or too many.
    #[error("must be 1 to {}", Nights::LIMIT)]
    MinNights,
    /// The most nights are fewer than the fewest, or too many.
    #[error("must be at least `min_nights`, and at most {}", Nights::LIMIT)]
    MaxNights,
    /// The latest booking is too early.
    #[error("must be at most {}", StayLimits::ADVANCE)]
    MinAdvance,
    /// The earliest booking is behind the latest, or too early.
    #[error("must be at least `min_advance_days`, and at most {}", StayLimits::ADVANCE)]
    MaxAdvance,
}

impl StayLimits {
    /// The most days of an advance limit.
    pub const ADVANCE: u16 = 1000;

    /// Every stay.
    pub const NONE: Self = Self { min_nights: 1, max_nights: Nights::LIMIT, min_advance: 0, max_advance: None };

    /// Stays of `nights.0` to `nights.1` nights, booked at least `advance.0` and at most `advance.1` days before check-in.
    pub fn new(nights: (Option<u16>, Option<u16>), advance: (Option<u16>, Option<u16>)) -> Result<Self, NotLimits> {
        let (min_nights, max_nights) = (nights.0.unwrap_or(1), nights.1.unwrap_or(Nights::LIMIT));
        let (min_advance, max_advance) = (advance.0.unwrap_or(0), advance.1);
        if !(1..=Nights::LIMIT).contains(&min_nights) {
            return Err(NotLimits::MinNights);
        }
        if !(min_nights..=Nights::LIMIT).contains(&max_nights) {
            return Err(NotLimits::MaxNights);
        }
        if min_advance > Self::ADVANCE {
            return Err(NotLimits::MinAdvance);
        }
        if max_advance.is_some_and(|days| !(min_advance..=Self::ADVANCE).contains(&days)) {
            return Err(NotLimits::MaxAdvance);
        }
        Ok(Self { min_nights, max_nights, min_advance, max_advance })
    }

    /// The fewest and the most nights of a stay.
    pub fn nights(&self) -> (u16, u16) {
        (self.min_nights, self.max_nights)
    }

    /// How many days before check-in one must book at the latest, and may book at the earliest.
    pub fn advance(&self) -> (u16, Option<u16>) {
        (self.min_advance, self.max_advance)
    }
}

impl Default for StayLimits {
    fn default() -> Self {
        Self::NONE
    }
}

/// A rule that a stay breaks, with the number of the rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Restriction {
    /// The night is not for sale.
    Closed,
    /// No stay begins on the date.
    ClosedToArrival,
    /// No stay ends on the date.
    ClosedToDeparture,
    /// A stay that begins on the night has at least so many nights.
    MinStayArrival(u16),
    /// A stay that includes the night has at least so many nights.
    MinStayThrough(u16),
    /// A stay that includes the night has at most so many nights.
    MaxStay(u16),
    /// The night has no price under the rate plan.
    NoPrice,
    /// Only so many rooms are free.
    NoRooms(u16),
    /// The rate plan is for at least so many nights.
    MinNights(u16),
    /// The rate plan is for at most so many nights.
    MaxNights(u16),
    /// The rate plan is booked at least so many days before check-in.
    MinAdvance(u16),
    /// The rate plan is booked at most so many days before check-in.
    MaxAdvance(u16),
    /// One room sleeps at most so many guests.
    MaxOccupancy(u16),
    /// The check-in date is over at the property.
    InThePast,
}

impl Restriction {
    /// Its name in the proto, without the prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::ClosedToArrival => "CLOSED_TO_ARRIVAL",
            Self::ClosedToDeparture => "CLOSED_TO_DEPARTURE",
            Self::MinStayArrival(_) => "MIN_STAY_ARRIVAL",
            Self::MinStayThrough(_) => "MIN_STAY_THROUGH",
            Self::MaxStay(_) => "MAX_STAY",
            Self::NoPrice => "NO_PRICE",
            Self::NoRooms(_) => "NO_ROOMS",
            Self::MinNights(_) => "MIN_NIGHTS",
            Self::MaxNights(_) => "MAX_NIGHTS",
            Self::MinAdvance(_) => "MIN_ADVANCE",
            Self::MaxAdvance(_) => "MAX_ADVANCE",
            Self::MaxOccupancy(_) => "MAX_OCCUPANCY",
            Self::InThePast => "IN_THE_PAST",
        }
    }

    /// Its number; 0 where it has none.
    pub const fn limit(self) -> u16 {
        match self {
            Self::MinStayArrival(limit) | Self::MinStayThrough(limit) | Self::MaxStay(limit) => limit,
            Self::NoRooms(limit) | Self::MinNights(limit) | Self::MaxNights(limit) => limit,
            Self::MinAdvance(limit) | Self::MaxAdvance(limit) | Self::MaxOccupancy(limit) => limit,
            Self::Closed | Self::ClosedToArrival | Self::ClosedToDeparture | Self::NoPrice | Self::InThePast => 0,
        }
    }
}

/// A reason why a stay can't be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The night that refuses; check-in where the stay as a whole does, check-out for a departure.
    pub date: Date,
    /// The rule that it breaks.
    pub restriction: Restriction,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date;
        match self.restriction {
            Restriction::Closed => write!(f, "the night of {date} is not for sale"),
            Restriction::ClosedToArrival => write!(f, "no stay may begin on {date}"),
            Restriction::ClosedToDeparture => write!(f, "no stay may end on {date}"),
            Restriction::MinStayArrival(limit) => {
                write!(f, "a stay that begins on {date} must have at least {limit} nights")
            }
            Restriction::MinStayThrough(limit) => {
                write!(f, "a stay that includes {date} must have at least {limit} nights")
            }
            Restriction::MaxStay(limit) => write!(f, "a stay that includes {date} may have at most {limit} nights"),
            Restriction::NoPrice => write!(f, "the night of {date} has no price under this rate plan"),
            Restriction::NoRooms(free) => write!(f, "{free} rooms are free on the night of {date}"),
            Restriction::MinNights(limit) => write!(f, "this rate plan is for at least {limit} nights"),
            Restriction::MaxNights(limit) => write!(f, "this rate plan is for at most {limit} nights"),
            Restriction::MinAdvance(limit) => {
                write!(f, "this rate plan must be booked at least {limit} days before {date}")
            }
            Restriction::MaxAdvance(limit) => {
                write!(f, "this rate plan can be booked at most {limit} days before {date}")
            }
            Restriction::MaxOccupancy(limit) => write!(f, "one room sleeps at most {limit} guests"),
            Restriction::InThePast => write!(f, "{date} is over at the property"),
        }
    }
}

/// Refusals as they stand in the metadata of an error: `2026-05-02 CLOSED, 2026-05-03 NO_PRICE`. The first of them: an error has
/// little room.
pub fn refusals_in_short(refusals: &[Refusal]) -> String {
    let short: Vec<_> =
        refusals.iter().take(NAMED).map(|refusal| format!("{} {}", refusal.date, refusal.restriction.name())).collect();
    short.join(", ")
}

/// Passes each broken rule to `refuse`, in order of date, until it breaks off. Pricing collects them all and searching stops at
/// the first, so that the two can't differ.
///
/// `night` is asked for the offsets from check-in, 0 to the number of nights; the last is the check-out date, of which only the
/// departure counts.
#[inline]
pub(in crate::stay) fn check<B>(
    wanted: &Wanted,
    offer: &Offer,
    today: Date,
    night: impl Fn(u16) -> NightRate,
    mut refuse: impl FnMut(Refusal) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let (stay, count) = (wanted.nights(), wanted.nights().count());
    let mut refuse_at = |offset: u16, restriction: Restriction| {
        let date = stay.check_in().checked_add_days(Days::new(u64::from(offset))).unwrap_or(Date::MAX);
        refuse(Refusal { date, restriction })
    };

    if let Some(restriction) = advance_refusal(stay.check_in(), &offer.limits, today) {
        refuse_at(0, restriction)?;
    }
    if count < offer.limits.min_nights {
        refuse_at(0, Restriction::MinNights(offer.limits.min_nights))?;
    }
    if count > offer.limits.max_nights {
        refuse_at(0, Restriction::MaxNights(offer.limits.max_nights))?;
    }
    if wanted.fullest_room() > offer.occupancy.max() {
        refuse_at(0, Restriction::MaxOccupancy(offer.occupancy.max()))?;
    }
    for offset in 0..count {
        let NightRate { price, free, restrictions } = night(offset);
        if restrictions.closed {
            refuse_at(offset, Restriction::Closed)?;
        }
        if offset == 0 {
            if restrictions.closed_to_arrival {
                refuse_at(offset, Restriction::ClosedToArrival)?;
            }
            if let Some(least) = restrictions.min_stay_arrival.filter(|least| count < least.get()) {
                refuse_at(offset, Restriction::MinStayArrival(least.get()))?;
            }
        }
        if let Some(least) = restrictions.min_stay_through.filter(|least| count < least.get()) {
            refuse_at(offset, Restriction::MinStayThrough(least.get()))?;
        }
        if let Some(most) = restrictions.max_stay.filter(|most| count > most.get()) {
            refuse_at(offset, Restriction::MaxStay(most.get()))?;
        }
        if price.is_none() {
            refuse_at(offset, Restriction::NoPrice)?;
        }
        if free < i32::from(wanted.rooms()) {
            refuse_at(offset, Restriction::NoRooms(u16::try_from(free.max(0)).unwrap_or(u16::MAX)))?;
        }
    }
    if night(count).restrictions.closed_to_departure {
        refuse_at(count, Restriction::ClosedToDeparture)?;
    }
    ControlFlow::Continue(())
}

fn advance_refusal(check_in: Date, limits: &StayLimits, today: Date) -> Option<Restriction> {
    let days = (check_in - today).num_days();
    if days < 0 {
        return Some(Restriction::InThePast);
    }
    if days < i64::from(limits.min_advance) {
        return Some(Restriction::MinAdvance(limits.min_advance));
    }
    limits.max_advance.filter(|most| days > i64::from(*most)).map(Restriction::MaxAdvance)
}
