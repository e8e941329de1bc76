//! A member's first booking.

use super::{Condition, Gate};
use crate::coupon::cart::Cart;
use crate::coupon::kind::{Kind, Meaning, Refusal};
use crate::kit::date::Date;

/// `FIRST_BOOKING`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for a member's first booking; one that was cancelled does not count.",
    parameters: &[],
    meaning: Meaning::Condition(|_| Ok(Condition::gate(FirstBooking))),
};

pub(in crate::coupon) const NAME: &str = "FIRST_BOOKING";

#[derive(Debug)]
struct FirstBooking;

impl Gate for FirstBooking {
    fn judge(&self, cart: &Cart, _: Date) -> Result<(), Refusal> {
        cart.member.books_first().then_some(()).ok_or_else(refusal)
    }
}

/// Why it is no good for a member who has booked.
pub(in crate::coupon) fn refusal() -> Refusal {
    Refusal::new(NAME, "is good for a first booking")
}
