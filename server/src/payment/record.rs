//! Records what became of an attempt: the one place that does, for confirmations, webhooks and the reconciler.
//!
//! It is monotone. A capture on record is never taken back, and a capture that is told of is recorded whatever was believed
//! before: the money is there.

use std::time::Duration;

use chrono::TimeDelta;
use yeyak_proto::yeyak::payment::v1 as pb;

use super::model::{Failure, Payment, State, pause};
use super::payable::{Received, Taken};
use super::refund::Reason;
use super::turn_down::nothing_left;
use super::{Payments, store};
use crate::backend::provider::{Answer, Charge, ChargeState};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::clock::words;
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Transfer};

/// How often an attempt whose row changed is decided on again.
const RERUNS: u32 = 5;

/// What is known of the outcome of an attempt.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The provider has, or had, the money.
    Taken(Charge),
    /// No money was taken, and none will be.
    Refused(Failure),
    /// The payer did not pay in time.
    Expired,
    /// Not known yet.
    Unknown {
        /// When to ask again at the earliest, if the provider said so.
        after: Option<Duration>,
        why: String,
    },
}

impl Outcome {
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { after: None, why: why.into() }
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done(charge) => Self::Taken(charge),
            Answer::Refused { code, message } => Self::Refused(Failure::new(&code, &message)),
            Answer::Again { after } => {
                Self::Unknown { after: Some(after), why: "the provider asked to try again".to_owned() }
            }
            Answer::Unknown { why } => Self::unknown(why),
        }
    }
}

impl Payments {
    /// Records an outcome, with what follows from it for the booking and in the ledger, and gives the attempt as it is then.
    pub(super) async fn record(&self, attempt: &Payment, outcome: &Outcome, actor: &Actor) -> Result<Payment, Error> {
        let mut reruns = 0;
        let recorded = loop {
            match self.kit.db.write(async |tx| self.record_in(&tx, attempt, outcome, actor).await).await {
                Err(error) if error.is_lost() && reruns < RERUNS => reruns += 1,
                recorded => break recorded?,
            }
        };
        self.kit.crash.point("payment.recorded")?;
        Ok(recorded)
    }

    async fn record_in(&self, tx: &Tx, read: &Payment, outcome: &Outcome, actor: &Actor) -> Result<Payment, Error> {
        let payment = self.payment_with(tx, read.booking, read.id).await?;
        match outcome {
            _ if payment.is_settled() => Ok(payment),
            Outcome::Taken(charge) if charge.balance.minor > 0 => self.taken(tx, payment, charge, actor).await,
            Outcome::Taken(charge) if payment.state.is_open() => {
                self.no_money(tx, payment, State::Failed, Some(nothing_left(charge)), actor).await
            }
            Outcome::Refused(failure) if payment.state.is_open() => {
                self.no_money(tx, payment, State::Failed, Some(failure.clone()), actor).await
            }
            Outcome::Expired if payment.state == State::Ready => {
                self.no_money(tx, payment, State::Expired, None, actor).await
            }
            Outcome::Unknown { after, why } if self.is_due(&payment) => {
                self.unknown(tx, payment, *after, why, actor).await
            }
            _ => Ok(payment),
        }
    }

