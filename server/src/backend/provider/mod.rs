//! Payment providers: they take money from a buyer and give it back.
//!
//! Promises of every provider:
//! - only an explicit word of the provider is a success or a failure; a silence is [`Answer::Unknown`], never a failure;
//! - a call repeated with its idempotency key has one effect and, once decided, one answer;
//! - [`Provider::find`] tells the truth about an order, whatever became of the calls about it;
//! - a charge says what the provider did, not what was asked: compare its amounts before relying on it;
//! - one that does not answer is left alone for a while, and nothing becomes final by that.

mod outgoing;
pub mod simulator;
pub mod toss;

#[cfg(test)]
mod outage;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod suite;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::kit::clock::Time;
use crate::kit::money::Money;

/// Takes money from a buyer and gives it back.
///
/// No method holds anything of ours open: call it outside transactions.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// What the provider is called in records and counters: `toss`, `simulator`.
    fn name(&self) -> &'static str;

    /// Takes the money of a payment that the buyer has agreed to.
    ///
    /// Repeats by itself what the provider asks to repeat, with the same idempotency key, within its deadline.
    async fn confirm(&self, confirm: Confirm<'_>) -> Answer;

    /// Looks an order up: `None` when the provider has never heard of it.
    async fn find(&self, order: &str) -> Result<Option<Charge>, Unreachable>;

    /// Gives back all or a part of what was taken; never more than the balance of the charge.
    ///
    /// Repeats by itself what the provider asks to repeat, with the same idempotency key, within its deadline.
    async fn cancel(&self, cancel: Cancel<'_>) -> Answer;
}

/// What to take.
#[derive(Clone, Copy, Debug)]
pub struct Confirm<'a> {
    /// The order as the provider knows it: our attempt.
    pub order: &'a str,
    /// The provider's payment key, which the buyer's browser brought back.
    pub key: &'a str,
    /// How much; of our own records, never of the browser's.
    pub amount: Money,
    /// One for each attempt: at most 300 characters of ASCII.
    pub idempotency_key: &'a str,
}

/// What to give back.
#[derive(Clone, Copy, Debug)]
pub struct Cancel<'a> {
    /// The provider's payment key.
    pub key: &'a str,
    /// How much.
    pub amount: Money,
    /// What must still be cancellable for this to happen; otherwise nothing does.
    pub expected_balance: Option<Money>,
    /// Why; the buyer may read it. Cut at 200 characters.
    pub reason: &'a str,
    /// One for each refund: at most 300 characters of ASCII.
    pub idempotency_key: &'a str,
}

/// What a provider said, or that it said nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It happened, and this is the charge now.
    Done(Charge),
    /// It did not happen and never will under this idempotency key.
    Refused {
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
    /// Not decided: repeat later with the same idempotency key.
    Again {
        /// How long to wait at least.
        after: Duration,
    },
    /// It may have happened: look the order up before anything else.
    Unknown {
        /// What is known of the cause.
        why: String,
    },
}

/// The provider gave no answer to a look-up, or none that can be relied on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the payment provider could not be asked: {why}")]
pub struct Unreachable {
    /// What is known of the cause.
    pub why: String,
}

/// A payment as its provider knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Charge {
    /// The provider's payment key.
    pub key: String,
    /// The order: our attempt.
    pub order: String,
    /// Where it stands.
    pub state: ChargeState,
    /// How much was taken in all.
    pub total: Money,
    /// How much of it can still be given back.
    pub balance: Money,
    /// How the buyer paid, in the provider's words; empty before the buyer chose.
    pub method: String,
    /// When the money was taken.
    pub approved_time: Option<Time>,
    /// What was given back, the oldest first.
    pub cancels: Vec<ChargeCancel>,
}

/// Where a charge stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChargeState {
    /// The buyer has not agreed yet.
    Ready,
    /// The buyer has agreed; the money is not taken yet.
    InProgress,
    /// A virtual account waits for the buyer's transfer.
    WaitingForDeposit,
    /// The money is taken.
    Done,
    /// A part was given back.
    PartlyCancelled,
    /// All was given back.
    Cancelled,
    /// The money could not be taken.
    Aborted,
    /// The time to agree or to confirm ran out.
    Expired,
    /// A state that the provider added since.
    Other,
}

/// One refund of a charge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChargeCancel {
    /// The provider's key of the refund.
    pub transaction_key: String,
    /// How much was given back.
    pub amount: Money,
    /// When.
    pub time: Time,
}
