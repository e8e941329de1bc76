//! The lists of runs that have ended are forgotten.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::GrantRunId;
use super::model::RunState;
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::job::Job;

/// Members that one transaction forgets.
const SLICE: u64 = 1_000;

impl Coupons {
    /// Forgets the lists of runs that have ended; how many members were on them. Only runs that have a list are looked at, and those
    /// that are under way are few.
    async fn forget_lists(&self) -> Result<u64, Error> {
        let conn = self.kit.db.read();
        let (mut forgotten, mut after) = (0, Uuid::nil());
        while let Some(id) = store::run::next_listed(conn, after).await? {
            after = id.0;
            let run = store::run::find(conn, id).await?;
            if run.is_none_or(|run| run.state != RunState::Running) {
                forgotten += self.forget_list(id).await?;
            }
        }
        Ok(forgotten)
    }

    async fn forget_list(&self, run: GrantRunId) -> Result<u64, Error> {
        let mut forgotten = 0;
        loop {
            let slice = store::run::listed(self.kit.db.read(), run, None, SLICE).await?;
            let Some(last) = slice.last() else { return Ok(forgotten) };
            forgotten += self.kit.db.write(async |tx| store::run::unlist(&tx, run, *last).await).await?;
        }
    }
}

/// Forgets lists.
#[derive(Debug)]
pub(in crate::coupon) struct GrantListsJob(pub(in crate::coupon) Coupons);

#[async_trait]
impl Job for GrantListsJob {
    fn name(&self) -> &'static str {
        "coupon-grant-lists"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<u64, Error> {
        self.0.forget_lists().await
    }
}
