//! What coupons refuse.

use std::time::Duration;

use super::model::{CouponId, Issuing, PolicyId, ReceiptId, State};
use crate::error::{ErrorReason, Fault};
use crate::kit::clock::{self, Time};
use crate::kit::id::BookingId;
use crate::kit::money::Money;

/// Why something about a coupon was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CouponError {
    /// Too early.
    #[error("{policy} issues coupons from {} on", start.to_rfc3339())]
    NotStarted {
        /// Which policy.
        policy: PolicyId,
        /// When it begins.
        start: Time,
    },
    /// Too late.
    #[error("{0} issues no coupons any more")]
    Ended(PolicyId),
    /// Not for now.
    #[error("{0} is interrupted")]
    Paused(PolicyId),
    /// None is left.
    #[error("all coupons of {0} are gone")]
    SoldOut(PolicyId),
    /// The one coupon that they may have is theirs.
    #[error("the coupon of {policy} is yours already: {receipt}")]
    AlreadyYours {
        /// Of which policy.
        policy: PolicyId,
        /// By which receipt.
        receipt: ReceiptId,
    },
    /// They have as many as they may.
    #[error("a member may have {maximum} coupons of {policy}{}", if limit.contains("daily") { " a day" } else { "" })]
    LimitReached {
        /// Of which policy.
        policy: PolicyId,
        /// The field of the policy.
        limit: &'static str,
        /// Its value.
        maximum: u32,
    },
    /// Asked for in a way that the policy does not know.
    #[error("coupons of {policy} are not issued in this way: it is {}", issuing.name())]
    WrongIssuing {
        /// Of which policy.
        policy: PolicyId,
        /// How they are.
        issuing: Issuing,
    },
    /// The gate is being built again.
    #[error("the gate of {0} is being built again; try again")]
    GateClosed(PolicyId),
    /// The total would be below what was accepted.
    #[error("{accepted} coupons of {policy} were accepted already")]
    TotalTooSmall {
        /// Of which policy.
        policy: PolicyId,
        /// The highest place that was given.
        accepted: u64,
    },
    /// The budget would be below what is used of it.
    #[error("`budget` of {policy} can't be less than {used}, which bookings use of it already")]
    BudgetTooSmall {
        /// Of which policy.
        policy: PolicyId,
        /// How much is used.
        used: Money,
    },
    /// There are as many as there may be.
    #[error("there may be {maximum} {limit}")]
    TooMany {
        /// Of what.
        limit: &'static str,
        /// How many.
        maximum: u64,
    },
    /// No such code, or not any more.
    #[error("the code is not good")]
    CodeInvalid,
    /// Too many wrong codes.
    #[error("too many wrong codes; try again in {}", clock::words(*wait))]
    Guessing {
        /// When the next is looked at.
        wait: Duration,
    },
    /// The coupon's state does not allow it.
    #[error("{coupon} is {}", state.name())]
    NotAvailable {
        /// Which coupon.
        coupon: CouponId,
        /// Where it is.
        state: State,
        /// The booking that had it and whose hold is over: once that is written down, the coupon may be had.
        stale: Option<BookingId>,
    },
    /// It stays with its member.
    #[error("{0} can't be given away")]
    NotGiftable(CouponId),
    /// It can't be used for this.
    #[error("{coupon} can't be used: {text}")]
    NotApplicable {
        /// Which coupon.
        coupon: CouponId,
        /// Why, as a word.
        why: &'static str,
        /// Why, for people.
        text: String,
    },
    /// What the policy's coupons may take off together is used up.
    #[error("what the coupons of {0} may take off together is used up")]
    BudgetSpent(PolicyId),
}

impl Fault for CouponError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::NotStarted { .. } => ErrorReason::CouponNotStarted,
            Self::Ended(_) => ErrorReason::CouponPolicyEnded,
            Self::Paused(_) => ErrorReason::CouponPolicyPaused,
            Self::SoldOut(_) => ErrorReason::CouponSoldOut,
            Self::AlreadyYours { .. } => ErrorReason::CouponAlreadyYours,
            Self::LimitReached { .. } => ErrorReason::CouponLimitReached,
            Self::WrongIssuing { .. } => ErrorReason::CouponWrongIssuing,
            Self::GateClosed(_) => ErrorReason::CouponGateClosed,
            Self::TotalTooSmall { .. } => ErrorReason::CouponTotalTooSmall,
            Self::BudgetTooSmall { .. } => ErrorReason::CouponBudgetTooSmall,
            Self::TooMany { .. } => ErrorReason::CouponPolicyLimitReached,
            Self::CodeInvalid => ErrorReason::CouponCodeInvalid,
            Self::Guessing { .. } => ErrorReason::RateLimited,
            Self::NotAvailable { .. } => ErrorReason::CouponNotAvailable,
            Self::NotGiftable(_) => ErrorReason::CouponNotGiftable,
            Self::NotApplicable { .. } => ErrorReason::CouponNotApplicable,
            Self::BudgetSpent(_) => ErrorReason::CouponBudgetSpent,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        let of = |policy: &PolicyId| ("policy_id", policy.to_string());
        match self {
            Self::NotStarted { policy, start } => vec![of(policy), ("start_time", start.to_rfc3339())],
            Self::Ended(policy)
            | Self::Paused(policy)
            | Self::SoldOut(policy)
            | Self::GateClosed(policy)
            | Self::BudgetSpent(policy) => vec![of(policy)],
            Self::AlreadyYours { policy, receipt } => vec![of(policy), ("receipt_id", receipt.to_string())],
            Self::LimitReached { policy, limit, maximum } => {
                vec![of(policy), ("limit", (*limit).to_owned()), ("maximum", maximum.to_string())]
            }
            Self::WrongIssuing { policy, issuing } => vec![of(policy), ("issuing", issuing.name().to_owned())],
            Self::TotalTooSmall { policy, accepted } => vec![of(policy), ("accepted_count", accepted.to_string())],
            Self::BudgetTooSmall { policy, used } => {
                vec![of(policy), ("budget_used", used.minor.to_string()), ("currency_code", used.currency.to_string())]
            }
            Self::TooMany { limit, maximum } => {
                vec![("limit", (*limit).to_owned()), ("maximum", maximum.to_string())]
            }
            Self::CodeInvalid => Vec::new(),
            Self::Guessing { .. } => vec![("limit", "wrong_codes".to_owned())],
            Self::NotAvailable { coupon, state, .. } => {
                vec![("coupon_id", coupon.to_string()), ("state", state.name().to_owned())]
            }
            Self::NotGiftable(coupon) => vec![("coupon_id", coupon.to_string())],
            Self::NotApplicable { coupon, why, .. } => {
                vec![("coupon_id", coupon.to_string()), ("why", (*why).to_owned())]
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::GateClosed(_) => Some(Duration::from_millis(200)),
            Self::Guessing { wait } => Some(*wait),
            _ => None,
        }
    }
}
