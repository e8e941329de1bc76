//! Nights in a period.

use super::{Condition, FROM, Period, Scope, UNTIL, any_date};
use crate::coupon::cart::{Line, Unit};
use crate::coupon::kind::{Kind, Meaning, Refusal};

/// `STAY_DATES`.
///
/// Nights outside are paid in full rather than the whole stay refused: who stays a day longer should not lose what the days
/// before are worth.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for the nights of a period alone. A stay may reach beyond it: its nights outside are \
                  not refused, they just don't count. At least one end of the period must be given.",
    parameters: &[FROM, UNTIL],
    meaning: Meaning::Condition(|values| Ok(Condition::scope(StayDates(Period::read(values)?)))),
};

const NAME: &str = "STAY_DATES";

#[derive(Debug)]
struct StayDates(Period);

impl Scope for StayDates {
    fn covers(&self, line: &Line, unit: &Unit) -> bool {
        any_date(line, unit, |date| self.0.contains(date))
    }

    fn refusal(&self) -> Refusal {
        Refusal::new(NAME, format!("is good for nights {}", self.0))
    }
}
