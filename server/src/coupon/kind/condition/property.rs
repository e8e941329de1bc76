//! Stays at some properties.

use uuid::Uuid;

use super::{Condition, Ids};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `PROPERTY`.
pub const KIND: Kind = Kind {
    name: "PROPERTY",
    description: "Makes the coupon good for stays at some properties alone.",
    parameters: &[Parameter {
        name: "properties",
        accepts: Accepts::Texts(Words::Id("property")),
        required: true,
        meaning: "The ids of the properties.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.ids("properties", "property")?;
        Ok(Condition::scope(Ids { what: "properties", among, of: property }))
    }),
};

fn property(line: &Line) -> Option<Uuid> {
    match &line.subject {
        Subject::Nights { property, .. } => Some(*property),
        _ => None,
    }
}
