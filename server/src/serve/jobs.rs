//! Work that repeats: each job is run by one leader, and by hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::kit::idempotency::Requests;
pub use crate::kit::job::Job;
use crate::kit::lease::Leases;

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
        match self.leases.hold(name).await? {
            Some(_) => job.run().await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn start(&self, wanted: &dyn Fn(&str) -> bool, stop: &CancellationToken, tasks: &TaskTracker) {
        for job in self.jobs.iter().filter(|job| wanted(job.name())).cloned() {
            let (leases, stop) = (self.leases.clone(), stop.clone());
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    lead(&leases, &*job).await;
                    tokio::select! { () = tokio::time::sleep(job.every()) => {} () = stop.cancelled() => {} }
                }
            });
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
        Ok(None) => {}
        Ok(Some(_)) => match job.run().await {
            Ok(0) => {}
            Ok(done) => tracing::debug!(job = name, done, "{name} did {done}"),
            Err(error) => tracing::warn!(job = name, "{name} failed and will try again: {error}"),
        },
        Err(error) => tracing::warn!(job = name, "no leader could be found for {name}: {error}"),
    }
}

/// Deletes the records of requests that have expired.
#[derive(Debug)]
pub(super) struct TidyRequests(pub(super) Requests);

#[async_trait]
impl Job for TidyRequests {
    fn name(&self) -> &'static str {
        "tidy-requests"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<u64, Error> {
        Ok(u64::from(self.0.tidy().await?))
    }
}
