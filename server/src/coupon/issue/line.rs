//! Who waits, by policy, and who serves them.
//!
//! A few flights serve the lines: each takes all that wait, for whichever policy, up to a limit, and comes back for the next. So
//! nobody waits longer than the flights before take, and the more come, the more of them share a commit. One is enough while few
//! come.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Ask;
use super::accept::answer_all;
use crate::coupon::Coupons;
use crate::coupon::model::PolicyId;
use crate::error::{ErrorReason, Fault};

/// The most that are accepted together, of all policies: one transaction has their rows.
const TOGETHER: usize = 500;
/// The most policies of a batch, whose turns one transaction takes.
const POLICIES: usize = 64;
/// How many batches are under way where the database has many writers and many wait: while one commits, another is at the gate.
const FLIGHTS: usize = 3;
/// The most that wait. Layers before this one admit fewer.
const WAITING: usize = 50_000;

/// For how long a batch of coupons to be made waits for those who ask for theirs: they may ask without an end.
const YIELD: Duration = Duration::from_millis(200);

/// How many wait where one flight is not enough. A batch costs much the same for few as for many, and what batches of few would
/// use of the processors is what they wait for.
const CROWD: usize = 64;

/// After how long a batch is not waited for, however few wait: somebody may have the turn of one of its policies.
const STUCK: Duration = Duration::from_millis(50);

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
    /// How many batches were taken, and when the last one was.
    batches: u64,
    last: Option<Instant>,
}

/// Who waits for a policy.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) policy: PolicyId,
    pub(super) asks: Vec<Ask>,
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

    /// All who wait, in the order of the turns, up to the limit.
    fn next(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut room = TOGETHER;
        while room > 0
            && lines.len() < POLICIES
            && let Some(policy) = self.turns.pop_front()
        {
            let mut asks = self.waiting.remove(&policy).unwrap_or_default();
            if asks.len() > room {
                let rest = asks.split_off(room);
                self.waiting.insert(policy, rest);
                self.turns.push_back(policy);
            }
            room -= asks.len();
            self.count -= asks.len();
            lines.push(Line { policy, asks });
        }
        lines
    }
}

impl Lines {
    fn with<T>(&self, work: impl FnOnce(&mut All) -> T) -> T {
        work(&mut self.lines.lock().expect("nothing panics while it is held"))
    }

    /// Has asks wait, and tells whether another flight is to take off, of the most that there may be. They come back where too
    /// many wait.
    fn put(&self, policy: PolicyId, asks: Vec<Ask>, most: usize, now: Instant) -> Result<bool, Vec<Ask>> {
        self.with(|all| {
            if all.count + asks.len() > WAITING {
                return Err(asks);
            }
            all.put(policy, asks);
            let goes_on = all.last.is_some_and(|last| now - last < STUCK);
            let enough = if all.count < CROWD && goes_on { 1 } else { most };
            Ok(self.takes_off(enough))
        })
    }

    /// The next to be served by a flight that took the batch of a number before; without any, it has ended. Few are left to
    /// another flight, if one has come back meanwhile.
    fn next(&self, before: &mut u64, now: Instant) -> Vec<Line> {
        self.with(|all| {
            let is_left_to_another = all.count < CROWD && all.batches > *before;
            let ends = self.flights.send_if_modified(|under_way| {
                let ends = all.count == 0 || (*under_way > 1 && is_left_to_another);
                *under_way -= usize::from(ends);
                ends
            });
            if ends {
                return Vec::new();
            }
            all.batches += 1;
            all.last = Some(now);
            *before = all.batches;
            all.next()
        })
    }

    /// Whether another flight is to take off, of the most that there may be, since somebody waits behind a batch that is stuck.
    fn relieve(&self, most: usize) -> bool {
        self.with(|all| all.count > 0 && self.takes_off(most))
    }

