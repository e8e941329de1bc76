//! Who waits, by policy, and who serves them.
//!
//! A few flights serve the lines: each takes all that wait in one, up to a limit, and comes back for the next. So nobody waits
//! longer than the flights before take, and the more come, the more of them share a commit.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Ask;
use super::accept::answer_all;
use crate::coupon::Coupons;
use crate::coupon::model::PolicyId;
use crate::error::{ErrorReason, Fault};

/// The most that are accepted together: one message names them, and one script of the gate takes them.
const TOGETHER: usize = 500;
/// How many batches are under way where the database has many writers: while one commits, another is at the gate.
const FLIGHTS: usize = 3;
/// The most that wait. Layers before this one admit fewer.
const WAITING: usize = 50_000;

/// For how long a batch of coupons to be made waits for those who ask for theirs: they may ask without an end.
const YIELD: Duration = Duration::from_millis(200);

/// The lines of this process.
#[derive(Debug, Default)]
pub(in crate::coupon) struct Lines {
    lines: Mutex<All>,
    /// How many flights are under way.
    flights: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct All {
    waiting: HashMap<PolicyId, Vec<Ask>>,
    /// The policies that somebody waits for, in the order in which they are served.
    turns: VecDeque<PolicyId>,
    count: usize,
}

impl All {
    fn put(&mut self, policy: PolicyId, asks: Vec<Ask>) {
        self.count += asks.len();
        let line = self.waiting.entry(policy).or_default();
        if line.is_empty() {
            self.turns.push_back(policy);
        }
        line.extend(asks);
    }

    /// All who wait for the policy whose turn it is, up to the limit.
    fn next(&mut self) -> Option<(PolicyId, Vec<Ask>)> {
        let policy = self.turns.pop_front()?;
        let mut together = self.waiting.remove(&policy)?;
        if together.len() > TOGETHER {
            let rest = together.split_off(TOGETHER);
            self.waiting.insert(policy, rest);
            self.turns.push_back(policy);
        }
        self.count -= together.len();
        Some((policy, together))
    }
}

impl Lines {
    fn with<T>(&self, work: impl FnOnce(&mut All) -> T) -> T {
        work(&mut self.lines.lock().expect("nothing panics while it is held"))
    }

    /// The next to be served; without any, the flight that asks has ended.
    fn next(&self) -> Option<(PolicyId, Vec<Ask>)> {
        self.with(|all| {
            let next = all.next();
            if next.is_none() {
                self.flights.send_modify(|flights| *flights -= 1);
            }
            next
        })
    }

    /// Until nobody waits for an answer, but not for long. They share the processors and the database with what else is done for
    /// coupons, and have somebody who looks at a screen.
    pub(super) async fn quiet(&self) {
        let mut flights = self.flights.subscribe();
        _ = timeout(YIELD, flights.wait_for(|flights| *flights == 0)).await;
    }
}

impl Coupons {
    /// Has asks wait for their turn. Each is answered; at once, where too many wait.
    pub(super) fn put_in_line(&self, policy: PolicyId, asks: Vec<Ask>) {
        let flights = if self.kit.db.is_shared() { FLIGHTS } else { 1 };
        let takes_off = self.lines.with(|all| {
            if all.count + asks.len() > WAITING {
                return Err(asks);
            }
            all.put(policy, asks);
            Ok(self.lines.flights.send_if_modified(|under_way| {
                let takes_off = *under_way < flights;
                *under_way += usize::from(takes_off);
                takes_off
            }))
        });
        match takes_off {
            // Not the caller's task: what has begun runs to its end whoever goes away, and a stop waits for it.
            Ok(true) => drop(self.tasks.spawn(self.clone().fly())),
            Ok(false) => {}
            Err(asks) => answer_all(asks, &LineTooLong.into()),
        }
    }

    async fn fly(self) {
        while let Some((policy, asks)) = self.lines.next() {
            // Whoever a panic has left without an answer is told so by the end of the channel.
            if AssertUnwindSafe(self.accept(policy, asks)).catch_unwind().await.is_err() {
                tracing::error!(policy.id = %policy, "accepting for {policy} panicked");
            }
        }
    }
}

/// More wait than can be served soon.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many wait for coupons; try again")]
pub(super) struct LineTooLong;

impl Fault for LineTooLong {
    fn reason(&self) -> ErrorReason {
        ErrorReason::Overloaded
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Instant;

    use super::*;

    /// Guards: the wait for the last flight, and the end of its patience.
    #[tokio::test]
    async fn who_asks_goes_before_what_was_accepted_but_not_for_ever() {
        let lines = Lines::default();
        assert!(lines.quiet().now_or_never().is_some(), "nobody asks");
        lines.flights.send_modify(|flights| *flights = 1);

        let mut until_quiet = pin!(lines.quiet());
        assert!((&mut until_quiet).now_or_never().is_none(), "somebody asks");
        assert!(lines.next().is_none(), "nobody is left");
        assert!(until_quiet.now_or_never().is_some(), "the last who asked has been answered");

        lines.flights.send_modify(|flights| *flights = 1);
        let began = Instant::now();
        lines.quiet().await;
        assert!(began.elapsed() >= YIELD, "somebody asks all the time");
    }
}
