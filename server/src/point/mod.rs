//! Points: earned, spent, set aside, given back, taken back, expired.
//!
//! Promises:
//! - a wallet holds what is left of its lots, less what it owes, and that is what its movements and the ledger add up to;
//! - points are spent once, those that expire first; no wallet falls below nothing but where the policy has it owe;
//! - what comes back comes to the very lots that it was of, with their expiry, and once;
//! - what was earned by something that was given back is taken back as the policy says;
//! - a point can't be spent before its time, nor once it is over, with every job stopped.

mod adjust;
pub mod apply;
mod cache;
mod caller;
mod change;
mod check;
mod convert;
mod daily;
pub mod demo;
mod earn;
mod entity;
mod error;
mod gift;
mod liability;
mod model;
mod policy;
mod read;
mod rpc;
mod settle;
mod spend;
mod store;
mod tier;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use self::cache::Wallets;
pub use self::check::INVARIANTS;
pub use self::daily::{Counts, DAILY, DailyJob, Difference, MOST_SESSIONS, Order, Progress, Report, SHARE};
pub use self::error::PointError;
pub use self::model::{ClawedBack, GivenBack, LotId, MovementId, Part, SpendingId};
use crate::backend::cache::Cache;
use crate::kit::Kit;
use crate::kit::tx::Db;

/// The points of this installation.
#[derive(Clone, Debug)]
pub struct Points {
    kit: Kit,
    wallets: Wallets,
    /// Where work goes on that its caller does not wait for.
    tasks: TaskTracker,
    /// Where runs of jobs are kept, if not beside the wallets.
    jobs: Option<Db>,
}

impl Points {
    /// Points kept in the kit's database, and at hand in this cache. Work that outlives its caller runs in these tasks.
    pub fn new(kit: Kit, cache: Arc<dyn Cache>, tasks: TaskTracker) -> Self {
        let wallets = Wallets::new(cache, kit.db.is_shared());
        Self { kit, wallets, tasks, jobs: None }
    }

    /// With runs of jobs kept in a database of their own.
    pub fn with_job_database(self, jobs: Option<Db>) -> Self {
        Self { jobs, ..self }
    }
}
