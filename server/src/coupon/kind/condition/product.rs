//! Some items of a shop.

use uuid::Uuid;

use super::{Condition, Ids};
use crate::coupon::cart::{Line, Subject};
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Words};

/// `PRODUCT`.
pub const KIND: Kind = Kind {
    name: "PRODUCT",
    description: "Makes the coupon good for some items of a shop alone.",
    parameters: &[Parameter {
        name: "products",
        accepts: Accepts::Texts(Words::Id("product")),
        required: true,
        meaning: "The ids of the items.",
    }],
    meaning: Meaning::Condition(|values| {
        let among = values.ids("products", "product")?;
        Ok(Condition::scope(Ids { what: "items", among, of: product }))
    }),
};

fn product(line: &Line) -> Option<Uuid> {
    match &line.subject {
        Subject::Items { product, .. } => Some(*product),
        _ => None,
    }
}
