//! Some units free with others: two and one, three and one.

use super::{Benefit, OnUnits, Piece, free_cheapest};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter};

/// `BUY_X_GET_Y`.
pub const KIND: Kind = Kind {
    name: "BUY_X_GET_Y",
    description: "Makes some units free for every so many bought, the cheapest of all that the coupon is good for: nights, \
                  seats or items, never extras.",
    parameters: &[
        Parameter {
            name: "buy",
            accepts: Accepts::Number { least: 1, most: 100 },
            required: true,
            meaning: "How many are paid.",
        },
        Parameter {
            name: "get",
            accepts: Accepts::Number { least: 1, most: 100 },
            required: true,
            meaning: "How many are free with them.",
        },
    ],
    meaning: Meaning::Benefit(|values| {
        let count = |name| values.number(name).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        Ok(Benefit::on_units(BuyXGetY { buy: count("buy")?, get: count("get")? }))
    }),
};

#[derive(Debug)]
struct BuyXGetY {
    buy: usize,
    get: usize,
}

impl OnUnits for BuyXGetY {
    fn take(&self, units: &[Piece<'_>], left: &[i64], off: &mut [i64]) {
        let among: Vec<_> = (0..units.len()).filter(|at| units[*at].unit.extra.is_none()).collect();
        let free = among.len() / (self.buy + self.get) * self.get;
        free_cheapest(among, free, left, off);
    }
}
