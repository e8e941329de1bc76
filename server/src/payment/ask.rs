//! Asks the provider what became of an attempt.

use super::Payments;
use super::model::{Failure, NO_PROVIDER, Payment, Verdict};
use super::record::Outcome;
use crate::backend::provider::Unreachable;
use crate::error::Error;
use crate::kit::caller::Actor;

impl Payments {
    /// Looks the attempt up at the provider, confirms it again when the confirmation did not arrive, and records what is
    /// known then.
    pub(super) async fn ask(&self, payment: &Payment, actor: &Actor) -> Result<Payment, Error> {
        let outcome =
            self.look_up(payment).await.unwrap_or_else(|unreachable| Outcome::unknown(unreachable.to_string()));
        self.kit.crash.point("payment.asked")?;
        self.record(payment, &outcome, actor).await
    }

    /// What the provider knows of the attempt, and what it says when it is asked for the money once more.
    pub(super) async fn look_up(&self, payment: &Payment) -> Result<Outcome, Unreachable> {
        if payment.provider == NO_PROVIDER {
            let over = payment.expire_time <= self.kit.clock.now();
            return Ok(if over { Outcome::Expired } else { Outcome::unknown("there is nothing to pay") });
        }
        if payment.provider != self.provider.name() {
            let why = format!("{} took it, and {} is configured", payment.provider, self.provider.name());
            return Ok(Outcome::unknown(why));
        }
        let charge = self.provider.find(&payment.id.to_string()).await?;
        let verdict = payment.verdict(charge.as_ref(), self.kit.clock.now());
        Ok(match (verdict, charge) {
            (Verdict::Taken, Some(charge)) => Outcome::Taken(charge),
            (Verdict::TurnDown, Some(charge)) => self.turn_down(payment, &charge).await,
            (Verdict::ConfirmAgain, _) => self.take(payment).await,
            (Verdict::Failed(code, message), _) => Outcome::Refused(Failure::new(code, message)),
            (Verdict::Expired, _) => Outcome::Expired,
            (Verdict::Wait, Some(charge)) => {
                Outcome::unknown(format!("the provider has it in state {:?}", charge.state))
            }
            (Verdict::Taken | Verdict::TurnDown | Verdict::Wait, None) => {
                Outcome::unknown("the provider does not know it")
            }
        })
    }
}
