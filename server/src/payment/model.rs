//! Attempts and refunds: their states, and what follows from what a provider tells.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;

use crate::backend::provider::{Charge, ChargeState};
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, ChangeId, MemberId};
use crate::kit::money::Money;
use crate::payment::payable::Purpose;

crate::typed_id!(
    /// The id of an attempt to pay: the provider's order.
    PaymentId,
    "payment"
);
crate::typed_id!(
    /// The id of a refund.
    RefundId,
    "refund"
);

/// Attempts at one thing that took no money, at most: the booking itself, or one move of it to other dates.
pub(super) const ATTEMPTS: usize = 10;
/// Attempts of one booking in all, at most.
pub(super) const ALL_ATTEMPTS: usize = 100;
/// How long a provider lets what the payer agreed to be confirmed ("Toss Payments core API, Payment object, status").
pub(super) const CONFIRM_LIMIT: TimeDelta = TimeDelta::minutes(10);
/// Who "takes" nothing.
pub(super) const NO_PROVIDER: &str = "none";

/// Where an attempt is.
#[derive(Clone, Copy, Debug, DeriveActiveEnum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum State {
    /// Waiting for the payer.
    #[sea_orm(string_value = "READY")]
    Ready,
    /// The provider is being asked to take the money.
    #[sea_orm(string_value = "CONFIRMING")]
    Confirming,
    /// The money was taken.
    #[sea_orm(string_value = "CAPTURED")]
    Captured,
    /// Declined or given up.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// The outcome is not known.
    #[sea_orm(string_value = "RECONCILING")]
    Reconciling,
    /// Not paid in time.
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
    /// The money came late, and the seller decides.
    #[sea_orm(string_value = "NEEDS_DECISION")]
    NeedsDecision,
    /// Everything goes back. Read, never stored: it follows from the amounts.
    #[sea_orm(string_value = "REFUNDED")]
    Refunded,
}

impl State {
    /// As the interface names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Confirming => "CONFIRMING",
            Self::Captured => "CAPTURED",
            Self::Failed => "FAILED",
            Self::Reconciling => "RECONCILING",
            Self::Expired => "EXPIRED",
            Self::NeedsDecision => "NEEDS_DECISION",
            Self::Refunded => "REFUNDED",
        }
    }

    /// Whether the provider was asked for the money, and its outcome is not known.
    pub(super) const fn is_under_way(self) -> bool {
        matches!(self, Self::Confirming | Self::Reconciling)
    }

    /// Whether the attempt may still take money in its ordinary course.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Confirming | Self::Reconciling)
    }
}

/// Why an attempt took no money, or none that stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(code: &str, message: &str) -> Self {
        let cut = |text: &str, most| text.chars().take(most).collect();
        Self { code: cut(code, 100), message: cut(message, 1000) }
    }
}

/// An attempt to pay.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Payment {
    pub(super) id: PaymentId,
    pub(super) booking: BookingId,
    /// The move to other dates that it pays; none for what pays the booking itself.
    pub(super) change: Option<ChangeId>,
    /// 1 for the first attempt of its booking.
    pub(super) number: i64,
    pub(super) payer: MemberId,
    pub(super) seller: MemberId,
    pub(super) amount: Money,
    /// What the provider took, in the currency in which it did.
    pub(super) captured: Money,
    /// What was decided to go back, in the same.
    pub(super) refunded: Money,
    /// Whether it pays the booking: what came too late, or in another amount than asked, only goes back.
    pub(super) counted: bool,
    pub(super) state: State,
    pub(super) provider: String,
    /// Empty until it is known.
    pub(super) provider_key: String,
    pub(super) failure: Option<Failure>,
    pub(super) idempotency_key: String,
    /// Empty for a page of ours.
    pub(super) return_url: String,
    pub(super) order_name: String,
    pub(super) version: i64,
    pub(super) create_time: Time,
    pub(super) update_time: Time,
    pub(super) expire_time: Time,
    pub(super) confirm_time: Option<Time>,
    pub(super) next_ask_time: Option<Time>,
    pub(super) ask_count: i64,
}

impl Payment {
    /// Where it is by now, with every job stopped.
    pub(super) fn state_at(&self, now: Time, paying: TimeDelta) -> State {
        let waited = self.confirm_time.is_some_and(|begun| begun + paying <= now);
        match self.state {
            State::Ready if self.expire_time <= now => State::Expired,
            State::Confirming if waited => State::Reconciling,
            State::Captured if self.captured.minor > 0 && self.refunded == self.captured => State::Refunded,
            state => state,
        }
    }

