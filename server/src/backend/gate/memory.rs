//! The gates of a single process. They are closed when it starts, like any that has lost its memory.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    Accepted, Answer, Answers, Changed, Gate, Outcome, Place, Progress, Refused, Remaining, Sale, Settlement, Step,
    Taker, Terms,
};
use crate::error::Error;
use crate::kit::clock::Time;

/// How long a gate is remembered behind the end of its sale.
const WEEK: TimeDelta = TimeDelta::weeks(1);

/// Gates in this process.
#[derive(Debug, Default)]
pub struct MemoryGate {
    gates: Mutex<HashMap<Uuid, One>>,
}

/// One gate. Under no terms it lets nobody in.
#[derive(Debug, Default)]
struct One {
    epoch: i64,
    is_open: bool,
    terms: Option<Terms>,
    /// The highest place that was given.
    highest: u64,
    /// Places below it that nobody has, as ranges.
    free: Vec<(u64, u64)>,
    members: HashMap<Uuid, Vec<Held>>,
    /// How many of their places rows are known to have.
    kept: u64,
    /// Who has rows whose requests it does not know of: their places were taken back.
    lacking: HashSet<Uuid>,
    /// What was given back while the rebuild had not come to it.
    released: HashSet<Uuid>,
    loaded: u64,
    /// When it was seen first that the sale was ended.
    ended: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    place: Place,
    token: Uuid,
    is_kept: bool,
}

impl MemoryGate {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<Uuid, One>) -> T) -> T {
        work(&mut self.gates.lock().expect("nothing panics while it is held"))
    }

    /// Forgets everything, as a restart does.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.with(HashMap::clear);
    }
}

#[async_trait]
impl Gate for MemoryGate {
    async fn take(&self, policy: Uuid, takers: &[Taker], now: Time) -> Result<Answers, Error> {
        Ok(self.with(|gates| match gates.get_mut(&policy) {
            Some(gate) if gate.is_open => {
                let is_complete = gate.is_settled() && !takers.iter().any(|taker| gate.lacking.contains(&taker.member));
                let each = takers.iter().map(|taker| gate.take(*taker, now)).collect();
                Answers { each, is_complete, is_settled: gate.is_settled() }
            }
            _ => Answers { each: vec![Err(Refused::Closed); takers.len()], is_complete: false, is_settled: false },
        }))
    }

    async fn settle(&self, policy: Uuid, settlements: &[Settlement]) -> Result<(), Error> {
        self.with(|gates| {
            if let Some(gate) = gates.get_mut(&policy) {
                settlements.iter().for_each(|settlement| gate.settle(*settlement));
            }
        });
        Ok(())
    }

    async fn change(&self, policy: Uuid, terms: &Terms) -> Result<Changed, Error> {
        Ok(self.with(|gates| gates.get_mut(&policy).map_or(Changed::Closed, |gate| gate.change(terms))))
    }

    async fn remaining(&self, policy: Uuid) -> Result<Option<Remaining>, Error> {
        Ok(self.with(|gates| gates.get(&policy).filter(|gate| gate.is_open).and_then(One::remaining)))
    }

    async fn tidy(&self, now: Time) -> Result<(), Error> {
        self.with(|gates| gates.retain(|_, gate| gate.end(now).is_none_or(|end| now < end + WEEK)));
        Ok(())
    }

    async fn rebuild(&self, policy: Uuid, epoch: i64, step: Step<'_>) -> Result<Progress, Error> {
        Ok(self.with(|gates| match step {
            Step::Begin => begin(gates, policy, epoch),
            Step::Accepted(accepted) => with_epoch(gates, policy, epoch, |gate| gate.load(accepted)),
            Step::TakenBack(members) => with_epoch(gates, policy, epoch, |gate| gate.lack(members)),
            Step::Open { terms, count } => with_epoch(gates, policy, epoch, |gate| gate.open(terms, count)),
        }))
    }
}

fn begin(gates: &mut HashMap<Uuid, One>, policy: Uuid, epoch: i64) -> Progress {
    match gates.get(&policy) {
        Some(known) if known.epoch > epoch || (known.epoch == epoch && known.is_open) => Progress::Superseded,
        Some(known) if known.epoch == epoch => Progress::Done,
        _ => {
            gates.insert(policy, One { epoch, ..One::default() });
            Progress::Done
        }
    }
}

