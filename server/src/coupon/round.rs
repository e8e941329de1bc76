//! What comes of a job that looks at one policy after another: one that fails keeps no other waiting.

use super::PolicyId;
use crate::error::Error;

/// What came of the policies so far.
#[derive(Debug, Default)]
pub(super) struct Round {
    done: u64,
    failure: Option<Error>,
}

impl Round {
    /// Notes whether there was something to do for a policy, or why that could not be done.
    pub(super) fn add(&mut self, policy: PolicyId, outcome: Result<bool, Error>) {
        match outcome {
            Ok(done) => self.done += u64::from(done),
            Err(error) => {
                tracing::warn!(policy.id = %policy, "{policy} is left until the next time: {error}");
                self.failure.get_or_insert(error);
            }
        }
    }

    /// For how many there was something to do; the first failure, if there was one.
    pub(super) fn end(self) -> Result<u64, Error> {
        self.failure.map_or(Ok(self.done), Err)
    }
}
