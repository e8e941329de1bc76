//! Lines of a single process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use uuid::Uuid;

use super::{Crowd, Line, Standing, TURN};
use crate::error::Error;
use crate::kit::clock::{Clock, Time};

/// Lines in this process.
#[derive(Debug)]
pub struct MemoryLine {
    clock: Arc<dyn Clock>,
    patience: TimeDelta,
    rooms: Mutex<HashMap<String, Room>>,
}

#[derive(Debug, Default)]
struct Room {
    last_ticket: u64,
    /// By ticket.
    line: BTreeMap<u64, Uuid>,
    waiting: HashMap<Uuid, Waiting>,
    /// Until when each is in.
    admitted: HashMap<Uuid, Time>,
    turns: HashMap<Uuid, (Vec<Uuid>, Time)>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: u64,
    seen: Time,
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

impl MemoryLine {
    /// Nobody waits.
    pub fn new(clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self { clock, patience: delta(patience), rooms: Mutex::default() }
    }

    fn with<T>(&self, room: &str, work: impl FnOnce(&mut Room, Time) -> T) -> T {
        let now = self.clock.now();
        let mut rooms = self.rooms.lock().expect("nothing panics while it is held");
        let room = rooms.entry(room.to_owned()).or_default();
        room.tidy(now, now - self.patience);
        work(room, now)
    }
}

impl Room {
    fn tidy(&mut self, now: Time, silent_since: Time) {
        let line = &mut self.line;
        self.waiting.retain(|_, waiting| {
            let stays = waiting.seen > silent_since;
            if !stays {
                line.remove(&waiting.ticket);
            }
            stays
        });
        self.admitted.retain(|_, until| *until > now);
        self.turns.retain(|_, (_, until)| *until > now);
    }

    fn standing(&mut self, member: Uuid, now: Time) -> Standing {
        if let Some(until) = self.admitted.get(&member) {
            return Standing::Admitted { until: *until };
        }
        let Some(waiting) = self.waiting.get_mut(&member) else { return Standing::Absent };
        waiting.seen = now;
        Standing::Waiting { ahead: self.line.range(..waiting.ticket).count() as u64 }
    }
}

#[async_trait]
impl Line for MemoryLine {
    async fn join(&self, room: &str, member: Uuid) -> Result<Standing, Error> {
        Ok(self.with(room, |room, now| {
            if room.standing(member, now) == Standing::Absent {
                room.last_ticket += 1;
                let ticket = room.last_ticket;
                room.line.insert(ticket, member);
                room.waiting.insert(member, Waiting { ticket, seen: now });
            }
            room.standing(member, now)
        }))
    }

    async fn look(&self, room: &str, member: Uuid) -> Result<Standing, Error> {
        Ok(self.with(room, |room, now| room.standing(member, now)))
    }

    async fn admit(&self, room: &str, turn: Uuid, count: u32, stay: Duration) -> Result<Vec<Uuid>, Error> {
        Ok(self.with(room, |room, now| {
            if let Some((members, _)) = room.turns.get(&turn) {
                return members.clone();
            }
            let mut members = Vec::new();
            while members.len() < count as usize
                && let Some((_, member)) = room.line.pop_first()
            {
                room.waiting.remove(&member);
                room.admitted.insert(member, now + delta(stay));
                members.push(member);
            }
            room.turns.insert(turn, (members.clone(), now + delta(TURN)));
            members
        }))
    }

    async fn leave(&self, room: &str, member: Uuid) -> Result<bool, Error> {
        Ok(self.with(room, |room, _| {
            let waited = room.waiting.remove(&member);
            if let Some(waiting) = waited {
                room.line.remove(&waiting.ticket);
            }
            room.admitted.remove(&member).is_some() || waited.is_some()
        }))
    }

    async fn count(&self, room: &str) -> Result<Crowd, Error> {
        Ok(self.with(room, |room, _| Crowd { waiting: room.line.len() as u64, admitted: room.admitted.len() as u64 }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, line_suite};
    use super::MemoryLine;

    line_suite!(suite::Stage::new(|clock, patience| async move { MemoryLine::new(clock, patience) }).await);
}
