//! Why a coupon is not good for a booking.

use crate::kit::money::Money;

/// Why a coupon is not good for a booking: a word for programs, a sentence for people.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// Stays the same for ever: one of those below, or the name of the kind of condition that does not hold.
    pub reason: &'static str,
    /// What is the matter, with the numbers.
    pub text: String,
}

impl Refusal {
    /// It is over.
    pub const EXPIRED: &'static str = "EXPIRED";
    /// Nothing of the booking is what it is good for.
    pub const OUT_OF_SCOPE: &'static str = "OUT_OF_SCOPE";
    /// Its amounts are in another currency.
    pub const OTHER_CURRENCY: &'static str = "OTHER_CURRENCY";
    /// It takes nothing off.
    pub const NO_SAVING: &'static str = "NO_SAVING";
    /// It is used alone, and there are others.
    pub const EXCLUSIVE: &'static str = "EXCLUSIVE";
    /// Another of its group is used.
    pub const SAME_GROUP: &'static str = "SAME_GROUP";
    /// It is there twice.
    pub const SAME_COUPON: &'static str = "SAME_COUPON";
    /// There are more than a booking takes.
    pub const TOO_MANY: &'static str = "TOO_MANY";

    /// What the coupons of its policy may take off together does not bear it.
    pub const BUDGET_SPENT: &'static str = "BUDGET_SPENT";
    /// Its policy says what this release does not know.
    pub const UNREADABLE: &'static str = "UNREADABLE";

    /// A reason and its sentence.
    pub fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }

    /// `needs 3 nights, has 2`.
    pub fn short(reason: &'static str, needed: impl std::fmt::Display, there: impl std::fmt::Display) -> Self {
        Self::new(reason, format!("needs {needed}, has {there}"))
    }

    /// `needs 50,000 KRW, has 49,999 KRW`.
    pub fn short_of_money(reason: &'static str, needed: Money, there: i64) -> Self {
        Self::short(reason, needed, Money { minor: there, ..needed })
    }
}
