//! Work that repeats.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Error;

/// Work that repeats. It tidies up and announces; no rule of time rests on it.
#[async_trait]
pub trait Job: Debug + Send + Sync + 'static {
    /// Its name, which its lease goes by.
    fn name(&self) -> &'static str;

    /// How long it rests between two runs.
    fn every(&self) -> Duration;

    /// How long one run may take before it counts as hung.
    fn patience(&self) -> Duration {
        Duration::from_secs(600)
    }

    /// Does what is due; how much that was. Idempotent.
    async fn run(&self) -> Result<u64, Error>;

    /// Is told that another process leads it.
    async fn stand_back(&self) -> Result<(), Error> {
        Ok(())
    }
}
