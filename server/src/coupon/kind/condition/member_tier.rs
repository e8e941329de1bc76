//! Members of some tiers.

use super::{Condition, Gate};
use crate::coupon::cart::Cart;
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Refusal, Words};
use crate::kit::date::Date;

/// `MEMBER_TIER`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for members who are in one of some tiers when they book.",
    parameters: &[Parameter {
        name: "tiers",
        accepts: Accepts::Texts(Words::Free(50)),
        required: true,
        meaning: "The names of the tiers, such as `GOLD`.",
    }],
    meaning: Meaning::Condition(|values| {
        let tiers = values.texts("tiers")?.to_vec();
        Ok(Condition::gate(MemberTier { tiers }))
    }),
};

const NAME: &str = "MEMBER_TIER";

#[derive(Debug)]
struct MemberTier {
    tiers: Vec<String>,
}

impl Gate for MemberTier {
    fn judge(&self, cart: &Cart, _: Date) -> Result<(), Refusal> {
        let refusal = || Refusal::new(NAME, format!("is good for members of {}", self.tiers.join(", ")));
        cart.member.is_in(&self.tiers).then_some(()).ok_or_else(refusal)
    }
}
