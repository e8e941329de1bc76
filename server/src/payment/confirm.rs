//! Has the provider take the money, in three steps: begun, asked, recorded.
//!
//! Between the steps nothing is held open. Whatever ends the process between two of them, the attempt is on record as
//! CONFIRMING, and the reconciler or the payer's next try asks the provider what became of it.

use chrono::TimeDelta;

use super::error::PaymentError;
use super::model::{NO_PROVIDER, Payment, PaymentId, State};
use super::payable::{Received, Taken};
use super::read::View;
use super::record::Outcome;
use super::{Payments, store};
use crate::backend::provider::{Answer, ChargeState, Confirm as Take};
use crate::error::{Error, NotFound};
use crate::kit::caller::{Actor, Member};
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::kit::violation::Violations;

/// How long the first call to the provider may go on before the reconciler asks beside it.
const FIRST_ASK: TimeDelta = TimeDelta::seconds(30);
/// How often an attempt whose row changed is read again.
const RERUNS: u32 = 3;

/// Confirms what the payer agreed to.
#[derive(Clone, Debug)]
pub(super) struct Confirm {
    pub(super) id: PaymentId,
    /// Empty when there is nothing to pay.
    pub(super) provider_key: String,
}

/// What there is to do for an attempt that is to be confirmed.
enum Step {
    Begin,
    Ask,
    Nothing,
}

impl Payments {
    /// Confirms an attempt of the caller. One that is under way is asked for, so that a repetition resolves it.
    pub(super) async fn confirm(
        &self,
        caller: &Member,
        command: Confirm,
        key: &RequestKey,
    ) -> Result<Reply<View>, Error> {
        let actor = caller.actor();
        let load = async |id| {
            let payment = self.payment(PaymentId(id)).await?;
            let key = payment.provider_key.clone();
            self.view(self.confirm_from(payment, &key, &actor, None).await?).await
        };
        let run = async |record: Record| {
            let payment = store::payment(self.kit.db.read(), command.id).await?;
            let own = payment.filter(|payment| payment.payer == caller.id);
            let payment = own.ok_or_else(|| NotFound::new("payment", command.id))?;
            let confirmed = self.confirm_from(payment, &command.provider_key, &actor, Some(&record)).await?;
            self.view(confirmed).await
        };
        self.kit.requests.once(caller.id.0, "ConfirmPayment", key, load, run).await
    }

    /// Confirms an attempt from a pay page: who brings the provider's key has it from the provider.
    pub(super) async fn confirm_by_page(&self, command: &Confirm, actor: &Actor) -> Result<Payment, Error> {
        let mut reruns = 0;
        loop {
            let payment = self.payment(command.id).await?;
            match self.confirm_from(payment, &command.provider_key, actor, None).await {
                Err(error) if error.is_lost() && reruns < RERUNS => reruns += 1,
                confirmed => return confirmed,
            }
        }
    }

    async fn confirm_from(
        &self,
        read: Payment,
        provider_key: &str,
        actor: &Actor,
        record: Option<&Record>,
    ) -> Result<Payment, Error> {
        let (_turn, waited) = self.confirm_turns.of(read.id).await;
        let payment = if waited { self.payment(read.id).await? } else { read.clone() };
        let asked_meanwhile = payment.version != read.version && payment.state.is_under_way();
        if asked_meanwhile {
            return Ok(payment);
        }
        match self.step(&payment, provider_key)? {
            Step::Nothing => Ok(payment),
            Step::Ask => {
                if let Some(record) = record {
                    self.kit.db.write(async |tx| record.put(&tx, payment.id.0).await).await?;
                }
                self.ask(&payment, actor).await
            }
            Step::Begin => {
                let begun =
                    self.kit.db.write(async |tx| self.begin(&tx, &payment, provider_key, actor, record).await).await?;
                if begun.provider == NO_PROVIDER {
                    return Ok(begun);
                }
                self.kit.crash.point("payment.begun")?;
                let outcome = self.take(&begun).await;
                self.kit.crash.point("payment.asked")?;
                self.record(&begun, &outcome, actor).await
            }
        }
    }

    fn step(&self, payment: &Payment, provider_key: &str) -> Result<Step, Error> {
        let state = payment.state_at(self.kit.clock.now(), self.settings.paying);
        let free = payment.provider == NO_PROVIDER;
        let ours = free || payment.provider == self.provider.name();
        let keyed = free || !provider_key.is_empty();
        let mut violations = Violations::new();
        violations.require("provider_key", keyed, "must be given, unless there is nothing to pay");
        violations.finish(Some(()))?;
        match state {
            State::Ready if ours => Ok(Step::Begin),
            State::Confirming | State::Reconciling => Ok(Step::Ask),
            // The same confirmation again has the same answer.
            State::Captured | State::Refunded | State::NeedsDecision | State::Failed
                if free || payment.provider_key == provider_key =>
            {
                Ok(Step::Nothing)
            }
            _ => Err(PaymentError::NotReady { id: payment.id, state }.into()),
        }
    }

    /// The first step: from here on the booking keeps what it holds, and the provider may take the money.
    async fn begin(
        &self,
        tx: &Tx,
        payment: &Payment,
        provider_key: &str,
        actor: &Actor,
        record: Option<&Record>,
    ) -> Result<Payment, Error> {
        let now = self.kit.clock.now();
        let payable = self.payable()?;
        payable.begin(tx, payment.purpose(), payment.amount, actor).await?;
        let mut begun = Payment {
            state: State::Confirming,
            provider_key: provider_key.to_owned(),
            confirm_time: Some(now),
            next_ask_time: Some(now + FIRST_ASK),
            ..payment.clone()
        };
        if payment.provider == NO_PROVIDER {
            begun.next_ask_time = None;
            let taken = Taken { amount: payment.amount, method: "" };
            begun.state = match payable.received(tx, payment.purpose(), taken, actor).await? {
                Received::Accepted => State::Captured,
                Received::GiveBack | Received::WrongMethod | Received::Undecided { .. } => State::Failed,
            };
            begun.counted = begun.state == State::Captured;
        }
        let begun = store::update(&**tx, begun, now).await?;
        self.announce(tx, &begun, actor);
        if let Some(record) = record {
            record.put(tx, begun.id.0).await?;
        }
        Ok(begun)
    }

    /// The second step: the provider is asked for the money, with nothing of ours held open.
    pub(super) async fn take(&self, payment: &Payment) -> Outcome {
        let order = payment.id.to_string();
        let answer = self.provider.confirm(Take {
            order: &order,
            key: &payment.provider_key,
            amount: payment.amount,
            idempotency_key: &payment.idempotency_key,
        });
        match answer.await {
            Answer::Done(charge) if charge.state == ChargeState::WaitingForDeposit => {
                self.turn_down(payment, &charge).await
            }
            answer => Outcome::from(answer),
        }
    }
}
