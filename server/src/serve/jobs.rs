//! Work that repeats: each job is run by one leader, and by hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Error;
pub use crate::kit::job::Job;
use crate::kit::lease::Leases;
use crate::kit::tx::as_job;
use crate::kit::{Kit, inbox};

/// How often a leader says that it is still there: three times in the life of its lease.
const EXTENSION: Duration = Duration::from_secs(3);

/// The jobs of this process.
#[derive(Clone, Debug)]
pub struct Jobs {
    leases: Leases,
    jobs: Vec<Arc<dyn Job>>,
}

impl Jobs {
    pub(super) fn new(leases: Leases, jobs: Vec<Arc<dyn Job>>) -> Self {
        Self { leases, jobs }
    }

    /// Runs every job once.
    pub async fn run_all(&self) -> Result<(), Error> {
        for job in &self.jobs {
            job.run().await?;
        }
        Ok(())
    }

    /// The jobs that there are.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Job> {
        self.jobs.iter().map(|job| &**job)
    }

    /// Runs one job now, as its leader; how much it did, or none when another process leads it or there is no such job.
    pub async fn run(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(job) = self.iter().find(|job| job.name() == name) else { return Ok(None) };
        self.run_as_leader(job).await
    }

    /// Runs a job now, as the leader of its name; how much it did, or none when another process leads it.
    pub async fn run_as_leader(&self, job: &dyn Job) -> Result<Option<u64>, Error> {
        match self.leases.hold(job.name()).await? {
            Some(_) => as_job(led(&self.leases, job)).await,
            None => Ok(None),
        }
    }

    pub(super) fn start(&self, wanted: &dyn Fn(&str) -> bool, stop: &CancellationToken, tasks: &TaskTracker) {
        for job in self.jobs.iter().filter(|job| wanted(job.name())).cloned() {
            let (leases, stop) = (self.leases.clone(), stop.clone());
            tasks.spawn(as_job(async move {
                while !stop.is_cancelled() {
                    lead(&leases, &*job).await;
                    tokio::select! { () = tokio::time::sleep(job.every()) => {} () = stop.cancelled() => {} }
                }
            }));
        }
    }

    /// Gives up what this process leads, so that another need not wait.
    pub async fn release(&self) -> Result<(), Error> {
        self.leases.release_all().await
    }
}

async fn lead(leases: &Leases, job: &dyn Job) {
    let name = job.name();
    match leases.hold(name).await {
        Ok(None) => {
            if let Err(error) = job.stand_back().await {
                tracing::debug!(job = name, "{name} does not know what another process leads: {error}");
            }
        }
        Ok(Some(_)) => match led(leases, job).await {
            Ok(Some(0)) => {}
            Ok(Some(done)) => tracing::debug!(job = name, done, "{name} did {done}"),
            Ok(None) => tracing::warn!(job = name, "{name} was left: another process leads it, or it hung"),
            Err(error) => tracing::warn!(job = name, "{name} failed and will try again: {error}"),
        },
        Err(error) => tracing::warn!(job = name, "no leader could be found for {name}: {error}"),
    }
}

/// Runs a job under a lease that is extended for as long as it takes; none when the lease was lost meanwhile, or the job took
/// longer than it ever should: then it hangs, and another process may do better.
///
/// The two are polled together: a job that were left alone while its lease is extended could own what the extension waits for.
async fn led(leases: &Leases, job: &dyn Job) -> Result<Option<u64>, Error> {
    let lost = async {
        loop {
            tokio::time::sleep(EXTENSION).await;
            // A database that does not answer lets the lease run out by itself.
            if let Ok(None) = leases.hold(job.name()).await {
                return;
            }
        }
    };
    tokio::select! {
        done = job.run() => done.map(Some),
        () = lost => Ok(None),
        () = tokio::time::sleep(job.patience()) => Ok(None),
    }
}

/// Slices that one run deletes of each, at most: what is left then is for the next.
const SLICES: u64 = 100;

/// Deletes the records of requests that have expired, and of events that were taken long ago.
#[derive(Debug)]
pub(super) struct TidyRequests(pub(super) Kit);

#[async_trait]
impl Job for TidyRequests {
    fn name(&self) -> &'static str {
        "tidy-requests"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<u64, Error> {
        let Kit { db, clock, requests, .. } = &self.0;
        let now = clock.now();
        for slices in 0..SLICES {
            let left = [requests.tidy().await?, inbox::tidy(db, now).await?];
            if left == [false, false] {
                return Ok(slices);
            }
        }
        Ok(SLICES)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Instant;

    use uuid::Uuid;

    use super::*;
    use crate::harness::Harness;
    use crate::kit::tx::Db;

    /// Writes without a pause, for longer than its lease is left alone.
    #[derive(Debug)]
    struct Busy {
        db: Db,
        written: AtomicU64,
    }

    #[async_trait]
    impl Job for Busy {
        fn name(&self) -> &'static str {
            "busy"
        }

        fn every(&self) -> Duration {
            Duration::from_secs(1)
        }

        async fn run(&self) -> Result<u64, Error> {
            let began = Instant::now();
            while began.elapsed() < EXTENSION + Duration::from_millis(500) {
                self.db
                    .write(async |tx| {
                        crate::kit::inbox::first(
                            &tx,
                            "busy",
                            Uuid::from_u128(self.written.load(Ordering::Relaxed).into()),
                            chrono::DateTime::UNIX_EPOCH,
                        )
                        .await
                    })
                    .await?;
                self.written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(self.written.load(Ordering::Relaxed))
        }
    }

    /// Guard: the job is polled while its lease is extended.
    #[tokio::test]
    async fn a_job_that_writes_goes_on_while_its_lease_is_extended() {
        let yeyak = Harness::new().await;
        let leases = Leases::new(yeyak.db.clone(), yeyak.clock.clone(), Uuid::from_u128(1));
        let busy = Busy { db: yeyak.db.clone(), written: AtomicU64::new(0) };
        let began = Instant::now();

        let done = led(&leases, &busy).await.expect("runs");

        assert!(done.is_some_and(|written| written > 0));
        assert!(began.elapsed() < EXTENSION * 3, "it was held up: {:?}", began.elapsed());
    }
}
