//! Forgetting logins of long ago: sessions that nobody can go on with, and the history that a member reads.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::Members;
use super::entity::{login_event, session};
use crate::error::Error;
use crate::kit::forget;
use crate::kit::job::Job;

/// How long a session is known behind its end: whoever ended it, and asks again with the same request id, is answered.
const SESSION: TimeDelta = TimeDelta::days(30);
/// How long the history of logins is kept, admins' too: whoever handles the personal data of many is to keep the records of access
/// to it for two years at least (개인정보의 안전성 확보조치 기준, article 8).
const HISTORY: TimeDelta = TimeDelta::days(2 * 366);
/// Slices that one run deletes of each, at most: what is left then is for the next.
const SLICES: u64 = 100;

impl Members {
    /// Deletes a slice of each; whether there may be more.
    async fn forget_logins(&self) -> Result<bool, Error> {
        let (db, now) = (&self.kit.db, self.kit.clock.now());
        let left = [
            forget::until::<session::Entity>(db, session::Column::ExpireTime, now - SESSION).await?,
            forget::until::<login_event::Entity>(db, login_event::Column::CreateTime, now - HISTORY).await?,
        ];
        Ok(left.contains(&true))
    }
}

/// Deletes logins of long ago.
#[derive(Debug)]
pub struct TidyLogins(pub Members);

#[async_trait]
impl Job for TidyLogins {
    fn name(&self) -> &'static str {
        "tidy-logins"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn run(&self) -> Result<u64, Error> {
        for slices in 0..SLICES {
            if !self.0.forget_logins().await? {
                return Ok(slices);
            }
        }
        Ok(SLICES)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::entity::prelude::*;

    use super::*;
    use crate::harness::Harness;
    use crate::kit::id::MemberId;
    use crate::member::model::Outcome;
    use crate::member::store::{self, Origin};
    use crate::member::{MemberSettings, TokenSettings};

    async fn counts(yeyak: &Harness) -> (u64, u64) {
        let db = yeyak.db.read();
        let sessions = session::Entity::find().count(db).await.expect("counts");
        (sessions, login_event::Entity::find().count(db).await.expect("counts"))
    }

    /// Guards: the ages, of the end of a session and of an attempt to log in.
    #[tokio::test]
    async fn logins_of_long_ago_are_forgotten() {
        let yeyak = Harness::new().await;
        let life = TimeDelta::days(30);
        let tokens =
            TokenSettings { issuer: "test".to_owned(), access_life: TimeDelta::minutes(10), refresh_life: life };
        let settings = MemberSettings { tokens, failed_logins: 10, hash_memory_kib: 8 };
        let members = Members::new(yeyak.kit.clone(), &settings);
        let member = MemberId::new(&yeyak.kit.ids, yeyak.kit.clock.now());
        let log_in = async || {
            let session = members.new_session(member, &Origin::default());
            store::insert_session(yeyak.db.schema_connection(), &session).await.expect("inserts");
            let (conn, origin) = (yeyak.db.schema_connection(), Origin::default());
            store::insert_login(conn, &yeyak.kit, Some(member), Outcome::LoggedIn, &origin).await.expect("inserts");
        };
        let forget = async || TidyLogins(members.clone()).run().await.expect("deletes");

        log_in().await;
        yeyak.clock.advance(TimeDelta::days(1));
        log_in().await;
        yeyak.clock.advance(life + SESSION - TimeDelta::days(1));
        assert_eq!((forget().await, counts(&yeyak).await), (0, (1, 2)), "one has been over for so long");

        yeyak.clock.advance(HISTORY - life - SESSION);
        assert_eq!((forget().await, counts(&yeyak).await), (0, (0, 1)));
        yeyak.clock.advance(TimeDelta::days(1));
        assert_eq!((forget().await, counts(&yeyak).await), (0, (0, 0)));
    }
}
