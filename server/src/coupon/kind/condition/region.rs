//! Stays in some regions.

use super::{Condition, Names};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};
use crate::stay::model::Region;

/// `REGION`.
pub const KIND: Kind = Kind {
    name: "REGION",
    description: "Makes the coupon good for stays in some regions alone.",
    parameters: &[Parameter {
        name: "regions",
        accepts: Accepts::Texts(Words::OneOf(&REGIONS)),
        required: true,
        meaning: "The names of the regions.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.texts("regions")?.to_vec();
        Ok(Condition::scope(Names { what: "stays in", among, of: region }))
    }),
};

fn region(line: &Line) -> Option<&str> {
    match &line.subject {
        Subject::Nights { region, .. } => Some(region.as_str()),
        _ => None,
    }
}

const REGIONS: [&str; Region::ALL.len()] = {
    let mut names = [""; Region::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Region::ALL[at].code();
        at += 1;
    }
    names
};