    fn takes_off(&self, most: usize) -> bool {
        self.flights.send_if_modified(|under_way| {
            let takes_off = *under_way < most;
            *under_way += usize::from(takes_off);
            takes_off
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
        match self.lines.put(policy, asks, self.flights(), Instant::now()) {
            // Not the caller's task: what has begun runs to its end whoever goes away, and a stop waits for it.
            Ok(true) => drop(self.tasks.spawn(self.clone().fly())),
            Ok(false) => {}
            Err(asks) => answer_all(asks, &LineTooLong.into()),
        }
    }

    async fn fly(self) {
        let mut batch = u64::MAX;
        loop {
            let lines = self.lines.next(&mut batch, Instant::now());
            if lines.is_empty() {
                return;
            }
            // Whoever a panic has left without an answer is told so by the end of the channel.
            let mut accepting = pin!(AssertUnwindSafe(self.accept(lines)).catch_unwind());
            let accepted = match timeout(STUCK, &mut accepting).await {
                Ok(accepted) => accepted,
                Err(_) => {
                    if self.lines.relieve(self.flights()) {
                        self.tasks.spawn(self.clone().relief());
                    }
                    accepting.await
                }
            };
            if accepted.is_err() {
                tracing::error!("accepting of those who came together panicked");
            }
        }
    }

    /// A flight that takes off from another. Boxed: a future can't hold its own kind.
    fn relief(self) -> BoxFuture<'static, ()> {
        self.fly().boxed()
    }

    /// How many flights may be under way.
    fn flights(&self) -> usize {
        if self.kit.db.is_shared() { FLIGHTS } else { 1 }
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
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;
    use crate::kit::id::MemberId;

    fn asks(count: u128) -> Vec<Ask> {
        let ask = |number| Ask {
            member: MemberId(Uuid::from_u128(number)),
            token: Uuid::from_u128(number),
            actor: String::new(),
            trace: String::new(),
            closed: 0,
            answer: oneshot::channel().0,
        };
        (0..count).map(ask).collect()
    }

    /// Guards: the limits, and the turns: whoever is behind a long line is served before its rest.
    #[test]
    fn all_lines_are_served_together_and_a_long_one_in_parts() {
        let policy = |number| PolicyId(Uuid::from_u128(number));
        let mut all = All::default();
        all.put(policy(1), asks(3));
        all.put(policy(2), asks(700));
        all.put(policy(1), asks(4));
        all.put(policy(3), asks(5));

        let mut next = || {
            let taken = all.next().into_iter().map(|line| (line.policy, line.asks.len()));
            (taken.collect::<Vec<_>>(), all.count)
        };

        assert_eq!(next(), (vec![(policy(1), 7), (policy(2), 493)], 212));
        assert_eq!(next(), (vec![(policy(3), 5), (policy(2), 207)], 0));
        assert_eq!(next(), (vec![], 0));
        (0..=POLICIES as u128).for_each(|number| all.put(policy(number), asks(1)));
        assert_eq!((all.next().len(), all.next().len()), (POLICIES, 1));
    }

    /// Guards: one flight for few, the most for many, and the end of those that few have left over.
    #[test]
    fn few_are_served_by_one_flight_and_many_by_several() {
        let lines = Lines::default();
        let (policy, now) = (PolicyId(Uuid::from_u128(1)), Instant::now());
        let put = |count: usize| lines.put(policy, asks(count as u128), 2, now).expect("there is room");
        let (mut first, mut second) = (u64::MAX, u64::MAX);
        let take = |flight: &mut u64| lines.next(flight, now).iter().map(|line| line.asks.len()).sum::<usize>();
        let under_way = || *lines.flights.borrow();

        assert_eq!((put(1), take(&mut first)), (true, 1));
        assert_eq!((put(CROWD - 1), put(1)), (false, true));
        assert_eq!((take(&mut second), under_way()), (CROWD, 2));
        assert!(!put(CROWD));
        assert_eq!(take(&mut first), CROWD);

        assert!(!put(1));
        assert_eq!((take(&mut second), under_way()), (0, 1), "the other flight serves the one that is left");
        assert_eq!(take(&mut first), 1);
        assert_eq!((take(&mut first), under_way()), (0, 0));
        assert!(lines.put(policy, asks(1 + WAITING as u128), 2, now).is_err());
    }

    /// Guards: the time after which a batch is not waited for, and the batches of others, by which a flight knows that they go on.
    #[test]
    fn a_batch_that_is_stuck_holds_up_nobody() {
        let lines = Lines::default();
        let put = |number, now| lines.put(PolicyId(Uuid::from_u128(number)), asks(1), 2, now).expect("there is room");
        let (mut stuck, mut other) = (u64::MAX, u64::MAX);
        let began = Instant::now();
        assert!(put(1, began));
        assert_eq!((lines.next(&mut stuck, began).len(), put(2, began)), (1, false));

        let later = began + STUCK;

        assert!(put(3, later), "another takes off");
        assert_eq!(lines.next(&mut other, later).len(), 2);
        assert!(!put(4, later));
        assert_eq!(lines.next(&mut other, later).len(), 1, "who comes meanwhile is not left to the one that is stuck");
        assert!(lines.next(&mut other, later).is_empty());

        assert!(!lines.relieve(2), "nobody waits");
        assert!(!put(5, later), "it goes on, as far as is known");
        assert!(lines.relieve(2) && !lines.relieve(2), "until it has taken long");
    }

    /// Guards: the wait for the last flight, and the end of its patience.
    #[tokio::test]
    async fn who_asks_goes_before_what_was_accepted_but_not_for_ever() {
        let lines = Lines::default();
        assert!(lines.quiet().now_or_never().is_some(), "nobody asks");
        lines.flights.send_modify(|flights| *flights = 1);

        let mut until_quiet = pin!(lines.quiet());
        assert!((&mut until_quiet).now_or_never().is_none(), "somebody asks");
        assert!(lines.next(&mut 0, Instant::now()).is_empty(), "nobody is left");
        assert!(until_quiet.now_or_never().is_some(), "the last who asked has been answered");

        lines.flights.send_modify(|flights| *flights = 1);
        let began = Instant::now();
        lines.quiet().await;
        assert!(began.elapsed() >= YIELD, "somebody asks all the time");
    }
}
