//! A price for what the coupon is good for, whatever it cost.

use super::{Benefit, OnTotal};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter};

/// `FIXED_PRICE`.
pub const KIND: Kind = Kind {
    name: "FIXED_PRICE",
    description: "Makes what the coupon is good for cost a price, unless it costs less.",
    parameters: &[Parameter {
        name: "price",
        accepts: Accepts::Amount { least: 0 },
        required: true,
        meaning: "What all of it costs together.",
    }],
    meaning: Meaning::Benefit(|values| {
        let price = values.amount("price")?.minor;
        Ok(Benefit::on_total(FixedPrice { price }))
    }),
};

#[derive(Debug)]
struct FixedPrice {
    price: i64,
}

impl OnTotal for FixedPrice {
    fn off(&self, left: i64) -> i64 {
        (left - self.price).max(0)
    }

    fn is_steady(&self) -> bool {
        true
    }
}
