//! Seats of some grades.

use super::{Condition, Names};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `SEAT_GRADE`.
pub const KIND: Kind = Kind {
    name: "SEAT_GRADE",
    description: "Makes the coupon good for seats of some grades alone, of any performance unless PERFORMANCE names some.",
    parameters: &[Parameter {
        name: "grades",
        accepts: Accepts::Texts(Words::Free(50)),
        required: true,
        meaning: "The names of the grades, such as `VIP`.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.texts("grades")?.to_vec();
        Ok(Condition::scope(Names { what: "seats of grade", among, of: grade }))
    }),
};

fn grade(line: &Line) -> Option<&str> {
    match &line.subject {
        Subject::Seats { grade, .. } => Some(grade.as_str()),
        _ => None,
    }
}
