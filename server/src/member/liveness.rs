//! Which sessions live, and what their members may do, as the database had it two seconds ago at most.
//!
//! Sessions that are asked for at the same moment are looked up together: in a rush nearly every call is of another member.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::recent::Recent;
use super::store;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::caller::{Roles, SessionId};
use crate::kit::id::MemberId;

/// How many sessions one statement looks up: of few numbers, since each is a statement to be prepared.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];
/// How many statements are under way: while one is, those who come wait for the next.
const FLIGHTS: usize = 2;

/// The member of a session that lives.
type Live = Option<(MemberId, Roles)>;
type Answer = Result<Live, Error>;

#[derive(Clone, Debug)]
pub(super) struct Liveness {
    kit: Kit,
    sessions: Recent<SessionId, Live>,
    roles: Recent<MemberId, Option<Roles>>,
    asked: Arc<Mutex<Asked>>,
}

/// Who waits for a word about which session.
#[derive(Debug, Default)]
struct Asked {
    waiting: HashMap<SessionId, Vec<oneshot::Sender<Answer>>>,
    flights: usize,
}

impl Liveness {
    pub(super) fn new(kit: Kit) -> Self {
        Self { kit, sessions: Recent::new(), roles: Recent::new(), asked: Arc::default() }
    }

    /// The member of a live session.
    pub(super) async fn member(&self, id: SessionId) -> Answer {
        if let Some(known) = self.sessions.known(&id) {
            return Ok(known);
        }
        let (answer, answered) = oneshot::channel();
        let takes_off = self.with(|asked| {
            asked.waiting.entry(id).or_default().push(answer);
            let takes_off = asked.flights < FLIGHTS;
            asked.flights += usize::from(takes_off);
            takes_off
        });
        if takes_off {
            // Not the caller's task: whoever goes away leaves others behind.
            tokio::spawn(Flight { liveness: self.clone(), has_landed: false }.fly());
        }
        answered.await.map_err(|_| Error::internal("nobody answered who asked for a session"))?
    }

    /// What a member may do, when there is such a member.
    pub(super) async fn roles(&self, id: MemberId) -> Result<Option<Roles>, Error> {
        self.roles.get(id, store::roles(self.kit.db.read(), id)).await
    }

    /// Looks again at the next call of this session.
    pub(super) fn forget(&self, id: SessionId) {
        self.sessions.forget(&id);
    }

    /// Looks again at the next call of any session of this member, and at the next call for them.
    pub(super) fn forget_member(&self, id: MemberId) {
        self.sessions.forget_all(move |known| known.is_some_and(|(member, _)| member == id));
        self.roles.forget(&id);
    }

    async fn look_up(&self, ids: &[SessionId]) -> Result<HashMap<SessionId, (MemberId, Roles)>, Error> {
        store::live(self.kit.db.read(), &padded(ids), self.kit.clock.now()).await
    }

    fn with<T>(&self, work: impl FnOnce(&mut Asked) -> T) -> T {
        work(&mut self.asked.lock().expect("nothing panics while it is held"))
    }
}

/// The same sessions, some more than once, so that they are as many as one of the sizes.
fn padded(ids: &[SessionId]) -> Vec<SessionId> {
    let mut padded = ids.to_vec();
    let size = SIZES.into_iter().find(|size| ids.len() <= *size).unwrap_or(ids.len());
    if let Some(last) = ids.last() {
        padded.resize(size, *last);
    }
    padded
}

/// Looks up whatever is asked for, until nobody waits.
struct Flight {
    liveness: Liveness,
    has_landed: bool,
}

impl Flight {
    async fn fly(mut self) {
        while let Some(asked) = self.next() {
            let ids: Vec<_> = asked.iter().map(|(id, _)| *id).collect();
            let before = self.liveness.sessions.forgotten();
            let found = self.liveness.look_up(&ids).await;
            for (id, answers) in asked {
                let answer = found.as_ref().map(|found| found.get(&id).copied()).map_err(Clone::clone);
                if let Ok(live) = &answer {
                    self.liveness.sessions.keep(id, *live, before);
                }
                for waiting in answers {
                    // Who has gone needs no word.
                    _ = waiting.send(answer.clone());
                }
            }
        }
    }

    /// Those who wait, as many as are looked up together; with none, the flight has ended.
    fn next(&mut self) -> Option<Vec<(SessionId, Vec<oneshot::Sender<Answer>>)>> {
        let most = SIZES[SIZES.len() - 1];
        let next = self.liveness.with(|asked| {
            let ids: Vec<_> = asked.waiting.keys().take(most).copied().collect();
            if ids.is_empty() {
                asked.flights -= 1;
                return None;
            }
            Some(ids.into_iter().filter_map(|id| asked.waiting.remove_entry(&id)).collect())
        });
        self.has_landed = next.is_none();
        next
    }
}

impl Drop for Flight {
    /// One that ended half-way keeps no other from taking off.
    fn drop(&mut self) {
        if !self.has_landed {
            self.liveness.with(|asked| asked.flights -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    /// Guard: one statement for those who ask at once, and a flight that lands tells the next to take off.
    #[tokio::test]
    async fn whoever_asks_at_once_is_answered_and_unknown_sessions_do_not_live() {
        let yeyak = Harness::new().await;
        let liveness = Liveness::new(yeyak.kit.clone());
        let now = yeyak.kit.clock.now();
        for _ in 0..3 {
            let ids: Vec<_> = (0..600).map(|_| SessionId::new(&yeyak.kit.ids, now)).collect();

            let asks = ids.iter().flat_map(|id| [liveness.member(*id), liveness.member(*id)]);
            let answers = futures::future::join_all(asks).await;

            assert!(answers.iter().all(|answer| matches!(answer, Ok(None))), "{answers:?}");
            tokio::task::yield_now().await;
            assert_eq!(liveness.with(|asked| (asked.flights, asked.waiting.len())), (0, 0));
        }
    }

    /// Guard: the drop of a flight.
    #[tokio::test]
    async fn a_flight_that_ends_half_way_keeps_no_other_from_taking_off() {
        let yeyak = Harness::new().await;
        let liveness = Liveness::new(yeyak.kit.clone());
        liveness.with(|asked| asked.flights = FLIGHTS);

        drop(Flight { liveness: liveness.clone(), has_landed: false });

        let id = SessionId::new(&yeyak.kit.ids, yeyak.kit.clock.now());
        assert!(matches!(liveness.member(id).await, Ok(None)));
    }

    #[test]
    fn statements_are_of_few_sizes() {
        let ids = vec![SessionId(uuid::Uuid::nil()); 300];
        let sizes = [1, 2, 5, 17, 65, 256].map(|count| padded(&ids[..count]).len());
        assert_eq!(sizes, [1, 4, 16, 64, 256, 256]);
    }
}
