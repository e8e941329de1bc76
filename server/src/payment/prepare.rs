//! Begins an attempt to pay.

use super::error::PaymentError;
use super::model::{ALL_ATTEMPTS, ATTEMPTS, NO_PROVIDER, Payment, PaymentId, State};
use super::payable::Bill;
use super::read::View;
use super::{Payments, store};
use crate::error::Error;
use crate::kit::caller::{Actor, Member};
use crate::kit::id::{BookingId, ChangeId};
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::tx::Tx;

/// Asks for a page on which to pay a booking.
#[derive(Clone, Debug)]
pub(super) struct Prepare {
    pub(super) booking: BookingId,
    /// Empty for a page of ours.
    pub(super) return_url: String,
    /// Of a move to other dates that is to be paid.
    pub(super) change_quote: Option<String>,
}

/// What becomes of the attempts that there are.
enum Plan {
    /// One waits for its payer: it is given again.
    Again(Payment),
    /// A new one, in place of one that is over or asks for another amount.
    New { retired: Option<Payment>, number: i64 },
}

impl Payments {
    /// Begins an attempt to pay a booking, or gives the one that waits for the same amount.
    pub(super) async fn prepare(
        &self,
        caller: &Member,
        command: Prepare,
        key: &RequestKey,
    ) -> Result<Reply<View>, Error> {
        let load = async |id| self.view_of(PaymentId(id)).await;
        let run = async |record: Record| {
            let payable = self.payable()?;
            let bill = payable.bill(caller, command.booking, command.change_quote.as_deref()).await?;
            let prepared = match self.prepare_on(caller, &bill, &command, &record).await {
                Err(refused) if payable.make_way(&refused).await? => {
                    self.prepare_on(caller, &bill, &command, &record).await
                }
                outcome => outcome,
            };
            self.view(prepared?).await
        };
        self.kit.requests.once(caller.id.0, "PreparePayment", key, load, run).await
    }

    async fn prepare_on(
        &self,
        caller: &Member,
        bill: &Bill,
        command: &Prepare,
        record: &Record,
    ) -> Result<Payment, Error> {
        let payable = self.payable()?;
        self.kit
            .db
            .write(async |tx| {
                payable.lock(&tx, bill.booking).await?;
                let bill = payable.set_aside(&tx, bill.clone(), command.change_quote.as_deref()).await?;
                let attempts = store::attempts(&*tx, bill.booking).await?;
                let payment = match self.plan(&bill, attempts)? {
                    Plan::Again(open) => self.renewed(&tx, open, &bill, command).await?,
                    Plan::New { retired, number } => {
                        let new = self.attempt(&bill, command, number);
                        self.begin_attempt(&tx, retired.as_ref(), new, &caller.actor()).await?
                    }
                };
                record.put(&tx, payment.id.0).await?;
                Ok(payment)
            })
            .await
    }

    fn plan(&self, bill: &Bill, attempts: Vec<Payment>) -> Result<Plan, Error> {
        let now = self.kit.clock.now();
        let number = attempts.first().map_or(1, |last| last.number + 1);
        let limit = spent(&attempts, bill.change);
        let open = attempts.into_iter().find(|attempt| attempt.state.is_open());
        match open {
            Some(open) if open.state.is_under_way() => {
                let state = open.state_at(now, self.settings.paying);
                Err(PaymentError::UnderWay { id: open.id, state }.into())
            }
            Some(open) if self.still_asks(&open, bill) => Ok(Plan::Again(open)),
            retired => match limit {
                Some(limit) => Err(PaymentError::TooManyAttempts { limit }.into()),
                None => Ok(Plan::New { retired, number }),
            },
        }
    }

    /// Whether an attempt that waits asks for what there is to pay, of a payer who can still pay it.
    fn still_asks(&self, open: &Payment, bill: &Bill) -> bool {
        let payable = open.provider == NO_PROVIDER || open.provider == self.provider.name();
        payable && open.change == bill.change && open.amount == bill.amount && open.expire_time > self.kit.clock.now()
    }

    pub(super) fn attempt(&self, bill: &Bill, command: &Prepare, number: i64) -> Payment {
        let now = self.kit.clock.now();
        let id = PaymentId::new(&self.kit.ids, now);
        let free = bill.amount.minor == 0;
        Payment {
            id,
            booking: bill.booking,
            change: bill.change,
            number,
            payer: bill.payer,
            seller: bill.seller,
            amount: bill.amount,
            captured: bill.amount.zero(),
            refunded: bill.amount.zero(),
            counted: false,
            state: State::Ready,
            provider: if free { NO_PROVIDER } else { self.provider.name() }.to_owned(),
            provider_key: String::new(),
            failure: None,
            // Of the attempt, not of the booking: another card is another attempt.
            idempotency_key: format!("confirm:{id}"),
            return_url: command.return_url.clone(),
            order_name: bill.name.chars().take(100).collect(),
            version: 1,
            create_time: now,
            update_time: now,
            expire_time: bill.expire_time,
            confirm_time: None,
            next_ask_time: None,
            ask_count: 0,
        }
    }

    /// The attempt that waits, for as long as the booking now does.
    async fn renewed(&self, tx: &Tx, open: Payment, bill: &Bill, command: &Prepare) -> Result<Payment, Error> {
        let same = open.expire_time == bill.expire_time && open.return_url == command.return_url;
        if same {
            return Ok(open);
        }
        let renewed = Payment { expire_time: bill.expire_time, return_url: command.return_url.clone(), ..open };
        store::update(&**tx, renewed, self.kit.clock.now()).await
    }

    pub(super) async fn begin_attempt(
        &self,
        tx: &Tx,
        retired: Option<&Payment>,
        new: Payment,
        actor: &Actor,
    ) -> Result<Payment, Error> {
        if let Some(retired) = retired {
            let over = Payment { state: State::Expired, ..retired.clone() };
            let over = store::update(&**tx, over, self.kit.clock.now()).await?;
            self.announce(tx, &over, actor);
        }
        store::insert(&**tx, &new).await?;
        self.announce(tx, &new, actor);
        Ok(new)
    }
}

/// The limit that the attempts of a booking have come to, if to one. A change has its own attempts, and what took money is
/// none of them: who has paid, or looked at other dates before, can still pay for these.
fn spent(attempts: &[Payment], change: Option<ChangeId>) -> Option<usize> {
    let failed = attempts.iter().filter(|attempt| attempt.change == change && !attempt.is_settled()).count();
    match attempts.len() {
        all if all >= ALL_ATTEMPTS => Some(ALL_ATTEMPTS),
        _ => (failed >= ATTEMPTS).then_some(ATTEMPTS),
    }
}
