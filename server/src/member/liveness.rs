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
const SIZES: [usize; 5] = [1, 4, 16, 64, MOST];
const MOST: usize = 256;
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
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(MOST) {
            found.extend(store::live(self.kit.db.read(), &padded(some), self.kit.clock.now()).await?);
        }
        Ok(found)
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
            let ids: Vec<_> = asked.keys().copied().collect();
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

    /// All who wait; with none, the flight has ended.
    fn next(&mut self) -> Option<HashMap<SessionId, Vec<oneshot::Sender<Answer>>>> {
        let next = self.liveness.with(|asked| {
            let waiting = std::mem::take(&mut asked.waiting);
            asked.flights -= usize::from(waiting.is_empty());
            (!waiting.is_empty()).then_some(waiting)
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
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::super::model::{Profile, Session};
    use super::super::store::Account;
    use super::*;
    use crate::harness::Harness;

    /// A member, a seller or not, with a session that ends at a moment.
    async fn member(yeyak: &Harness, number: usize, seller: bool, life: TimeDelta) -> Session {
        let now = yeyak.kit.clock.now();
        let profile = Profile {
            id: MemberId::new(&yeyak.kit.ids, now),
            email: format!("member{number}@example.kr").parse().expect("an address"),
            display_name: String::new(),
            phone: String::new(),
            locale: "ko".to_owned(),
            time_zone: chrono_tz::Asia::Seoul,
            roles: Roles { seller, admin: false },
            version: 1,
            create_time: now,
            update_time: now,
        };
        let session = Session {
            id: SessionId::new(&yeyak.kit.ids, now),
            member: profile.id,
            generation: 1,
            address: String::new(),
            user_agent: String::new(),
            create_time: now,
            refresh_time: now,
            expire_time: now + life,
            revoke_time: None,
        };
        let account = Account { profile, password_hash: String::new() };
        let conn = yeyak.db.schema_connection();
        store::insert_account(conn, &yeyak.kit, &account).await.expect("inserts");
        store::insert_session(conn, &session).await.expect("inserts");
        session
    }

    /// Guard: each is given the answer about its own session, and only those that live are found.
    #[tokio::test]
    async fn those_who_ask_at_once_are_told_each_of_their_own_session() {
        let yeyak = Harness::new().await;
        let liveness = Liveness::new(yeyak.kit.clone());
        let day = TimeDelta::days(1);
        let mut sessions = Vec::new();
        for number in 0..12 {
            sessions.push(
                member(&yeyak, number, number.is_multiple_of(2), if number.is_multiple_of(3) { -day } else { day })
                    .await,
            );
        }
        store::revoke(yeyak.db.schema_connection(), sessions[1].id, yeyak.kit.clock.now()).await.expect("revokes");

        let answers = futures::future::join_all(sessions.iter().map(|session| liveness.member(session.id))).await;

        for (number, (session, answer)) in sessions.iter().zip(answers).enumerate() {
            let lives = !number.is_multiple_of(3) && number != 1;
            let roles = Roles { seller: number.is_multiple_of(2), admin: false };
            assert_eq!(answer.expect("is looked up"), lives.then_some((session.member, roles)), "{number}");
        }
    }

    /// Guard: a flight that has landed lets the next take off.
    #[tokio::test]
    async fn unknown_sessions_do_not_live_and_nobody_is_left_waiting() {
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
        let answer = tokio::time::timeout(Duration::from_secs(20), liveness.member(id)).await.expect("is answered");
        assert!(matches!(answer, Ok(None)));
    }

    #[test]
    fn statements_are_of_few_sizes() {
        let ids = vec![SessionId(uuid::Uuid::nil()); 300];
        let sizes = [1, 2, 5, 17, 65, 256].map(|count| padded(&ids[..count]).len());
        assert_eq!(sizes, [1, 4, 16, 64, 256, 256]);
    }
}