    /// The provider has the money: it pays the booking, or goes back.
    async fn taken(&self, tx: &Tx, payment: Payment, charge: &Charge, actor: &Actor) -> Result<Payment, Error> {
        let as_asked =
            charge.state == ChargeState::Done && charge.total == payment.amount && charge.balance == payment.amount;
        let mut next = payment.clone();
        next.captured = charge.balance;
        next.refunded = charge.balance.zero();
        next.provider_key.clone_from(&charge.key);
        next.next_ask_time = None;
        let payable = self.payable()?;
        let back = if as_asked {
            let taken = Taken { amount: payment.amount, method: &charge.method };
            let received = payable.received(tx, payment.purpose(), taken, actor).await?;
            (next.state, next.counted) = (State::Captured, received == Received::Accepted);
            match received {
                Received::GiveBack => Some(Reason::TooLate),
                Received::WrongMethod => Some(Reason::WrongMethod),
                Received::Accepted => None,
                Received::Undecided { until } => {
                    (next.state, next.next_ask_time) = (State::NeedsDecision, Some(until));
                    None
                }
            }
        } else {
            tracing::error!(payment.id = %payment.id, asked = %payment.amount, taken = %charge.total,
                "the provider took {} for payment {} of {}; all of it goes back", charge.total, payment.id, payment.amount);
            if payment.state.is_under_way() {
                payable.failed(tx, payment.purpose(), actor).await?;
            }
            next.state = State::Failed;
            next.failure = Some(Failure::new("AMOUNT_MISMATCH", "the provider took another amount than was asked for"));
            Some(Reason::Mismatch)
        };
        let taken = store::update(&**tx, next, self.kit.clock.now()).await?;
        ledger::transfer(tx, &self.kit, &capture(&taken)).await?;
        let taken = match back {
            Some(reason) => self.decide(tx, &taken, self.refund_id(), taken.captured, reason.as_str()).await?,
            None => taken,
        };
        self.announce(tx, &taken, actor);
        Ok(taken)
    }

    async fn no_money(
        &self,
        tx: &Tx,
        payment: Payment,
        state: State,
        failure: Option<Failure>,
        actor: &Actor,
    ) -> Result<Payment, Error> {
        if payment.state.is_under_way() {
            self.payable()?.failed(tx, payment.purpose(), actor).await?;
        }
        let over = Payment { state, failure, next_ask_time: None, ..payment };
        let over = store::update(&**tx, over, self.kit.clock.now()).await?;
        self.announce(tx, &over, actor);
        Ok(over)
    }

    /// Whether an outcome is waited for: not while the payer still has time, nor when a twin has just found it unknown.
    fn is_due(&self, payment: &Payment) -> bool {
        let now = self.kit.clock.now();
        match payment.state {
            State::Confirming => true,
            State::Reconciling => payment.next_ask_time.is_none_or(|due| due <= now),
            State::Ready => payment.expire_time <= now,
            _ => false,
        }
    }

    /// Asked again later; an attempt that was begun reads RECONCILING until then.
    async fn unknown(
        &self,
        tx: &Tx,
        payment: Payment,
        after: Option<Duration>,
        why: &str,
        actor: &Actor,
    ) -> Result<Payment, Error> {
        let now = self.kit.clock.now();
        let asked = after.and_then(|after| TimeDelta::from_std(after).ok()).unwrap_or_default();
        let wait = self.pause(payment.ask_count).max(asked);
        let id = payment.id;
        tracing::warn!(payment.id = %id, "the outcome of {id} is not known, and asked for again in {}: {why}",
            words(wait.to_std().unwrap_or_default()));
        let news = payment.state == State::Confirming;
        let state = if news { State::Reconciling } else { payment.state };
        let next = Payment { state, next_ask_time: Some(now + wait), ask_count: payment.ask_count + 1, ..payment };
        let next = store::update(&**tx, next, now).await?;
        if news {
            self.announce(tx, &next, actor);
        }
        Ok(next)
    }

    pub(super) fn pause(&self, tries: i64) -> TimeDelta {
        let mut chance = [0];
        self.kit.ids.fill(&mut chance);
        pause(tries, chance[0])
    }

    /// Puts the news of an attempt into the outbox.
    pub(super) fn announce(&self, tx: &Tx, payment: &Payment, actor: &Actor) {
        let state = payment.state_at(self.kit.clock.now(), self.settings.paying);
        let event = pb::PaymentChanged {
            payment_id: payment.id.to_string(),
            booking_id: payment.booking.to_string(),
            to: super::convert::state(state).into(),
        };
        let cause = Cause { aggregate: payment.id.0, version: payment.version, actor };
        self.kit.outbox.put(tx, cause, &event);
    }
}

fn capture(payment: &Payment) -> Transfer {
    Transfer {
        debit: Account::Provider(payment.provider.clone()),
        credit: Account::Booking(payment.booking),
        amount: payment.captured,
        cause: ledger::Cause::Capture,
        cause_id: payment.id.to_string(),
        booking: Some(payment.booking),
    }
}
