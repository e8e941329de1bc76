//! An extra for nothing: breakfast, parking.

use super::{Benefit, OnUnits, Piece};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `FREE_EXTRA`.
pub const KIND: Kind = Kind {
    name: "FREE_EXTRA",
    description: "Makes extras of a name free, however many there are in what the coupon is good for. It adds none to a \
                  booking that has none.",
    parameters: &[Parameter {
        name: "extra",
        accepts: Accepts::Text(Words::Free(100)),
        required: true,
        meaning: "The name of the extra, such as `breakfast`.",
    }],
    meaning: Meaning::Benefit(|values| {
        let extra = values.text("extra")?.to_owned();
        Ok(Benefit::on_units(FreeExtra { extra }))
    }),
};

#[derive(Debug)]
struct FreeExtra {
    extra: String,
}

impl OnUnits for FreeExtra {
    fn take(&self, units: &[Piece<'_>], left: &[i64], off: &mut [i64]) {
        for (at, piece) in units.iter().enumerate() {
            if piece.unit.extra.as_ref() == Some(&self.extra) {
                off[at] = left[at];
            }
        }
    }
}
