//! One chunk of a run: in one transaction, with how far its range has come.

use std::collections::HashSet;

use uuid::Uuid;

use super::checkpoint::{self, Range, Run};
use super::{DAILY, Order, compare, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;
use crate::point::Points;
use crate::point::model::Cause;
use crate::point::store::purses;

/// How many are loaded at a time.
pub(super) const TOGETHER: usize = 2_000;

impl Points {
    /// Does the next chunk of a range, of so many wallets at most; whether there was one.
    pub(super) async fn do_chunk(&self, order: &Order, run: &Run, number: i64, most: i64) -> Result<bool, Error> {
        let done = match &self.jobs {
            None => {
                let both = self.kit.db.write(async |tx| {
                    let Some(range) = checkpoint::open_range(&tx, run, number).await? else {
                        return Ok(false);
                    };
                    let done = self.work(&tx, order, run, &range, most).await?;
                    checkpoint::advance(&tx, (run.date, number), range.position, done).await?;
                    Ok(done.is_some())
                });
                both.await?
            }
            // What was done and is not noted there is done again, and changes nothing then.
            Some(jobs) => {
                let noted = jobs.write(async |tx| {
                    let Some(range) = checkpoint::open_range(&tx, run, number).await? else {
                        return Ok(false);
                    };
                    let done = self.kit.db.write(async |tx| self.work(&tx, order, run, &range, most).await).await?;
                    self.kit.crash.point("points-daily.worked")?;
                    checkpoint::advance(&tx, (run.date, number), range.position, done).await?;
                    Ok(done.is_some())
                });
                noted.await?
            }
        };
        self.kit.crash.point("points-daily.committed")?;
        Ok(done)
    }

    /// Does the wallets of a range that are next: the last of them, and how many they are; none at the end of the range.
    async fn work(
        &self,
        tx: &Tx,
        order: &Order,
        run: &Run,
        range: &Range,
        most: i64,
    ) -> Result<Option<(Uuid, i64)>, Error> {
        let Some((last, wallets)) = store::chunk(tx, range, most).await? else {
            // Behind the last wallet may be what is left of others that are gone.
            let end = range.upper.unwrap_or(Uuid::max());
            return self.compare(tx, order, (range.position, end), run).await.map(|_| None);
        };
        let keys = (range.position, last);
        // Compared as they are written, and before anything is: what is due may not be in a wallet that differs.
        let differ = self.compare(tx, order, keys, run).await?;
        let settled = self.settle_due(tx, keys, run, differ).await?;
        store::snapshot(tx, keys, run.date, &settled).await?;
        self.kit.crash.point("points-daily.done")?;
        Ok(Some((last, wallets)))
    }

    /// Notes which wallets differ, and puts them right where that is asked for; those that differ still.
    async fn compare(&self, tx: &Tx, order: &Order, keys: (Uuid, Uuid), run: &Run) -> Result<Vec<MemberId>, Error> {
        let mut differ = compare::compare(tx, keys, run.date).await?;
        if order.repair {
            let right = self.mend(tx, &differ).await?;
            differ.retain(|member| !right.contains(member));
        }
        Ok(differ)
    }

    /// Writes down what time has done to the wallets of a chunk, but for those that differ: to which, and what of each has expired.
    async fn settle_due(
        &self,
        tx: &Tx,
        keys: (Uuid, Uuid),
        run: &Run,
        differ: Vec<MemberId>,
    ) -> Result<Vec<(MemberId, i64)>, Error> {
        let differ: HashSet<_> = differ.into_iter().collect();
        let mut due = store::due(tx, keys, run.cut).await?;
        due.retain(|member| !differ.contains(member));
        let mut settled = Vec::with_capacity(due.len());
        // As many at a time as a statement may name on SQLite.
        for members in due.chunks(TOGETHER) {
            let found = purses::find_in(tx, members, run.cut).await?;
            let (before, lacking): (Vec<_>, Vec<_>) = found.into_iter().partition(|purse| purse.lacks().is_none());
            for purse in &lacking {
                tracing::error!(member.id = %purse.wallet.member, "a lot of {} is gone: it is left as it is", purse.wallet.member);
                store::note_differing(tx, run.date, purse).await?;
            }
            for (member, moved) in self.settle_all(tx, before, &Actor::job(DAILY)).await? {
                let expired = moved.iter().filter(|one| one.movement.cause == Cause::Expire);
                settled.push((member, -expired.map(|one| one.movement.amount).sum::<i64>()));
            }
        }
        Ok(settled)
    }
}
