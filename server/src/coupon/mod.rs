//! Coupons: issued from a policy, used once, given back as the policy says.
//!
//! Promises:
//! - never more coupons than the policy's total, and never more for a member than it allows;
//! - a receipt that was answered becomes a coupon, whatever fails meanwhile, and one coupon alone;
//! - once a pause, an end or a change was answered, nobody is accepted under the terms before;
//! - a coupon is held or used by one booking at a time, and moves in the transaction of that booking;
//! - what the coupons of a policy take off together never exceeds its budget.

pub mod apply;
pub mod best;
pub mod cart;
mod check;
mod code;
pub mod discount;
mod entity;
mod error;
mod gate;
mod give;
mod grant;
mod issue;
mod keep;
mod keeper;
pub mod kind;
mod meter;
mod model;
mod moved;
mod policy;
mod report;
mod round;
#[cfg(test)]
mod stage;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use moka::sync;
use tokio_util::task::TaskTracker;

pub use self::check::INVARIANTS;
pub use self::error::CouponError;
use self::gate::Openings;
use self::grant::{GrantJob, GrantListsJob};
use self::issue::{Ends, EndsJob, Issuer, Lines, ReceiptsJob};
use self::keep::GatesJob;
use self::kind::{Kinds, Terms};
use self::model::Policy;
pub use self::model::{CouponId, PolicyId, ReceiptId};
use crate::backend::bus::Bus;
use crate::backend::gate::Gate;
use crate::backend::queue::Consumer;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::holder::Held;
use crate::kit::job::Job;
use crate::kit::lease::Leases;
use crate::kit::violation::Violations;

/// Of how many policies the count of places is kept, and for how long.
const COUNTS: u64 = 1_000;
const COUNT_LIFE: Duration = Duration::from_secs(2);
/// How long it is remembered that a gate had places without rows: until it has been looked after.
const UNSETTLED_LIFE: Duration = Duration::from_secs(60);

/// The coupons of this installation.
#[derive(Clone, Debug)]
pub struct Coupons {
    kit: Kit,
    gate: Arc<dyn Gate>,
    bus: Arc<dyn Bus>,
    leases: Leases,
    /// Where work goes on that its caller does not wait for: a stop waits for it.
    tasks: TaskTracker,
    lines: Arc<Lines>,
    openings: Arc<Openings>,
    ends: Arc<Ends>,
    /// How many places of policies rows have, while their gates are closed.
    place_counts: Cache<PolicyId, u64>,
    /// Since when the gates of policies have had no place left and some that have no row.
    unsettled: sync::Cache<PolicyId, Instant>,
    kinds: Arc<Kinds>,
    /// By whom coupons are held.
    pub(crate) held: Held,
}

impl Coupons {
    /// Coupons whose first-come policies stand behind this gate, which is built under these leases, and whose news goes over
    /// this bus. Work that outlives its caller runs in these tasks.
    pub fn new(kit: Kit, gate: Arc<dyn Gate>, bus: Arc<dyn Bus>, leases: Leases, tasks: TaskTracker) -> Self {
        meter::describe();
        let (lines, openings, ends) = (Arc::default(), Arc::default(), Arc::default());
        let place_counts = Cache::builder().max_capacity(COUNTS).time_to_live(COUNT_LIFE).build();
        let unsettled = sync::Cache::builder().max_capacity(COUNTS).time_to_live(UNSETTLED_LIFE).build();
        let (kinds, held) = (Arc::new(Kinds::standard()), Held::default());
        Self { kit, gate, bus, leases, tasks, lines, openings, ends, place_counts, unsettled, kinds, held }
    }

    /// With other kinds of benefits and conditions than those that Yeyak comes with.
    pub fn with_kinds(self, kinds: Kinds) -> Self {
        Self { kinds: Arc::new(kinds), ..self }
    }

    /// What a policy means.
    fn terms(&self, policy: &Policy) -> Result<Terms, Error> {
        let mut violations = Violations::new();
        let terms = self.kinds.read("coupon_policy", &policy.wording, &mut violations);
        let unreadable = |error: Error| Error::internal(format!("{} can't be read: {error}", policy.id));
        let terms = violations.finish(terms).map_err(unreadable)?;
        // What is counted of a budget is in its currency: who has one is good for no other.
        let currency = terms.currency.or(policy.offer.budget.map(|budget| budget.currency));
        Ok(Terms { currency, ..terms })
    }

    /// Makes coupons of receipts.
    pub fn consumer(&self) -> Arc<dyn Consumer> {
        Arc::new(Issuer(self.clone()))
    }

    /// Work that repeats.
    pub fn jobs(&self) -> Vec<Arc<dyn Job>> {
        vec![
            Arc::new(ReceiptsJob(self.clone())),
            Arc::new(EndsJob(self.clone())),
            Arc::new(GatesJob::new(self.clone())),
            Arc::new(GrantJob(self.clone())),
            Arc::new(GrantListsJob(self.clone())),
        ]
    }
}
