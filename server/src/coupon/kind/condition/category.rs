//! Items of some categories.

use super::{Condition, Names};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `CATEGORY`.
pub const KIND: Kind = Kind {
    name: "CATEGORY",
    description: "Makes the coupon good for items of some categories of shops alone.",
    parameters: &[Parameter {
        name: "categories",
        accepts: Accepts::Texts(Words::Free(100)),
        required: true,
        meaning: "The names of the categories.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.texts("categories")?.to_vec();
        Ok(Condition::scope(Names { what: "items of", among, of: category }))
    }),
};

fn category(line: &Line) -> Option<&str> {
    match &line.subject {
        Subject::Items { category, .. } => Some(category.as_str()),
        _ => None,
    }
}