    /// What it pays.
    pub(super) fn purpose(&self) -> Purpose {
        Purpose { booking: self.booking, change: self.change }
    }

    /// What can still be given back. Of an attempt that failed it is what the provider took and refused to give back.
    pub(super) fn refundable(&self) -> Money {
        match self.state {
            State::Captured | State::Failed => {
                Money { minor: self.captured.minor - self.refunded.minor, ..self.captured }
            }
            _ => self.captured.zero(),
        }
    }

    /// Whether a capture is on record: nothing that a provider tells of the attempt changes it any more.
    pub(super) fn is_settled(&self) -> bool {
        self.captured.minor > 0 || matches!(self.state, State::Captured | State::NeedsDecision)
    }

    /// What follows from what the provider knows of the order.
    pub(super) fn verdict(&self, charge: Option<&Charge>, now: Time) -> Verdict {
        let state = charge.map(|charge| charge.state);
        if self.state.is_under_way() {
            let in_time = self.confirm_time.is_some_and(|begun| now < begun + CONFIRM_LIMIT);
            return match state {
                Some(ChargeState::Done | ChargeState::PartlyCancelled | ChargeState::Cancelled) => Verdict::Taken,
                Some(ChargeState::Ready | ChargeState::InProgress) if in_time => Verdict::ConfirmAgain,
                Some(ChargeState::Aborted) => Verdict::Failed("ABORTED", "the provider could not take the money"),
                Some(ChargeState::Expired | ChargeState::Ready) => {
                    Verdict::Failed("EXPIRED", "the provider was not asked for the money in time")
                }
                Some(ChargeState::WaitingForDeposit) => Verdict::TurnDown,
                None if !in_time => Verdict::Failed("NOT_FOUND_PAYMENT", "the provider does not know the payment"),
                _ => Verdict::Wait,
            };
        }
        let late = self.expire_time <= now;
        match state {
            Some(ChargeState::Done | ChargeState::PartlyCancelled | ChargeState::Cancelled) => Verdict::Taken,
            Some(ChargeState::Aborted) => Verdict::Failed("ABORTED", "the payment was declined on the pay page"),
            Some(ChargeState::WaitingForDeposit) => Verdict::TurnDown,
            Some(ChargeState::Expired) => Verdict::Expired,
            None | Some(ChargeState::Ready | ChargeState::InProgress) if late => Verdict::Expired,
            _ => Verdict::Wait,
        }
    }
}

/// What follows from what a provider knows of an order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The money was taken.
    Taken,
    /// The confirmation did not arrive: it is sent again, under the same idempotency key.
    ConfirmAgain,
    /// No money was taken, and none will be.
    Failed(&'static str, &'static str),
    /// The payer chose a virtual account, which is given up.
    TurnDown,
    /// The payer did not pay in time.
    Expired,
    /// Nothing is decided.
    Wait,
}

/// Where a refund is.
#[derive(Clone, Copy, Debug, DeriveActiveEnum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub(super) enum RefundState {
    #[sea_orm(string_value = "PENDING")]
    Pending,
    #[sea_orm(string_value = "DONE")]
    Done,
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

/// Money on its way back.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: RefundId,
    pub(super) payment: PaymentId,
    pub(super) amount: Money,
    pub(super) state: RefundState,
    pub(super) reason: String,
    pub(super) idempotency_key: String,
    pub(super) create_time: Time,
    pub(super) done_time: Option<Time>,
    pub(super) next_try_time: Option<Time>,
    pub(super) try_count: i64,
}

/// How long to wait before the provider is asked again: 5 s, doubling to 10 minutes, less up to half of it by chance, so
/// that what failed together does not come back together.
pub(super) fn pause(tries: i64, chance: u8) -> TimeDelta {
    let doublings = u32::try_from(tries.clamp(0, 7)).unwrap_or(0);
    let longest = TimeDelta::seconds((5_i64 << doublings).min(600));
    longest - longest / 2 * i32::from(chance) / 255
}

#[cfg(test)]
mod model_tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_spread() {
        assert_eq!(pause(0, 0), TimeDelta::seconds(5));
        assert_eq!(pause(3, 0), TimeDelta::seconds(40));
        assert_eq!(pause(1_000_000, 0), TimeDelta::minutes(10));
        assert_eq!(pause(3, 255), TimeDelta::seconds(20));
    }
}
