//! When Redis is left alone: while most calls of the last seconds failed.

use std::time::Duration;

use failsafe::backoff::constant;
use failsafe::failure_policy::success_rate_over_time_window;

use crate::backend::breaker::{Breaker, Guarded};

/// Over which time calls are looked at, and how many there must have been.
const WINDOW: Duration = Duration::from_secs(2);
const CALLS: u32 = 10;
/// Which share of them must have succeeded.
const SUCCEED: f64 = 0.5;
/// How long calls are refused before one is tried.
const REFUSE: Duration = Duration::from_millis(500);

const REDIS: Guarded =
    Guarded { what: "Redis", open: "yeyak_redis_breaker_open", refused: "yeyak_redis_refused_calls_total" };

pub(super) fn breaker() -> Breaker {
    Breaker::new(REDIS, success_rate_over_time_window(SUCCEED, CALLS, WINDOW, constant(REFUSE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_refused_once_most_have_failed_for_a_while_and_taken_again_after_one_that_succeeds() {
        let breaker = breaker();
        let failing = async {
            while let Some(call) = breaker.begin() {
                call.failed();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WINDOW * 3, failing).await.expect("it refuses in the end");

        let refusing = async {
            loop {
                match breaker.begin() {
                    Some(call) => return call,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(REFUSE * 4, refusing).await.expect("one is tried").succeeded();

        breaker.begin().expect("it takes calls").failed();
        assert!(breaker.begin().is_some(), "one failure among successes is none");
    }
}
