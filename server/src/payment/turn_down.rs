//! Turns down virtual accounts. Such a charge takes nothing before a deposit, which may come days later or never; and what is to
//! go back of it needs an account of the payer, which nobody has asked for.

use super::Payments;
use super::model::{Failure, Payment};
use super::record::Outcome;
use crate::backend::provider::{Answer, Cancel, Charge, ChargeState};

/// The way to pay, in the provider's words.
const VIRTUAL_ACCOUNT: &str = "가상계좌";

impl Payments {
    /// Has the provider give up a charge that waits for a deposit, under an idempotency key of its own: the booking is free for
    /// another card then.
    pub(super) async fn turn_down(&self, payment: &Payment, charge: &Charge) -> Outcome {
        let idempotency_key = format!("deposit:{}", payment.id);
        let answer = self.provider.cancel(Cancel {
            key: &charge.key,
            amount: charge.total,
            expected_balance: None,
            reason: "virtual accounts are not supported",
            idempotency_key: &idempotency_key,
        });
        match answer.await {
            Answer::Done(charge) if charge.state == ChargeState::Cancelled => Outcome::Refused(not_supported()),
            // The deposit may have come a moment ago: the provider is asked once more, and someone looks into it where it has not.
            Answer::Refused { code, message } => {
                tracing::error!(payment.id = %payment.id, code,
                    "the provider refused to give up the virtual account of {}: {code}: {message}", payment.id);
                Outcome::unknown(format!("the virtual account was not given up: {code}"))
            }
            answer => Outcome::from(answer),
        }
    }
}

/// Why a charge of which nothing is left paid nothing.
pub(super) fn nothing_left(charge: &Charge) -> Failure {
    match &*charge.method {
        VIRTUAL_ACCOUNT => not_supported(),
        _ => Failure::new("CANCELED", "the money was given back at the provider"),
    }
}

fn not_supported() -> Failure {
    Failure::new("VIRTUAL_ACCOUNT", "a virtual account can't be used here, and nothing was taken; pay in another way")
}
