//! Stays that are long enough.

use super::{Condition, Scope};
use crate::coupon::cart::{Line, Unit};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Refusal};

/// `MINIMUM_NIGHTS`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for stays of some nights or more alone. All nights of a stay are counted, in however \
                  many rooms, and whatever else the coupon asks of a night.",
    parameters: &[Parameter {
        name: "nights",
        accepts: Accepts::Number { least: 2, most: 365 },
        required: true,
        meaning: "How many nights at least.",
    }],
    meaning: Meaning::Condition(|values| {
        let nights = usize::try_from(values.number("nights")?).unwrap_or(usize::MAX);
        Ok(Condition::scope(MinimumNights { nights }))
    }),
};

const NAME: &str = "MINIMUM_NIGHTS";

#[derive(Debug)]
struct MinimumNights {
    nights: usize,
}

impl Scope for MinimumNights {
    fn covers(&self, line: &Line, _: &Unit) -> bool {
        line.nights().nth(self.nights - 1).is_some()
    }

    fn refusal(&self) -> Refusal {
        Refusal::new(NAME, format!("is good for stays of {} nights or more", self.nights))
    }
}
