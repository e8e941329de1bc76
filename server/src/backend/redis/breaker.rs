//! The circuit breaker: while most calls of the last seconds failed, the next are refused at once, but for one now and then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{SuccessRateOverTimeWindow, success_rate_over_time_window};
use failsafe::{Instrument, StateMachine};
use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Over which time calls are looked at, and how many there must have been.
const WINDOW: Duration = Duration::from_secs(2);
const CALLS: u32 = 10;
/// Which share of them must have succeeded.
const SUCCEED: f64 = 0.5;
/// How long calls are refused before one is tried.
const REFUSE: Duration = Duration::from_millis(500);

const STATE: &str = "yeyak_redis_breaker_open";
const REFUSED: &str = "yeyak_redis_refused_calls_total";

pub(super) struct Breaker {
    machine: StateMachine<SuccessRateOverTimeWindow<Constant>, Told>,
    /// Whether it has opened and not closed since.
    is_open: Arc<AtomicBool>,
    /// Whether a call is on its way that tries whether Redis is back.
    is_trying: AtomicBool,
}

/// A call that is let through. Its outcome is told, or it was given up, which says nothing of Redis.
#[derive(Debug)]
pub(super) struct Call<'a> {
    breaker: &'a Breaker,
    is_try: bool,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.machine.fmt(f)
    }
}

impl Breaker {
    pub(super) fn new() -> Self {
        describe_gauge!(STATE, "1 while calls to Redis are refused because most of them fail.");
        describe_counter!(REFUSED, "Calls to Redis that were refused because most of them fail.");
        let policy = success_rate_over_time_window(SUCCEED, CALLS, WINDOW, constant(REFUSE));
        let is_open = Arc::new(AtomicBool::new(false));
        let machine = StateMachine::new(policy, Told { is_open: is_open.clone() });
        Self { machine, is_open, is_trying: AtomicBool::new(false) }
    }

    /// Begins a call, unless it is refused.
    pub(super) fn begin(&self) -> Option<Call<'_>> {
        // Once it may try, the machine lets everybody through: one alone asks it then.
        let is_try = self.is_open.load(Ordering::Acquire);
        if is_try && self.is_trying.swap(true, Ordering::AcqRel) {
            counter!(REFUSED).increment(1);
            return None;
        }
        let call = Call { breaker: self, is_try };
        self.machine.is_call_permitted().then_some(call)
    }
}

impl Call<'_> {
    pub(super) fn succeeded(self) {
        self.breaker.machine.on_success();
    }

    pub(super) fn failed(self) {
        self.breaker.machine.on_error();
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.is_try {
            self.breaker.is_trying.store(false, Ordering::Release);
        }
    }
}

/// Tells metrics and log.
struct Told {
    is_open: Arc<AtomicBool>,
}

impl Instrument for Told {
    fn on_call_rejected(&self) {
        counter!(REFUSED).increment(1);
    }

    fn on_open(&self) {
        self.is_open.store(true, Ordering::Release);
        gauge!(STATE).set(1.0);
        tracing::warn!("most calls to Redis fail; they are refused until one succeeds");
    }

    fn on_half_open(&self) {}

    fn on_closed(&self) {
        self.is_open.store(false, Ordering::Release);
        gauge!(STATE).set(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened() -> Breaker {
        let breaker = Breaker::new();
        let failing = async {
            while let Some(call) = breaker.begin() {
                call.failed();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WINDOW * 3, failing).await.expect("it refuses in the end");
        breaker
    }

    async fn tried(breaker: &Breaker) -> Call<'_> {
        let refusing = async {
            loop {
                match breaker.begin() {
                    Some(call) => return call,
                    None => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(REFUSE * 4, refusing).await.expect("one is tried")
    }

    #[tokio::test]
    async fn calls_are_refused_once_most_have_failed_for_a_while_and_taken_again_after_one_that_succeeds() {
        let breaker = opened().await;

        tried(&breaker).await.succeeded();

        breaker.begin().expect("it takes calls").failed();
        assert!(breaker.begin().is_some(), "one failure among successes is none");
    }

    /// Guard: `is_trying`.
    #[tokio::test]
    async fn one_of_many_tries_whether_redis_is_back() {
        let breaker = opened().await;

        let first = tried(&breaker).await;
        assert!((0..100).all(|_| breaker.begin().is_none()), "the others wait for its outcome");
        drop(first);
        let second = breaker.begin().expect("who gave up leaves the try to another");
        assert!(breaker.begin().is_none());
        second.failed();
        assert!(breaker.begin().is_none(), "refused for a while");
        tried(&breaker).await.succeeded();

        let calls: Vec<_> = (0..100).map(|_| breaker.begin()).collect();
        assert!(calls.iter().all(Option::is_some));
    }
}