fn with_epoch(
    gates: &mut HashMap<Uuid, One>,
    policy: Uuid,
    epoch: i64,
    step: impl FnOnce(&mut One) -> Progress,
) -> Progress {
    match gates.get_mut(&policy) {
        Some(gate) if gate.epoch == epoch => step(gate),
        _ => Progress::Superseded,
    }
}

impl One {
    fn take(&mut self, taker: Taker, now: Time) -> Answer {
        let Some(terms) = self.terms else { return Err(Refused::Closed) };
        let mine = self.members.get(&taker.member).map_or(&[][..], Vec::as_slice);
        if let Some(held) = mine.iter().find(|held| held.token == taker.token) {
            return Ok(held.place);
        }
        if mine.len() >= terms.per_member as usize {
            return Err(match mine {
                [held] if terms.per_member == 1 => Refused::AlreadyYours(held.place),
                _ => Refused::OverLimit(mine.iter().find(|held| !held.is_kept).map(|held| held.place)),
            });
        }
        if let Some(refused) = terms.refuses_at(now) {
            return Err(refused);
        }
        let ordinal = (1..).find(|ordinal| mine.iter().all(|held| held.place.ordinal != *ordinal)).unwrap_or(1);
        let place = Place { place: self.next_place(terms.total).ok_or(Refused::SoldOut)?, ordinal };
        self.members.entry(taker.member).or_default().push(Held { place, token: taker.token, is_kept: false });
        Ok(place)
    }

    fn next_place(&mut self, total: Option<u64>) -> Option<u64> {
        let total = total.unwrap_or(u64::MAX);
        while let Some((low, high)) = self.free.pop() {
            // Otherwise the total has shrunk below it.
            if low <= total {
                if low < high {
                    self.free.push((low + 1, high));
                }
                return Some(low);
            }
        }
        if self.highest >= total {
            return None;
        }
        self.highest += 1;
        Some(self.highest)
    }

    fn settle(&mut self, Settlement { member, token, outcome }: Settlement) {
        let mine = self.members.entry(member).or_default();
        if let Outcome::KeptAs(place) = outcome
            && let Some(held) = mine.iter_mut().find(|held| held.place.place == place)
        {
            held.token = token;
        }
        if outcome == Outcome::TakenBack {
            self.lacking.insert(member);
        }
        let at = mine.iter().position(|held| held.token == token);
        match (outcome, at) {
            (Outcome::Unknown, _) => {}
            (Outcome::Kept | Outcome::KeptAs(_), Some(at)) => {
                self.kept += u64::from(!mine[at].is_kept);
                mine[at].is_kept = true;
            }
            (Outcome::Released | Outcome::TakenBack | Outcome::Occupied, Some(at)) => {
                let Held { place, is_kept, .. } = mine.remove(at);
                self.kept -= u64::from(is_kept);
                if outcome != Outcome::Occupied {
                    self.free.push((place.place, place.place));
                }
            }
            // It was built again before it could find the row.
            (Outcome::Kept | Outcome::KeptAs(_), None) => _ = self.lacking.insert(member),
            (Outcome::Released | Outcome::TakenBack, None) if !self.is_open => _ = self.released.insert(token),
            (_, None) => {}
        }
        if self.members.get(&member).is_some_and(Vec::is_empty) {
            self.members.remove(&member);
        }
    }

    fn change(&mut self, terms: &Terms) -> Changed {
        if self.terms.is_none_or(|known| known.version < terms.version) {
            if self.is_open && terms.total.is_some_and(|total| total < self.highest) {
                return Changed::TotalTooSmall(self.highest);
            }
            self.terms = Some(*terms);
        }
        if self.is_open { Changed::InForce } else { Changed::Closed }
    }

    /// When its sale ends, or has ended.
    fn end(&mut self, now: Time) -> Option<Time> {
        let terms = self.terms?;
        match terms.sale {
            Sale::Ended => Some(*self.ended.get_or_insert(now)),
            Sale::Open | Sale::Paused => terms.end_time,
        }
    }

