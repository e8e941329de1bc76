//! A member's first booking.

use super::{Condition, Gate};
use crate::coupon::cart::Cart;
use crate::coupon::kind::{Kind, Meaning, Refusal};
use crate::kit::date::Date;

/// `FIRST_BOOKING`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for a member's first booking.",
    parameters: &[],
    meaning: Meaning::Condition(|_| Ok(Condition::gate(FirstBooking))),
};

const NAME: &str = "FIRST_BOOKING";

#[derive(Debug)]
struct FirstBooking;

impl Gate for FirstBooking {
    fn judge(&self, cart: &Cart, _: Date) -> Result<(), Refusal> {
        let refusal = || Refusal::new(NAME, "is good for a first booking");
        cart.member.first_booking.then_some(()).ok_or_else(refusal)
    }
}
