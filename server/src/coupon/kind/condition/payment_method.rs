//! Bookings paid in some ways.

use super::{Condition, Gate};
use crate::coupon::cart::Cart;
use crate::coupon::kind::{Accepts, Kind, Meaning, Parameter, Refusal, Words};
use crate::kit::date::Date;

/// `PAYMENT_METHOD`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for bookings paid in some ways; for none while it is not said how it will be paid.",
    parameters: &[Parameter {
        name: "methods",
        accepts: Accepts::Texts(Words::Free(50)),
        required: true,
        meaning: "The ways to pay, such as `CARD`.",
    }],
    meaning: Meaning::Condition(|values| {
        let methods = values.texts("methods")?.to_vec();
        Ok(Condition::gate(PaymentMethod { methods }))
    }),
};

const NAME: &str = "PAYMENT_METHOD";

#[derive(Debug)]
struct PaymentMethod {
    methods: Vec<String>,
}

impl Gate for PaymentMethod {
    fn judge(&self, cart: &Cart, _: Date) -> Result<(), Refusal> {
        let fits = cart.payment_method.as_ref().is_some_and(|method| self.methods.contains(method));
        let refusal = || Refusal::new(NAME, format!("is good for bookings paid by {}", self.methods.join(", ")));
        fits.then_some(()).ok_or_else(refusal)
    }
}
