//! The seller decides on money that came too late; undecided, it goes back once it could not be taken any more.

use super::error::PaymentError;
use super::model::{Payment, PaymentId, State};
use super::read::View;
use super::refund::Reason;
use super::{Payments, store};
use crate::error::Error;
use crate::kit::caller::{Actor, Seller};
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::tx::Tx;

/// What becomes of a late payment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Decision {
    Accept,
    Refund,
}

impl Payments {
    /// Takes a late payment for its booking, or gives all of it back. One of many decisions counts.
    pub(super) async fn resolve(
        &self,
        seller: &Seller,
        id: PaymentId,
        decision: Decision,
        key: &RequestKey,
    ) -> Result<Reply<View>, Error> {
        let actor = seller.actor();
        let load = async |id| self.view_of(PaymentId(id)).await;
        let run = async |record: Record| {
            let resolved = self.kit.db.write(async |tx| {
                let payment = self.payment_of_in(&tx, seller, id).await?;
                let state = payment.state_at(self.kit.clock.now(), self.settings.paying);
                if state != State::NeedsDecision {
                    return Err(PaymentError::Decided { id, state }.into());
                }
                let payment = self.resolve_in(&tx, payment, decision, &actor).await?;
                record.put(&tx, payment.id.0).await?;
                Ok(payment)
            });
            self.view(resolved.await?).await
        };
        self.kit.requests.once(seller.id.0, "ResolvePayment", key, load, run).await
    }

    /// Gives back money that nobody has decided on, and that nobody can take any more.
    pub(super) async fn give_back_undecided(&self, undecided: &Payment, actor: &Actor) -> Result<(), Error> {
        let write = async |tx: Tx| {
            let payment = self.payment_with(&tx, undecided.booking, undecided.id).await?;
            if payment.state == State::NeedsDecision {
                self.resolve_in(&tx, payment, Decision::Refund, actor).await?;
            }
            Ok(())
        };
        self.kit.db.write(write).await
    }

    async fn resolve_in(&self, tx: &Tx, payment: Payment, decision: Decision, actor: &Actor) -> Result<Payment, Error> {
        let counted = decision == Decision::Accept;
        if counted {
            self.payable()?.accept_late(tx, payment.booking, payment.captured, actor).await?;
        }
        let decided = Payment { state: State::Captured, counted, next_ask_time: None, ..payment };
        let mut payment = store::update(&**tx, decided, self.kit.clock.now()).await?;
        if decision == Decision::Refund {
            let reason = Reason::Resolved.as_str();
            payment = self.decide(tx, &payment, self.refund_id(), payment.captured, reason).await?;
        }
        self.announce(tx, &payment, actor);
        Ok(payment)
    }
}
