//! The job that takes runs up.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::job::Job;

/// Members that one transaction gives coupons to.
const CHUNK: u64 = 500;
/// Runs that are read at once.
pub(super) const RUNS: u64 = 100;
/// How often some are read in one run of the job, so that it ends.
const TURNS: usize = 1_000;

/// Gives the coupons of runs.
#[derive(Clone, Debug)]
pub(in crate::coupon) struct GrantJob(pub(in crate::coupon) Coupons);

#[async_trait]
impl Job for GrantJob {
    fn name(&self) -> &'static str {
        "coupon-grants"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// How many members were looked at. A run that fails is left until the next time, and the others go on.
    async fn run(&self) -> Result<u64, Error> {
        let Self(coupons) = self;
        let (mut done, mut failed, mut resting) = (0, None, HashSet::new());
        // What rests stays where it is, in front of all that go on: they are come to behind it.
        let (mut after, mut before) = (None, 0);
        for _ in 0..TURNS {
            let running = store::run::running(coupons.kit.db.read(), after, coupons.kit.clock.now(), RUNS).await?;
            after = running.last().copied();
            if running.is_empty() {
                if done == before {
                    break;
                }
                before = done;
            }
            for (_, run) in running {
                if resting.contains(&run) {
                    continue;
                }
                match coupons.go_on(run, CHUNK).await {
                    Ok(Some(looked_at)) => done += looked_at.max(1),
                    Ok(None) => _ = resting.insert(run),
                    // Another process that believes to lead has moved it.
                    Err(error) if error.is_lost() => _ = resting.insert(run),
                    Err(error) => {
                        resting.insert(run);
                        failed = Some(error);
                    }
                }
            }
        }
        failed.map_or(Ok(done), Err)
    }
}
