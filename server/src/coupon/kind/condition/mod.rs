//! What a booking must be like.
//!
//! A condition is one of three: it narrows what the coupon is good for, judges the booking, or judges how much is left of what
//! the coupon is good for. The last is asked again at the coupon's turn, when others have taken something off.

pub mod booking_dates;
pub mod booking_weekdays;
pub mod category;
pub mod first_booking;
pub mod member_tier;
pub mod minimum_amount;
pub mod minimum_nights;
pub mod payment_method;
pub mod performance;
pub mod product;
pub mod property;
pub mod region;
pub mod room_type;
pub mod seat_grade;
pub mod stay_dates;
pub mod stay_weekdays;

use std::fmt::Debug;

use chrono::{Datelike, Weekday};
use uuid::Uuid;

use super::{Accepts, Misfit, Parameter, Refusal, Values, Words};
use crate::coupon::cart::{Cart, Line, Unit};
use crate::kit::date::Date;

/// What a booking must be like.
#[derive(Debug)]
pub enum Condition {
    /// Narrows what the coupon is good for.
    Scope(Box<dyn Scope>),
    /// Judges the booking, whatever others take off.
    Gate(Box<dyn Gate>),
    /// Judges how much is left of what the coupon is good for.
    Threshold(Box<dyn Threshold>),
}

/// Narrows what a coupon is good for.
pub trait Scope: Debug + Send + Sync {
    /// Whether a unit of a line counts.
    fn covers(&self, line: &Line, unit: &Unit) -> bool;

    /// Why nothing counts, when nothing does.
    fn refusal(&self) -> Refusal;
}

/// Judges a booking.
pub trait Gate: Debug + Send + Sync {
    /// Whether it is as it must be, on this day in the policy's time zone.
    fn judge(&self, cart: &Cart, today: Date) -> Result<(), Refusal>;
}

/// Judges how much is left: a coupon that does not apply now does not apply later either, when less is left.
pub trait Threshold: Debug + Send + Sync {
    /// How much it must be at least, in the minor unit of the currency.
    fn least(&self) -> i64;

    /// Why so much is not enough.
    fn refusal(&self, left: i64) -> Refusal;
}

impl Condition {
    /// The condition that narrows.
    pub fn scope(scope: impl Scope + 'static) -> Self {
        Self::Scope(Box::new(scope))
    }

    /// The condition that judges the booking.
    pub fn gate(gate: impl Gate + 'static) -> Self {
        Self::Gate(Box::new(gate))
    }

    /// The condition that judges what is left.
    pub fn threshold(threshold: impl Threshold + 'static) -> Self {
        Self::Threshold(Box::new(threshold))
    }
}

/// Narrows to some ids.
#[derive(Debug)]
struct Ids {
    what: &'static str,
    /// Sorted.
    among: Vec<Uuid>,
    of: fn(&Line) -> Option<Uuid>,
}

impl Scope for Ids {
    fn covers(&self, line: &Line, _: &Unit) -> bool {
        (self.of)(line).is_some_and(|id| self.among.binary_search(&id).is_ok())
    }

    fn refusal(&self) -> Refusal {
        Refusal::new(Refusal::OUT_OF_SCOPE, format!("is good for other {}", self.what))
    }
}

/// Narrows to some names.
#[derive(Debug)]
struct Names {
    what: &'static str,
    among: Vec<String>,
    of: fn(&Line) -> Option<&str>,
}

impl Scope for Names {
    fn covers(&self, line: &Line, _: &Unit) -> bool {
        (self.of)(line).is_some_and(|name| self.among.iter().any(|one| one == name))
    }

    fn refusal(&self) -> Refusal {
        let names = self.among.join(", ");
        Refusal::new(Refusal::OUT_OF_SCOPE, format!("is good for {} {names}", self.what))
    }
}

/// Days from one up to, and without, another.
#[derive(Clone, Copy, Debug)]
struct Period {
    from: Option<Date>,
    until: Option<Date>,
}

const FROM: Parameter = Parameter {
    name: "from",
    accepts: Accepts::Date,
    required: false,
    meaning: "The first day; without it, any until `until`.",
};

const UNTIL: Parameter = Parameter {
    name: "until",
    accepts: Accepts::Date,
    required: false,
    meaning: "The first day that no longer counts; without it, any since `from`.",
};

impl Period {
    fn read(values: &Values) -> Result<Self, Misfit> {
        let (from, until) = (values.date("from").ok(), values.date("until").ok());
        match (from, until) {
            (None, None) => Err(Misfit::new("from", "must be given, or `until`")),
            (Some(from), Some(until)) if until <= from => Err(Misfit::new("until", "must be after `from`")),
            _ => Ok(Self { from, until }),
        }
    }

    fn contains(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date < until)
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from, self.until) {
            (Some(from), Some(until)) => write!(f, "from {from} until before {until}"),
            (Some(from), None) => write!(f, "from {from} on"),
            (None, Some(until)) => write!(f, "until before {until}"),
            (None, None) => f.write_str("at any time"),
        }
    }
}

/// Days of the week.
#[derive(Clone, Debug)]
struct Weekdays(Vec<String>);

const WEEKDAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

const fn weekdays(meaning: &'static str) -> Parameter {
    Parameter { name: "weekdays", accepts: Accepts::Texts(Words::OneOf(&WEEKDAYS)), required: true, meaning }
}

impl Weekdays {
    fn read(values: &Values) -> Result<Self, Misfit> {
        Ok(Self(values.texts("weekdays")?.to_vec()))
    }

    fn contains(&self, date: Date) -> bool {
        let name = WEEKDAYS[date.weekday().days_since(Weekday::Mon) as usize];
        self.0.iter().any(|weekday| weekday == name)
    }
}

/// Whether a date of a unit of a stay counts. An extra of the whole stay counts with any night of it.
fn any_date(line: &Line, unit: &Unit, counts: impl Fn(Date) -> bool) -> bool {
    match unit.date {
        Some(date) => counts(date),
        None => line.nights().any(counts),
    }
}