    fn remaining(&self) -> Option<Remaining> {
        let terms = self.terms?;
        let taken = self.taken();
        Some(Remaining {
            epoch: self.epoch,
            version: terms.version,
            left: terms.total.map(|total| total.saturating_sub(self.highest) + (self.highest - taken)),
            taken,
            kept: self.kept,
        })
    }

    fn is_settled(&self) -> bool {
        self.kept == self.taken()
    }

    fn taken(&self) -> u64 {
        self.highest - self.free.iter().map(|(low, high)| high - low + 1).sum::<u64>()
    }

    fn load(&mut self, accepted: &[Accepted]) -> Progress {
        if self.is_open {
            return Progress::Superseded;
        }
        for Accepted { member, place, token } in accepted {
            // A place below has come before: the same step again.
            if place.place <= self.highest {
                continue;
            }
            let was_released = self.released.contains(token);
            let gap = (self.highest + 1, if was_released { place.place } else { place.place - 1 });
            if gap.0 <= gap.1 {
                self.free.push(gap);
            }
            if !was_released {
                self.members.entry(*member).or_default().push(Held { place: *place, token: *token, is_kept: true });
                self.kept += 1;
            }
            self.highest = place.place;
            self.loaded += 1;
        }
        Progress::Done
    }

    fn lack(&mut self, members: &[Uuid]) -> Progress {
        if self.is_open {
            return Progress::Superseded;
        }
        self.lacking.extend(members);
        Progress::Done
    }

    fn open(&mut self, terms: &Terms, count: u64) -> Progress {
        if self.is_open {
            return Progress::Done;
        }
        if self.loaded != count {
            return Progress::Superseded;
        }
        if self.terms.is_none_or(|known| known.version < terms.version) {
            self.terms = Some(*terms);
        }
        self.is_open = true;
        Progress::Done
    }
}

impl Terms {
    fn refuses_at(&self, now: Time) -> Option<Refused> {
        match self.sale {
            Sale::Ended => Some(Refused::Ended),
            _ if self.end_time.is_some_and(|end| end <= now) => Some(Refused::Ended),
            Sale::Paused => Some(Refused::Paused),
            Sale::Open if self.start_time.is_some_and(|start| now < start) => Some(Refused::NotStarted),
            Sale::Open => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::super::suite::{self, POLICY, gate_suite, now, terms};
    use super::super::{Gate, Sale, Step, Terms};
    use super::MemoryGate;

    gate_suite!(Arc::new(MemoryGate::default()));

    /// Guard: `tidy`, without which a process would remember every member of every sale that there ever was.
    #[tokio::test]
    async fn a_gate_is_forgotten_a_week_after_its_sale_has_ended_and_never_before() {
        let window = Terms { end_time: Some(now() + TimeDelta::hours(1)), ..terms(2) };
        let ended = Terms { sale: Sale::Ended, ..terms(2) };
        let paused = Terms { sale: Sale::Paused, ..terms(2) };
        for (terms, hours) in [(window, Some(169)), (ended, Some(168)), (paused, None), (terms(2), None)] {
            let gate = MemoryGate::default();
            for step in [Step::Begin, Step::Open { terms: &terms, count: 0 }] {
                gate.rebuild(POLICY, 1, step).await.expect("answers");
            }
            gate.tidy(now()).await.expect("answers");
            let is_there_after = async |hours: i64| {
                gate.tidy(now() + TimeDelta::hours(hours)).await.expect("answers");
                gate.remaining(POLICY).await.expect("answers").is_some()
            };

            assert!(is_there_after(hours.map_or(9_999, |hours| hours - 1)).await, "{terms:?}");
            assert_eq!(is_there_after(hours.unwrap_or(99_999)).await, hours.is_none(), "{terms:?}");
        }
    }

    #[tokio::test]
    async fn a_restart_closes_it() {
        let gate = Arc::new(MemoryGate::default());
        suite::ten_thousand_at_once_get_a_thousand_places_and_each_token_one(gate.clone()).await;
        gate.forget();
        suite::it_is_closed_until_it_is_opened(gate).await;
    }
}
