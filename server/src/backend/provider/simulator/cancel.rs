//! Gives money back.

use sea_orm::{ActiveValue, ConnectionTrait, DbErr};
use serde_json::Number;

use super::super::toss::money;
use super::code::Code;
use super::confirm::Outcome;
use super::entity::{State, cancel, payment};
use super::fault::Plan;
use super::{Simulator, store, wire};

impl Simulator {
    /// Gives back all or a part of what is left of a payment, as the plan of faults lets it.
    pub(super) async fn cancel(
        &self,
        tx: &impl ConnectionTrait,
        key: &str,
        body: &wire::CancelBody,
        plan: &Plan,
    ) -> Result<Outcome, DbErr> {
        let Some(payment) = store::payment(tx, key).await? else { return Ok(Err(Code::of("NOT_FOUND_PAYMENT"))) };
        let mut payment = self.expire(tx, payment).await?;
        let amount = match amount(&payment, body) {
            Ok(amount) => amount,
            Err(code) => return Ok(Err(code)),
        };
        if let Some(name) = &plan.decline {
            return Ok(Err(Code::find(name).unwrap_or(Code::of("REFUND_REJECTED"))));
        }
        let transaction_key = self.transaction_key();
        payment.balance -= amount;
        payment.state = if payment.balance == 0 { State::Cancelled } else { State::PartlyCancelled };
        payment.transaction_key = Some(transaction_key.clone());
        let cancel = cancel::ActiveModel {
            id: ActiveValue::NotSet,
            payment_key: ActiveValue::Set(payment.key.clone()),
            transaction_key: ActiveValue::Set(transaction_key),
            amount: ActiveValue::Set(amount),
            refundable: ActiveValue::Set(payment.balance),
            reason: ActiveValue::Set(body.cancel_reason.clone()),
            time: ActiveValue::Set(self.now()),
        };
        store::insert_cancel(tx, cancel).await?;
        let payment = store::save(tx, payment).await?;
        self.announce(tx, &payment, plan.hooks).await?;
        Ok(Ok(payment))
    }
}

/// How much to give back, or why nothing can be.
fn amount(payment: &payment::Model, body: &wire::CancelBody) -> Result<i64, Code> {
    match payment.state {
        State::WaitingForDeposit | State::Done | State::PartlyCancelled => {}
        State::Cancelled => return Err(Code::of("ALREADY_CANCELED_PAYMENT")),
        State::Ready | State::InProgress | State::Aborted | State::Expired => {
            return Err(Code::of("NOT_CANCELABLE_PAYMENT"));
        }
    }
    let currency = wire::currency(payment);
    let invalid = Code::of("INVALID_REQUEST");
    let minor = |number: &Number| money(number, currency).map(|money| money.minor).ok_or(invalid);
    let other_currency = body.currency.as_ref().is_some_and(|named| *named != payment.currency);
    if body.cancel_reason.is_empty() || body.cancel_reason.chars().count() > 200 || other_currency {
        return Err(invalid);
    }
    if let Some(expected) = &body.refundable_amount
        && minor(expected)? != payment.balance
    {
        return Err(Code::of("NOT_MATCHES_REFUNDABLE_AMOUNT"));
    }
    match body.cancel_amount.as_ref().map(minor).transpose()? {
        None => Ok(payment.balance),
        Some(..=0) => Err(invalid),
        Some(amount) if amount > payment.balance => Err(Code::of("NOT_CANCELABLE_AMOUNT")),
        Some(amount) if amount < payment.balance && payment.state == State::WaitingForDeposit => {
            Err(Code::of("NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT"))
        }
        Some(amount) => Ok(amount),
    }
}
