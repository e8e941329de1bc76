//! When a failed call is tried again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// Tokens are counted in tenths, as gRFC A6 has it: a failure costs one token, a success earns a tenth.
const TOKENS: i64 = 100;
const FAILURE: i64 = 10;

/// How many retries may still be made: when most calls fail, retries would only add to what is wrong.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: AtomicI64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: AtomicI64::new(TOKENS) }
    }
}

impl Budget {
    pub(crate) fn succeeded(&self) {
        let earn = |tokens| (tokens < TOKENS).then_some(tokens + 1);
        _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earn);
    }

    /// Notes a failure; whether another try is within the budget.
    pub(crate) fn failed(&self) -> bool {
        let spend = |tokens: i64| Some((tokens - FAILURE).max(0));
        let before = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).unwrap_or(0);
        before - FAILURE > TOKENS / 2
    }
}

/// How long to wait before the next try: what the server says, else exponential backoff with full jitter.
pub(crate) fn delay(error: &Error, tries: u32) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << tries.min(10)).min(LONGEST);
    let jitter = ceiling.mul_f64(rand::random());
    match error.retry_after {
        // Never sooner than asked, and not all at the same moment.
        Some(after) => after + jitter / 4,
        None => jitter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_end_when_most_calls_fail_and_come_back_with_success() {
        let budget = Budget::default();
        let allowed = (0..10).take_while(|_| budget.failed()).count();
        assert_eq!(allowed, 4);
        for _ in 0..100 {
            budget.succeeded();
        }
        assert!(budget.failed());
    }
}
