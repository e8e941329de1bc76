//! What payments are refused.

use super::model::{PaymentId, State};
use crate::error::{ErrorReason, Fault};
use crate::kit::money::Money;

/// Why something about a payment was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PaymentError {
    /// The attempt does not wait for its payer.
    #[error("payment {id} is {}, and does not wait for its payer; prepare another", state.as_str())]
    NotReady {
        /// Which.
        id: PaymentId,
        /// Where it is.
        state: State,
    },
    /// Another attempt may be taking the money.
    #[error("payment {id} of this booking is {}; wait until its outcome is known", state.as_str())]
    UnderWay {
        /// Which.
        id: PaymentId,
        /// Where it is.
        state: State,
    },
    /// The booking, or a change of it, had its attempts.
    #[error("there were {limit} attempts to pay, and there may be no more")]
    TooManyAttempts {
        /// How many there may be.
        limit: usize,
    },
    /// There is less to give back.
    #[error("at most {refundable} of {subject} can be given back")]
    RefundTooLarge {
        /// The payment, or the booking.
        subject: String,
        /// How much there is.
        refundable: Money,
    },
    /// Nobody need decide on it, or somebody has.
    #[error("payment {id} is {}, and waits for no decision", state.as_str())]
    Decided {
        /// Which.
        id: PaymentId,
        /// Where it is.
        state: State,
    },
}

impl Fault for PaymentError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::NotReady { .. } | Self::UnderWay { .. } => ErrorReason::PaymentNotReady,
            Self::TooManyAttempts { .. } => ErrorReason::TooManyAttempts,
            Self::RefundTooLarge { .. } => ErrorReason::RefundTooLarge,
            Self::Decided { .. } => ErrorReason::PaymentDecided,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotReady { id, state } | Self::UnderWay { id, state } | Self::Decided { id, state } => {
                vec![("payment_id", id.to_string()), ("state", state.as_str().to_owned())]
            }
            Self::TooManyAttempts { limit } => vec![("limit", limit.to_string())],
            Self::RefundTooLarge { subject, refundable } => {
                vec![("payment_id", subject.clone()), ("refundable", refundable.minor.to_string())]
            }
        }
    }
}
