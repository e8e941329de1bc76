//! Nights of some days of the week.

use super::{Condition, Scope, Weekdays, any_date, weekdays};
use crate::coupon::cart::{Line, Unit};
use crate::coupon::kind::{Kind, Meaning, Refusal};

/// `STAY_WEEKDAYS`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for the nights of some days of the week alone; the other nights of a stay just don't \
                  count.",
    parameters: &[weekdays("The days on which a night begins.")],
    meaning: Meaning::Condition(|values| Ok(Condition::scope(StayWeekdays(Weekdays::read(values)?)))),
};

const NAME: &str = "STAY_WEEKDAYS";

#[derive(Debug)]
struct StayWeekdays(Weekdays);

impl Scope for StayWeekdays {
    fn covers(&self, line: &Line, unit: &Unit) -> bool {
        any_date(line, unit, |date| self.0.contains(date))
    }

    fn refusal(&self) -> Refusal {
        Refusal::new(NAME, format!("is good for the nights of {}", self.0.0.join(", ")))
    }
}
