//! Bookings for which there is nothing to pay.

use super::model::State;
use super::payable::{Bill, Parties};
use super::prepare::Prepare;
use super::{PaymentId, Payments, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::id::BookingId;
use crate::kit::money::{Currency, Money};
use crate::kit::tx::Tx;

impl Payments {
    /// Records, in the transaction that confirms a booking, that there was nothing to pay: a captured payment of 0, by no
    /// provider. An attempt that still waits for its payer ends.
    pub async fn nothing_to_pay(
        &self,
        tx: &Tx,
        booking: BookingId,
        parties: Parties,
        currency: Currency,
        actor: &Actor,
    ) -> Result<PaymentId, Error> {
        let attempts = store::attempts(&**tx, booking).await?;
        let number = attempts.first().map_or(1, |last| last.number + 1);
        let waiting = attempts.into_iter().find(|attempt| attempt.state == State::Ready);
        let bill = Bill {
            booking,
            change: None,
            payer: parties.member,
            seller: parties.seller,
            amount: Money::new(currency, 0),
            name: String::new(),
            expire_time: self.kit.clock.now(),
        };
        let mut payment =
            self.attempt(&bill, &Prepare { booking, return_url: String::new(), change_quote: None }, number);
        payment.state = State::Captured;
        payment.counted = true;
        let payment = self.begin_attempt(tx, waiting.as_ref(), payment, actor).await?;
        Ok(payment.id)
    }
}
