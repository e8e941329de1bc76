//! What points refuse.

use super::model::{NotEnough, SpendingId, State};
use crate::error::{ErrorReason, Fault};

/// Why something about points was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PointError {
    /// Fewer are available.
    #[error("{available} points are available, not {wanted}")]
    NotEnough {
        /// How many there are.
        available: i64,
        /// How many are wanted.
        wanted: i64,
    },
    /// The spending's state does not allow it.
    #[error("{spending} is {}", if *of_booking { "a booking's, which decides itself" } else { state.name() })]
    Closed {
        /// Which.
        spending: SpendingId,
        /// Where it is.
        state: State,
        /// Whether it is a booking's.
        of_booking: bool,
    },
    /// More than is left of it.
    #[error("{left} points are left of {spending}")]
    TooSmall {
        /// Which.
        spending: SpendingId,
        /// How many.
        left: i64,
    },
    /// No gift of so many.
    #[error("a member may give away {maximum} points at once")]
    GiftRefused {
        /// How many the policy allows.
        maximum: i64,
    },
    /// Enough for today.
    #[error("a member may give away {maximum} points a day")]
    GiftLimit {
        /// How many the policy allows.
        maximum: i64,
    },
    /// They hold points of too many expiries as it is.
    #[error(
        "who is to be given them has points in {maximum} lots already, and can be given others once some of those are over"
    )]
    WalletFull {
        /// In how many lots a member may have points to be given others.
        maximum: usize,
    },
    /// Not so many for this.
    #[error("{usable} points can be used for this")]
    NotUsable {
        /// How many can.
        usable: i64,
    },
}

impl From<NotEnough> for crate::error::Error {
    fn from(NotEnough { available, wanted }: NotEnough) -> Self {
        PointError::NotEnough { available, wanted }.into()
    }
}

impl Fault for PointError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::NotEnough { .. } => ErrorReason::PointsNotEnough,
            Self::Closed { .. } => ErrorReason::PointSpendingClosed,
            Self::TooSmall { .. } => ErrorReason::PointSpendingTooSmall,
            Self::GiftRefused { .. } => ErrorReason::PointGiftRefused,
            Self::GiftLimit { .. } | Self::WalletFull { .. } => ErrorReason::PointGiftLimitReached,
            Self::NotUsable { .. } => ErrorReason::PointsNotUsable,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotEnough { available, wanted } => {
                vec![("available", available.to_string()), ("wanted", wanted.to_string())]
            }
            Self::Closed { spending, state, .. } => {
                vec![("spending_id", spending.to_string()), ("state", state.name().to_owned())]
            }
            Self::TooSmall { spending, left } => {
                vec![("spending_id", spending.to_string()), ("left", left.to_string())]
            }
            Self::GiftRefused { maximum } => vec![("maximum", maximum.to_string())],
            Self::GiftLimit { maximum } => {
                vec![("limit", "daily_gift_cap".to_owned()), ("maximum", maximum.to_string())]
            }
            Self::WalletFull { maximum } => {
                vec![("limit", "recipient_lots".to_owned()), ("maximum", maximum.to_string())]
            }
            Self::NotUsable { usable } => vec![("usable", usable.to_string())],
        }
    }
}
