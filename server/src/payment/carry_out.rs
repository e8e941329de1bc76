//! Carries out what was decided to go back.
//!
//! The refunds of one payment go one after another, the oldest first, each under its own idempotency key and with the balance
//! that it expects to find: one whose outcome is not known holds up those behind it, so the balance is always known.

use super::model::{Payment, PaymentId, Refund, RefundState};
use super::refund::movement;
use super::{Payments, store};
use crate::backend::provider::{Answer, Cancel};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::clock::words;
use crate::kit::money::Money;
use crate::ledger::{self, Account, Cause};

/// What became of a refund.
enum Ended {
    Done,
    Failed(String),
    Unknown(String),
}

impl Payments {
    /// Asks the provider for the refunds of a payment in a task of its own: right behind the commit that decided them.
    pub(super) fn start_refunds(&self, id: PaymentId) {
        let payments = self.clone();
        self.settings.tasks.spawn(async move {
            if let Err(error) = payments.carry_out_refunds(id).await {
                tracing::warn!(payment.id = %id, "refunds of {id} were not carried out, and will be tried again: {error}");
            }
        });
    }

    /// Carries out the refunds of a payment that are due, until one is not answered; how many ended.
    pub(super) async fn carry_out_refunds(&self, id: PaymentId) -> Result<u64, Error> {
        let (_turn, _) = self.refund_turns.of(id).await;
        let mut ended = 0;
        loop {
            let payment = self.payment(id).await?;
            let Some((refund, given)) = store::next_refund(self.kit.db.read(), id).await? else { return Ok(ended) };
            if refund.next_try_time.is_some_and(|due| due > self.kit.clock.now()) {
                return Ok(ended);
            }
            self.kit.crash.point("refund.decided")?;
            let outcome = self.cancel(&payment, &refund, given).await;
            self.kit.crash.point("refund.asked")?;
            match outcome {
                Ended::Done => self.end(&payment, &refund, RefundState::Done, "").await?,
                Ended::Failed(code) => self.record_refusal(&payment, &refund, &code).await?,
                Ended::Unknown(why) => {
                    self.postpone(&refund, &why).await?;
                    return Ok(ended);
                }
            }
            self.kit.crash.point("refund.recorded")?;
            ended += 1;
        }
    }

    /// Has the provider give the amount back. `given` is what the refunds before this one gave.
    async fn cancel(&self, payment: &Payment, refund: &Refund, given: i64) -> Ended {
        if payment.provider != self.provider.name() {
            return Ended::Unknown(format!("{} took it, and {} is configured", payment.provider, self.provider.name()));
        }
        let before = Money { minor: payment.captured.minor - given, ..payment.captured };
        let answer = self.provider.cancel(Cancel {
            key: &payment.provider_key,
            amount: refund.amount,
            expected_balance: Some(before),
            reason: &refund.reason,
            idempotency_key: &refund.idempotency_key,
        });
        let (refused, why) = match answer.await {
            Answer::Done(_) => return Ended::Done,
            Answer::Refused { code, message } => (Some(code.clone()), format!("{code}: {message}")),
            Answer::Unknown { why } => (None, why),
            Answer::Again { .. } => return Ended::Unknown("the provider asked to try again".to_owned()),
        };
        // A refusal may be of something that has happened: by a call whose answer was lost, or by hand at the provider.
        match (self.provider.find(&payment.id.to_string()).await, refused) {
            (Ok(Some(charge)), _) if charge.balance.minor <= before.minor - refund.amount.minor => Ended::Done,
            (Ok(_), Some(code)) => Ended::Failed(code),
            (Ok(_), None) => Ended::Unknown(why),
            (Err(unreachable), _) => Ended::Unknown(format!("{why}; {unreachable}")),
        }
    }

    /// Records that the provider refuses a refund for good: from then on it is due again.
    pub(super) async fn record_refusal(&self, payment: &Payment, refund: &Refund, code: &str) -> Result<(), Error> {
        tracing::error!(refund.id = %refund.id, payment.id = %payment.id, code,
            "the provider refused to give back {}, which someone must look into: {code}", refund.amount);
        self.end(payment, refund, RefundState::Failed, code).await
    }

    /// Records the end of a refund; a twin that recorded it before changes nothing more. What lost a race against anything else
    /// is still pending, and comes up again.
    async fn end(
        &self,
        payment: &Payment,
        refund: &Refund,
        state: RefundState,
        failure_code: &str,
    ) -> Result<(), Error> {
        let actor = &Actor::job("refund");
        let now = self.kit.clock.now();
        let on_the_way = Account::Refunds(payment.provider.clone());
        let (to, cause, counted) = match state {
            RefundState::Failed => (Account::Booking(payment.booking), Cause::RefundFailed, -refund.amount.minor),
            _ => (Account::Provider(payment.provider.clone()), Cause::RefundDone, 0),
        };
        let transfer = movement(payment, refund, (on_the_way, to), cause);
        self.kit
            .db
            .write(async |tx| {
                self.payable()?.lock(&tx, payment.booking).await?;
                // A twin ends here.
                if !store::finish_refund(&*tx, refund.id, state, failure_code, now).await? {
                    return Err(Error::lost(refund.id));
                }
                if state == RefundState::Failed && payment.counted {
                    self.payable()?.refund_failed(&tx, payment.booking, refund.amount, actor).await?;
                }
                if !store::give_back(&*tx, payment.id, counted, now).await? {
                    return Err(Error::internal(format!("the refunds of {} do not add up", payment.id)));
                }
                ledger::transfer(&tx, &self.kit, &transfer).await?;
                let Some(payment) = store::payment(&*tx, payment.id).await? else { return Ok(()) };
                self.announce(&tx, &payment, actor);
                Ok(())
            })
            .await
            .or_else(|error| if error.is_lost() { Ok(()) } else { Err(error) })
    }

    async fn postpone(&self, refund: &Refund, why: &str) -> Result<(), Error> {
        let wait = self.pause(refund.try_count);
        let id = refund.id;
        tracing::warn!(refund.id = %id, "whether {id} was carried out is not known, and asked again in {}: {why}",
            words(wait.to_std().unwrap_or_default()));
        let until = self.kit.clock.now() + wait;
        self.kit.db.write(async |tx| store::postpone_refund(&*tx, id, until).await).await
    }
}
