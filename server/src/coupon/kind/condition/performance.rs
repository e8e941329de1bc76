//! Seats of some performances.

use uuid::Uuid;

use super::{Condition, Ids};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `PERFORMANCE`.
pub const KIND: Kind = Kind {
    name: "PERFORMANCE",
    description: "Makes the coupon good for seats of some performances alone.",
    parameters: &[Parameter {
        name: "performances",
        accepts: Accepts::Texts(Words::Id("performance")),
        required: true,
        meaning: "The ids of the performances.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.ids("performances", "performance")?;
        Ok(Condition::scope(Ids { what: "performances", among, of: performance }))
    }),
};

fn performance(line: &Line) -> Option<Uuid> {
    match &line.subject {
        Subject::Seats { performance, .. } => Some(*performance),
        _ => None,
    }
}
