//! Creates payments: what Toss Payments' window does in a browser, and no route of its API does.

use std::fmt::Write;

use reqwest::Url;
use sea_orm::DbErr;

use super::entity::{State, payment};
use super::{Simulator, store};
use crate::kit::money::Money;

/// A payment to be created.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// The merchant's order: 6 to 64 of `A-Z a-z 0-9 _ -`. Each has one payment.
    pub order: String,
    /// What the buyer reads; cut at 100 characters.
    pub order_name: String,
    /// How much.
    pub amount: Money,
    /// Where the buyer goes after *Pay*.
    pub success_url: String,
    /// Where the buyer goes after *Decline*.
    pub fail_url: String,
    /// Whether the buyer has pressed *Pay* already, which saves tests the page.
    pub agreed: bool,
}

/// Why a payment was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The order is malformed.
    #[error("order ids are 6 to 64 letters, digits, hyphens and underscores")]
    Order,
    /// The amount is not positive.
    #[error("amounts are positive")]
    Amount,
    /// One of the two URLs can't be redirected to.
    #[error("the success and failure URLs must be http or https URLs")]
    Url,
    /// The order has a payment of another amount, or one that is over.
    #[error("order {0} has another payment")]
    OrderTaken(String),
    /// The simulator's file could not be read or written.
    #[error("the simulator's file failed")]
    File(#[from] DbErr),
}

impl Simulator {
    /// Creates a payment and says its key. The same order again, with the same amount and undecided, has the same key.
    pub async fn create_payment(&self, new: NewPayment) -> Result<String, CreateError> {
        let sound = new.order.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !sound || !(6..=64).contains(&new.order.len()) {
            return Err(CreateError::Order);
        }
        if new.amount.minor <= 0 {
            return Err(CreateError::Amount);
        }
        if ![&new.success_url, &new.fail_url].iter().all(|url| is_web(url)) {
            return Err(CreateError::Url);
        }
        let tx = self.begin().await?;
        if let Some(payment) = store::payment_of_order(&tx, &new.order).await? {
            let open = matches!(payment.state, State::Ready | State::InProgress);
            let same = payment.asked == new.amount.minor && payment.currency == new.amount.currency.code();
            return if open && same { Ok(payment.key) } else { Err(CreateError::OrderTaken(new.order)) };
        }
        let payment = self.ready(new);
        let key = payment.key.clone();
        store::insert(&tx, payment).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// The row of a new payment.
    fn ready(&self, new: NewPayment) -> payment::Model {
        let now = self.now();
        payment::Model {
            key: format!("sim_{}", self.chance(24)),
            order_id: new.order,
            order_name: new.order_name.chars().take(100).collect(),
            state: if new.agreed { State::InProgress } else { State::Ready },
            currency: new.amount.currency.to_string(),
            asked: new.amount.minor,
            total: new.amount.minor,
            balance: new.amount.minor,
            method: new.agreed.then(|| CARD.to_owned()),
            requested_time: now,
            authenticated_time: new.agreed.then_some(now),
            approved_time: None,
            transaction_key: None,
            failure_code: None,
            secret: format!("ps_{}", self.chance(16)),
            success_url: new.success_url,
            fail_url: new.fail_url,
        }
    }

    /// The key of an approval or a cancel.
    pub(super) fn transaction_key(&self) -> String {
        self.chance(16).to_uppercase()
    }

    /// Random bytes in hexadecimal.
    fn chance(&self, bytes: usize) -> String {
        let mut random = vec![0; bytes];
        self.ids().fill(&mut random);
        random.iter().fold(String::with_capacity(bytes * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes any text");
            text
        })
    }
}

/// How buyers of the simulator pay, as far as no fault has them do otherwise.
pub(super) const CARD: &str = "카드";
/// The way to pay that takes no money before a deposit.
pub(super) const VIRTUAL_ACCOUNT: &str = "가상계좌";

fn is_web(url: &str) -> bool {
    url.len() <= 2000 && Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
