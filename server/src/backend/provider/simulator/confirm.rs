//! Takes the money of a payment that its buyer has agreed to, and lets payments run out of time.

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbErr};

use super::super::toss::money;
use super::code::Code;
use super::create::VIRTUAL_ACCOUNT;
use super::entity::{State, payment};
use super::fault::{Hooks, Plan};
use super::{Simulator, store, wire};

/// How long a buyer may look at the page ("Toss Payments core API, Payment object, status").
const WINDOW: TimeDelta = TimeDelta::minutes(30);
/// How long a merchant may take to confirm what the buyer has agreed to.
const CONFIRM: TimeDelta = TimeDelta::minutes(10);
/// The least that a card takes, in won.
const LEAST_WON: i64 = 100;

/// What an operation came to: the payment as it is now, or an error.
pub(super) type Outcome = Result<payment::Model, Code>;

impl Simulator {
    /// Confirms a payment, as the plan of faults lets it.
    pub(super) async fn confirm(
        &self,
        tx: &impl ConnectionTrait,
        body: &wire::ConfirmBody,
        plan: &Plan,
    ) -> Result<Outcome, DbErr> {
        let Some(payment) = store::payment(tx, &body.payment_key).await? else {
            return Ok(Err(Code::of("NOT_FOUND_PAYMENT")));
        };
        let mut payment = self.expire(tx, payment).await?;
        if let Some(code) = refusal(&payment, body) {
            return Ok(Err(code));
        }
        if let Some(code) =
            plan.decline.as_deref().map(|name| Code::find(name).unwrap_or(Code::of("REJECT_CARD_PAYMENT")))
        {
            if !code.is_passing() {
                self.abort(tx, payment, code, plan.hooks).await?;
            }
            return Ok(Err(code));
        }
        if plan.awaits_deposit {
            payment.state = State::WaitingForDeposit;
            payment.method = Some(VIRTUAL_ACCOUNT.to_owned());
        } else {
            payment.state = State::Done;
            payment.total = plan.charged.unwrap_or(payment.asked);
            payment.balance = payment.total;
            payment.approved_time = Some(self.now());
        }
        payment.transaction_key = Some(self.transaction_key());
        let payment = store::save(tx, payment).await?;
        self.announce(tx, &payment, plan.hooks).await?;
        Ok(Ok(payment))
    }

    /// Ends a payment without money.
    pub(super) async fn abort(
        &self,
        tx: &impl ConnectionTrait,
        mut payment: payment::Model,
        code: Code,
        hooks: Option<Hooks>,
    ) -> Result<(), DbErr> {
        payment.state = State::Aborted;
        payment.failure_code = Some(code.name.to_owned());
        let payment = store::save(tx, payment).await?;
        self.announce(tx, &payment, hooks).await
    }

    /// The payment as it is by now: one that nobody agreed to or confirmed in time is expired.
    pub(super) async fn expire(
        &self,
        tx: &impl ConnectionTrait,
        mut payment: payment::Model,
    ) -> Result<payment::Model, DbErr> {
        let now = self.now();
        let limit = match (payment.state, payment.authenticated_time) {
            (State::Ready, _) => payment.requested_time + WINDOW,
            (State::InProgress, Some(authenticated)) => authenticated + CONFIRM,
            _ => return Ok(payment),
        };
        if now < limit {
            return Ok(payment);
        }
        payment.state = State::Expired;
        payment.failure_code = Some("NOT_FOUND_PAYMENT_SESSION".to_owned());
        let payment = store::save(tx, payment).await?;
        self.announce(tx, &payment, None).await?;
        Ok(payment)
    }

    /// Expires what nobody has asked about since its time ran out.
    pub(super) async fn expire_overdue(&self) -> Result<(), DbErr> {
        let now = self.now();
        let tx = self.begin().await?;
        for payment in store::overdue(&tx, now - WINDOW, now - CONFIRM).await? {
            self.expire(&tx, payment).await?;
        }
        tx.commit().await
    }
}

/// Why a payment can't be confirmed so.
fn refusal(payment: &payment::Model, body: &wire::ConfirmBody) -> Option<Code> {
    let amount = money(&body.amount, wire::currency(payment)).map(|amount| amount.minor);
    if payment.order_id != body.order_id || amount != Some(payment.asked) {
        return Some(Code::of("FORBIDDEN_REQUEST"));
    }
    match payment.state {
        State::Ready => Some(Code::of("UNAPPROVED_ORDER_ID")),
        State::InProgress if payment.currency == "KRW" && payment.asked < LEAST_WON => {
            Some(Code::of("BELOW_MINIMUM_AMOUNT"))
        }
        State::InProgress => None,
        State::WaitingForDeposit | State::Done | State::PartlyCancelled | State::Cancelled => {
            Some(Code::of("ALREADY_PROCESSED_PAYMENT"))
        }
        State::Aborted | State::Expired => Some(Code::of("NOT_FOUND_PAYMENT_SESSION")),
    }
}
