//! Decides that money goes back. The provider is asked behind the commit, by [`Payments::carry_out_refunds`].

use super::error::PaymentError;
use super::model::{Payment, PaymentId, Refund, RefundId, RefundState};
use super::read::View;
use super::{Payments, store};
use crate::error::Error;
use crate::kit::caller::{Actor, Seller};
use crate::kit::id::BookingId;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Cause, Transfer};

/// Why we give money back of our own accord, for the payer to read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    TooLate,
    WrongMethod,
    Mismatch,
    Resolved,
}

impl Reason {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::TooLate => "the booking could no longer take the payment",
            Self::WrongMethod => "the booking's coupons ask for another way to pay",
            Self::Mismatch => "another amount was taken than was asked for",
            Self::Resolved => "the seller did not take the late payment",
        }
    }
}

/// Asks to give back part of a payment, or all.
#[derive(Clone, Debug)]
pub(super) struct GiveBack {
    pub(super) id: PaymentId,
    pub(super) amount: Money,
    pub(super) reason: String,
}

impl Payments {
    /// Gives back part of a payment for a booking of this seller, beyond what a cancellation gave; or once more what the
    /// provider refused to give back.
    pub(super) async fn refund(
        &self,
        seller: &Seller,
        command: GiveBack,
        key: &RequestKey,
    ) -> Result<Reply<View>, Error> {
        let actor = seller.actor();
        let load = async |id| self.view_of(PaymentId(id)).await;
        let run = async |record: Record| {
            let refunded = self.kit.db.write(async |tx| {
                let payment = self.payment_of_in(&tx, seller, command.id).await?;
                if !fits(command.amount, payment.refundable()) {
                    return Err(too_large(&payment));
                }
                let refund = self.refund_id();
                let back = match payment.counted {
                    true => self.payable()?.given_back(&tx, payment.booking, refund, command.amount, &actor).await?,
                    false => command.amount,
                };
                let payment = match back.minor {
                    // All of it was withheld.
                    0 => payment,
                    _ => self.decide(&tx, &payment, refund, back, &command.reason).await?,
                };
                self.announce(&tx, &payment, &actor);
                record.put(&tx, payment.id.0).await?;
                Ok(payment)
            });
            self.view(refunded.await?).await
        };
        self.kit.requests.once(seller.id.0, "RefundPayment", key, load, run).await
    }

    /// Decides, in the transaction that causes it, that an amount of what was paid for a booking goes back: spread over its
    /// captured payments, the newest first. More than is left of them is REFUND_TOO_LARGE, and nothing is decided.
    pub async fn refund_booking(
        &self,
        tx: &Tx,
        booking: BookingId,
        amount: Money,
        reason: &str,
        actor: &Actor,
    ) -> Result<(), Error> {
        let mut left = amount.minor;
        let mut refundable = amount.zero();
        for payment in store::attempts(&**tx, booking).await? {
            let most = payment.refundable();
            if !payment.counted || most.minor == 0 || most.currency != amount.currency {
                continue;
            }
            refundable.minor += most.minor;
            let part = Money { minor: left.min(most.minor), ..most };
            if part.minor > 0 {
                let payment = self.decide(tx, &payment, self.refund_id(), part, reason).await?;
                self.announce(tx, &payment, actor);
                left -= part.minor;
            }
        }
        if left > 0 {
            return Err(PaymentError::RefundTooLarge { subject: booking.to_string(), refundable }.into());
        }
        Ok(())
    }

    /// The id of a refund that is about to be decided.
    pub(super) fn refund_id(&self) -> RefundId {
        RefundId::new(&self.kit.ids, self.kit.clock.now())
    }

    /// Decides one refund of a payment; the caller announces it. The sum of refunds is asserted by the database.
    pub(super) async fn decide(
        &self,
        tx: &Tx,
        payment: &Payment,
        id: RefundId,
        amount: Money,
        reason: &str,
    ) -> Result<Payment, Error> {
        let now = self.kit.clock.now();
        if amount.minor <= 0 || amount.currency != payment.captured.currency {
            return Err(Error::internal(format!("a refund of {amount} of {}", payment.id)));
        }
        if !store::give_back(&**tx, payment.id, amount.minor, now).await? {
            return Err(Error::lost(payment.id));
        }
        let refund = Refund {
            id,
            payment: payment.id,
            amount,
            state: RefundState::Pending,
            reason: reason.to_owned(),
            idempotency_key: format!("cancel:{id}"),
            create_time: now,
            done_time: None,
            next_try_time: Some(now),
            try_count: 0,
        };
        store::insert_refund(&**tx, &refund).await?;
        let accounts = (Account::Booking(payment.booking), Account::Refunds(payment.provider.clone()));
        ledger::transfer(tx, &self.kit, &movement(payment, &refund, accounts, Cause::Refund)).await?;
        let payments = self.clone();
        let payment_id = payment.id;
        tx.on_commit(move || payments.start_refunds(payment_id));
        store::payment(&**tx, payment.id).await?.ok_or_else(|| Error::lost(payment.id))
    }
}

fn fits(amount: Money, refundable: Money) -> bool {
    amount.currency == refundable.currency && (1..=refundable.minor).contains(&amount.minor)
}

fn too_large(payment: &Payment) -> Error {
    PaymentError::RefundTooLarge { subject: payment.id.to_string(), refundable: payment.refundable() }.into()
}

/// A movement of the amount of a refund.
pub(super) fn movement(
    payment: &Payment,
    refund: &Refund,
    (debit, credit): (Account, Account),
    cause: Cause,
) -> Transfer {
    Transfer {
        debit,
        credit,
        amount: refund.amount,
        cause,
        cause_id: refund.id.to_string(),
        booking: Some(payment.booking),
    }
}
