//! Payments: money taken for bookings by a provider, and given back.
//!
//! Promises:
//! - one attempt of a booking at a time is open, and what it takes is fixed when it is begun;
//! - only a provider's explicit word makes an attempt captured or failed: a lost answer is RECONCILING until it is known;
//! - a capture is recorded once, with its ledger row and what becomes of the booking, in one transaction;
//! - what a provider took and the booking can't use goes back whole, and no booking waits for a deposit;
//! - refunds never exceed what was captured, and each reaches the provider under a key of its own, once;
//! - a refund that the provider refuses counts no more, here and in the booking, and can be sent again.

mod ask;
mod carry_out;
mod check;
mod confirm;
mod convert;
mod entity;
mod error;
mod model;
mod nothing;
mod page;
mod pay_page;
pub mod payable;
mod prepare;
mod read;
mod reconcile;
mod record;
mod refund;
mod resolve;
mod rpc;
mod store;
#[cfg(test)]
mod tests;
mod turn_down;
mod webhook;

use std::sync::{Arc, OnceLock};

use axum::Router;
use chrono::TimeDelta;
use tokio_util::task::TaskTracker;

pub use self::check::Kept;
pub use self::error::PaymentError;
pub use self::model::{PaymentId, RefundId};
use self::payable::Payable;
use crate::backend::provider::Provider;
use crate::backend::provider::simulator::Simulator;
use crate::backend::queue::Consumer;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::turn::Turns;
use crate::serve::Job;

/// The payments of this installation: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Payments {
    kit: Kit,
    provider: Arc<dyn Provider>,
    simulator: Option<Simulator>,
    settings: Arc<PaymentSettings>,
    payable: Arc<OnceLock<Arc<dyn Payable>>>,
    confirm_turns: Turns<PaymentId>,
    refund_turns: Turns<PaymentId>,
}

/// What can be set.
#[derive(Clone, Debug)]
pub struct PaymentSettings {
    /// How the HTTP port is reached from outside, without a slash at its end.
    pub public_url: String,
    /// How long the provider is waited for before a payment reads RECONCILING.
    pub paying: TimeDelta,
    /// How long an outcome may stay unknown before [`Payments::check`] tells of it.
    pub alarm: TimeDelta,
    /// Where work goes on that its caller does not wait for: a stop waits for it.
    pub tasks: TaskTracker,
}

impl Payments {
    /// Payments kept in the kit's database and made by a provider; `simulator` is the provider when it is the built-in one.
    pub fn new(kit: Kit, provider: Arc<dyn Provider>, simulator: Option<Simulator>, settings: PaymentSettings) -> Self {
        Self {
            kit,
            provider,
            simulator,
            settings: Arc::new(settings),
            payable: Arc::default(),
            confirm_turns: Turns::default(),
            refund_turns: Turns::default(),
        }
    }

    /// Who takes the money.
    pub fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// Says what is paid for. Until then nothing can be prepared; a second call changes nothing.
    pub fn pays_for(&self, payable: Arc<dyn Payable>) {
        if self.payable.set(payable).is_err() {
            tracing::error!("what is paid for was said twice; the first stays");
        }
    }

    /// Routes of the HTTP port: pay pages, and webhooks of the provider.
    pub fn http_router(&self) -> Router {
        pay_page::routes().merge(webhook::routes()).with_state(self.clone())
    }

    /// Work that repeats.
    pub fn jobs(&self) -> Vec<Arc<dyn Job>> {
        vec![Arc::new(reconcile::Reconcile(self.clone()))]
    }

    /// Asks the provider about what its webhooks tell.
    pub fn consumer(&self) -> Arc<dyn Consumer> {
        Arc::new(webhook::Asker(self.clone()))
    }

    fn payable(&self) -> Result<&Arc<dyn Payable>, Error> {
        self.payable.get().ok_or_else(|| Error::internal("nothing was named that can be paid for"))
    }
}
