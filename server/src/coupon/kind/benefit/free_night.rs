//! The cheapest nights free.

use super::{Benefit, OnUnits, Piece, free_cheapest};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter};

/// `FREE_NIGHT`.
pub const KIND: Kind = Kind {
    name: "FREE_NIGHT",
    description: "Makes the cheapest nights that the coupon is good for free, each a night of one room. A coupon for one of \
                  them is good for a stay of one night too, unless MINIMUM_NIGHTS asks for more.",
    parameters: &[Parameter {
        name: "count",
        accepts: Accepts::Number { least: 1, most: 365 },
        required: false,
        meaning: "How many nights are free; without it, 1.",
    }],
    meaning: Meaning::Benefit(|values| {
        let count = usize::try_from(values.number("count").unwrap_or(1)).unwrap_or(1);
        Ok(Benefit::on_units(FreeNight { count }))
    }),
};

#[derive(Debug)]
struct FreeNight {
    count: usize,
}

impl OnUnits for FreeNight {
    fn take(&self, units: &[Piece<'_>], left: &[i64], off: &mut [i64]) {
        let nights = (0..units.len()).filter(|at| units[*at].unit.is_night()).collect();
        free_cheapest(nights, self.count, left, off);
    }
}
