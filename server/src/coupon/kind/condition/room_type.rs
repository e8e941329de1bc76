//! Stays in some room types.

use uuid::Uuid;

use super::{Condition, Ids};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `ROOM_TYPE`.
pub const KIND: Kind = Kind {
    name: "ROOM_TYPE",
    description: "Makes the coupon good for stays in some room types alone.",
    parameters: &[Parameter {
        name: "room_types",
        accepts: Accepts::Texts(Words::Id("roomtype")),
        required: true,
        meaning: "The ids of the room types.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.ids("room_types", "roomtype")?;
        Ok(Condition::scope(Ids { what: "room types", among, of: room_type }))
    }),
};

fn room_type(line: &Line) -> Option<Uuid> {
    match &line.subject {
        Subject::Nights { room_type, .. } => Some(*room_type),
        _ => None,
    }
}
