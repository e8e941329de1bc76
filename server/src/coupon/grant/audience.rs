//! Whom a run looks at next.

use chrono::TimeDelta;

use super::{Audience, GrantRun};
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;
use crate::member::directory::{self, Joined};

/// Who signed up before may still be on the way to the table: longer than a password is hashed and a transaction lasts.
const SETTLED: TimeDelta = TimeDelta::seconds(20);

/// Some of a run's members.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) members: Vec<MemberId>,
    /// Whether there are no others.
    pub(super) is_end: bool,
}

/// The next members behind the run's position, in the order of their ids.
pub(super) async fn next(tx: &Tx, run: &GrantRun, now: Time, limit: u64) -> Result<Next, Error> {
    let (members, all_there) = match run.audience {
        Audience::List => (store::run::listed(&**tx, run.id, run.position, limit).await?, true),
        Audience::Segment(Joined { from, before }) => {
            let settled = before.min(now - SETTLED);
            let segment = Joined { from, before: settled };
            (directory::joined(&**tx, segment, run.position, limit).await?, settled == before)
        }
    };
    let is_end = all_there && u64::try_from(members.len()).is_ok_and(|count| count < limit);
    Ok(Next { members, is_end })
}

impl Coupons {
    /// Counts the members of a run that does not know yet how many there are.
    pub(super) async fn count_audience(&self, run: &GrantRun) -> Result<Option<u64>, Error> {
        match (run.total, run.audience) {
            (None, Audience::Segment(segment)) => Ok(Some(directory::joined_count(self.kit.db.read(), segment).await?)),
            (total, _) => Ok(total),
        }
    }
}
