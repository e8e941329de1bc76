//! A share of what the coupon is good for.

use super::{Benefit, OnTotal};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter};

/// `PERCENT`.
pub const KIND: Kind = Kind {
    name: "PERCENT",
    description: "Takes a share off what the coupon is good for, rounded down to the currency's minor unit, which is 1 for \
                  won.",
    parameters: &[
        Parameter {
            name: "percent",
            accepts: Accepts::Number { least: 1, most: 100 },
            required: true,
            meaning: "The share, in hundredths.",
        },
        Parameter {
            name: "cap",
            accepts: Accepts::Amount { least: 1 },
            required: false,
            meaning: "How much it takes off at most; without it, there is no such limit.",
        },
    ],
    meaning: Meaning::Benefit(|values| {
        let cap = values.amount("cap").ok().map_or(i64::MAX, |cap| cap.minor);
        Ok(Benefit::on_total(Percent { percent: values.number("percent")?, cap }))
    }),
};

#[derive(Debug)]
struct Percent {
    percent: i64,
    cap: i64,
}

impl OnTotal for Percent {
    fn off(&self, left: i64) -> i64 {
        share(left, self.percent).min(self.cap)
    }

    fn is_steady(&self) -> bool {
        true
    }
}

/// A share in hundredths, rounded down.
pub(super) fn share(amount: i64, percent: i64) -> i64 {
    // In two parts, so that nothing overflows: the hundreds, and what is left of them.
    amount / 100 * percent + amount % 100 * percent / 100
}
