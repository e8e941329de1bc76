//! Enough must be left of what the coupon is good for.

use super::{Condition, Threshold};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Refusal};
use crate::kit::money::Money;

/// `MINIMUM_AMOUNT`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Asks for an amount of what the coupon is good for, when the coupons that apply before it have taken theirs \
                  off.",
    parameters: &[Parameter {
        name: "amount",
        accepts: Accepts::Amount { least: 1 },
        required: true,
        meaning: "How much it must be at least.",
    }],
    meaning: Meaning::Condition(|values| {
        let least = values.amount("amount")?;
        Ok(Condition::threshold(MinimumAmount { least }))
    }),
};

const NAME: &str = "MINIMUM_AMOUNT";

#[derive(Debug)]
struct MinimumAmount {
    least: Money,
}

impl Threshold for MinimumAmount {
    fn least(&self) -> i64 {
        self.least.minor
    }

    fn refusal(&self, left: i64) -> Refusal {
        Refusal::short_of_money(NAME, self.least, left)
    }
}
