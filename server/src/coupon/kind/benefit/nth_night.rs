//! Every second, third, … night of a stay at a lower price.

use super::percent::share;
use super::{Benefit, OnUnits, Piece};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter};

/// `NTH_NIGHT`.
pub const KIND: Kind = Kind {
    name: "NTH_NIGHT",
    description: "Takes a share off every n-th night of each stay, counted by date among the nights that the coupon is good \
                  for; in every room of the stay, rounded down for each.",
    parameters: &[
        Parameter {
            name: "every",
            accepts: Accepts::Number { least: 2, most: 30 },
            required: true,
            meaning: "Which nights: with 3, the third, the sixth, and so on.",
        },
        Parameter {
            name: "percent",
            accepts: Accepts::Number { least: 1, most: 100 },
            required: true,
            meaning: "The share of such a night's price, in hundredths.",
        },
    ],
    meaning: Meaning::Benefit(|values| {
        let every = usize::try_from(values.number("every")?).unwrap_or(usize::MAX);
        Ok(Benefit::on_units(NthNight { every, percent: values.number("percent")? }))
    }),
};

#[derive(Debug)]
struct NthNight {
    every: usize,
    percent: i64,
}

impl OnUnits for NthNight {
    fn take(&self, units: &[Piece<'_>], left: &[i64], off: &mut [i64]) {
        let (mut last, mut nth) = (None, 0);
        for (at, Piece { line, unit }) in units.iter().enumerate().filter(|(_, piece)| piece.unit.is_night()) {
            let night = Some((*line, unit.date));
            if last.map(|(line, _)| line) != Some(*line) {
                nth = 0;
            }
            if night != last {
                nth += 1;
                last = night;
            }
            if nth % self.every == 0 {
                off[at] = share(left[at], self.percent);
            }
        }
    }
}
