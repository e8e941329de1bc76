//! Bookings made on some days of the week.

use super::{Condition, Gate, Weekdays, weekdays};
use crate::coupon::cart::Cart;
use crate::coupon::kind::{Kind, Meaning, Refusal};
use crate::kit::date::Date;

/// `BOOKING_WEEKDAYS`.
pub const KIND: Kind = Kind {
    name: NAME,
    description: "Makes the coupon good for bookings made on some days of the week, in the policy's time zone.",
    parameters: &[weekdays("The days on which a booking is made.")],
    meaning: Meaning::Condition(|values| Ok(Condition::gate(BookingWeekdays(Weekdays::read(values)?)))),
};

const NAME: &str = "BOOKING_WEEKDAYS";

#[derive(Debug)]
struct BookingWeekdays(Weekdays);

impl Gate for BookingWeekdays {
    fn judge(&self, _: &Cart, today: Date) -> Result<(), Refusal> {
        if self.0.contains(today) {
            return Ok(());
        }
        Err(Refusal::new(NAME, format!("is good for bookings made on {}", self.0.0.join(", "))))
    }
}
