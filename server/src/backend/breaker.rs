//! The circuit breaker before what others run: while calls to it fail, the next are refused at once, but for one now and then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use failsafe::{FailurePolicy, Instrument, StateMachine};
use metrics::{counter, describe_counter, describe_gauge, gauge};

/// What a breaker stands before, and what its metrics are called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded {
    pub(super) what: &'static str,
    /// 1 while calls are refused.
    pub(super) open: &'static str,
    /// How many were refused.
    pub(super) refused: &'static str,
}

pub(super) struct Breaker {
    machine: StateMachine<Policy, Told>,
    guarded: Guarded,
    /// Whether it has opened and not closed since.
    is_open: Arc<AtomicBool>,
    /// Whether a call is on its way that tries whether what failed is back.
    is_trying: AtomicBool,
}

/// A call that is let through. Its outcome is told, or it was given up, which says nothing of what it was for.
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
    /// A breaker that opens when its policy says so, for as long as that says.
    pub(super) fn new(guarded: Guarded, policy: impl FailurePolicy + Send + 'static) -> Self {
        let Guarded { what, open, refused } = guarded;
        describe_gauge!(open, format!("1 while calls to {what} are refused because they fail."));
        describe_counter!(refused, format!("Calls to {what} that were refused because such calls fail."));
        let is_open = Arc::new(AtomicBool::new(false));
        let machine = StateMachine::new(Policy(Box::new(policy)), Told { guarded, is_open: is_open.clone() });
        Self { machine, guarded, is_open, is_trying: AtomicBool::new(false) }
    }

    /// Begins a call, unless it is refused.
    pub(super) fn begin(&self) -> Option<Call<'_>> {
        // Once it may try, the machine lets everybody through: one alone asks it then.
        let is_try = self.is_open.load(Ordering::Acquire);
        if is_try && self.is_trying.swap(true, Ordering::AcqRel) {
            counter!(self.guarded.refused).increment(1);
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

/// Any policy.
struct Policy(Box<dyn FailurePolicy + Send>);

impl FailurePolicy for Policy {
    fn record_success(&mut self) {
        self.0.record_success();
    }

    fn mark_dead_on_failure(&mut self) -> Option<Duration> {
        self.0.mark_dead_on_failure()
    }

    fn revived(&mut self) {
        self.0.revived();
    }
}

/// Tells metrics and log.
struct Told {
    guarded: Guarded,
    is_open: Arc<AtomicBool>,
}

impl Instrument for Told {
    fn on_call_rejected(&self) {
        counter!(self.guarded.refused).increment(1);
    }

    fn on_open(&self) {
        gauge!(self.guarded.open).set(1.0);
        // A try that fails opens it again.
        if !self.is_open.swap(true, Ordering::AcqRel) {
            let what = self.guarded.what;
            tracing::warn!("calls to {what} fail; they are refused until one succeeds");
        }
    }

    fn on_half_open(&self) {}

    fn on_closed(&self) {
        gauge!(self.guarded.open).set(0.0);
        if self.is_open.swap(false, Ordering::AcqRel) {
            let what = self.guarded.what;
            tracing::info!("a call to {what} has succeeded; calls are let through again");
        }
    }
}

#[cfg(test)]
mod tests {
    use failsafe::backoff::constant;
    use failsafe::failure_policy::consecutive_failures;

    use super::*;

    const REFUSE: Duration = Duration::from_millis(500);
    const GUARDED: Guarded = Guarded { what: "a test", open: "test_open", refused: "test_refused" };

    fn opened() -> Breaker {
        let breaker = Breaker::new(GUARDED, consecutive_failures(3, constant(REFUSE)));
        for _ in 0..3 {
            breaker.begin().expect("it takes calls").failed();
        }
        assert!(breaker.begin().is_none(), "three in a row");
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

    /// Guard: `is_trying`.
    #[tokio::test]
    async fn one_of_many_tries_whether_what_failed_is_back() {
        let breaker = opened();

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
