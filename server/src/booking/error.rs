//! What bookings refuse.

use crate::error::{ErrorReason, Fault};
use crate::kit::clock::Time;
use crate::kit::id::BookingId;
use crate::kit::money::Money;

use super::model::State;

/// Why something about a booking was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BookingError {
    /// The token of a quote is not good.
    #[error("the quote is not valid: {0}; ask for a new one")]
    QuoteInvalid(&'static str),
    /// The quote is too old.
    #[error("the quote was honoured until {}; ask for a new one", .0.to_rfc3339())]
    QuoteExpired(Time),
    /// The caller expected another price.
    #[error("the quote is for {quoted}, not {expected}")]
    PriceChanged {
        /// What the caller expected.
        expected: Money,
        /// What the quote says.
        quoted: Money,
    },
    /// The member holds too much.
    #[error("a member may hold {0} unpaid bookings; pay or cancel one")]
    TooManyHolds(u64),
    /// The booking was not paid in time.
    #[error("booking {0} was not paid in time; make another")]
    Expired(BookingId),
    /// The booking's state does not allow it.
    #[error("can't {action}: {why}")]
    Blocked {
        /// Which booking.
        booking: BookingId,
        /// What was asked.
        action: &'static str,
        /// Where the booking is.
        state: State,
        /// Why it can't be done.
        why: String,
    },
}

impl Fault for BookingError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::QuoteInvalid(_) => ErrorReason::QuoteInvalid,
            Self::QuoteExpired(_) => ErrorReason::QuoteExpired,
            Self::PriceChanged { .. } => ErrorReason::PriceChanged,
            Self::TooManyHolds(_) => ErrorReason::TooManyHolds,
            Self::Expired(_) => ErrorReason::BookingExpired,
            Self::Blocked { .. } => ErrorReason::ActionBlocked,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::QuoteInvalid(why) => vec![("why", (*why).to_owned())],
            Self::QuoteExpired(time) => vec![("expire_time", time.to_rfc3339())],
            Self::PriceChanged { expected, quoted } => {
                vec![("expected", expected.to_string()), ("quoted", quoted.to_string())]
            }
            Self::TooManyHolds(limit) => vec![("limit", limit.to_string())],
            Self::Expired(booking) => vec![("booking_id", booking.to_string())],
            Self::Blocked { booking, action, state, .. } => vec![
                ("booking_id", booking.to_string()),
                ("action", (*action).to_owned()),
                ("state", state.name().to_owned()),
            ],
        }
    }
}
