//! Bookings made on some days.

use super::{Condition, FROM, Gate, Period, UNTIL};
use crate::coupon::cart::Cart;
use crate::coupon::kind::{Kind, Meaning, Refusal};
use crate::kit::date::Date;

/// `BOOKING_DATES`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for bookings made in a period, by days in the policy's time zone. At least one of its \
                  ends must be given.",
    parameters: &[FROM, UNTIL],
    meaning: Meaning::Condition(|values| Ok(Condition::gate(BookingDates(Period::read(values)?)))),
};

const NAME: &str = "BOOKING_DATES";

#[derive(Debug)]
struct BookingDates(Period);

impl Gate for BookingDates {
    fn judge(&self, _: &Cart, today: Date) -> Result<(), Refusal> {
        if self.0.contains(today) {
            return Ok(());
        }
        Err(Refusal::new(NAME, format!("is good for bookings made {}", self.0)))
    }
}
