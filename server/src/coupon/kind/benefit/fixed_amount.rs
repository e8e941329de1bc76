//! An amount off what the coupon is good for.

use super::{Benefit, OnTotal};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter};

/// `FIXED_AMOUNT`.
pub const KIND: Kind = Kind {
    name: "FIXED_AMOUNT",
    description: "Takes an amount off what the coupon is good for, at most all of it.",
    parameters: &[Parameter {
        name: "amount",
        accepts: Accepts::Amount { least: 1 },
        required: true,
        meaning: "How much it takes off.",
    }],
    meaning: Meaning::Benefit(|values| {
        let amount = values.amount("amount")?.minor;
        Ok(Benefit::on_total(FixedAmount { amount }))
    }),
};

#[derive(Debug)]
struct FixedAmount {
    amount: i64,
}

impl OnTotal for FixedAmount {
    fn off(&self, left: i64) -> i64 {
        self.amount.min(left)
    }

    fn is_steady(&self) -> bool {
        true
    }
}
