//! Who waits, by policy, and who serves them.
//!
//! A few flights serve the lines: each takes all that wait in one, up to a limit, and comes back for the next. So nobody waits
//! longer than the flights before take, and the more come, the more of them share a commit.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::Duration;

use futures::FutureExt;

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

/// The lines of this process.
#[derive(Debug, Default)]
pub(in crate::coupon) struct Lines {
    lines: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    waiting: HashMap<PolicyId, Vec<Ask>>,
    /// The policies that somebody waits for, in the order in which they are served.
    turns: VecDeque<PolicyId>,
    count: usize,
    flights: usize,
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
                all.flights -= 1;
            }
            next
        })
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
            let takes_off = all.flights < flights;
            all.flights += usize::from(takes_off);
            Ok(takes_off)
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
