//! One chunk of a run: in one transaction, with how far its range has come.

use uuid::Uuid;

use super::store::{self, Counts, Run};
use super::{DAILY, Order};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::tx::Tx;
use crate::point::Points;
use crate::point::model::Cause;
use crate::point::store::purses;

/// How many wallets are done in one transaction.
const WALLETS: i64 = 5_000;
/// The same on SQLite, where whoever writes waits for it.
const WALLETS_ALONE: i64 = 500;
/// How many are loaded at a time.
const TOGETHER: usize = 2_000;

impl Points {
    /// Does the next chunk of a range; whether there was one.
    pub(super) async fn do_chunk(&self, order: &Order, run: &Run, number: i64) -> Result<bool, Error> {
        let done = self
            .kit
            .db
            .write(async |tx| {
                let Some(range) = store::range(&tx, run.date, number).await?.filter(|range| !range.done) else {
                    return Ok(false);
                };
                let key = (run.date, number);
                let most = if tx.has_others() { WALLETS } else { WALLETS_ALONE };
                let Some((last, wallets)) = store::chunk(&tx, &range, most).await? else {
                    store::advance(&tx, key, range.position, None, Counts::default()).await?;
                    return Ok(false);
                };
                let keys = (range.position, last);
                let counts = Counts { wallets, ..self.settle_due(&tx, keys, run).await? };
                store::snapshot(&tx, keys, run.date).await?;
                let differences = store::compare(&tx, keys, run.date).await?;
                let repaired = match order.repair && differences > 0 {
                    true => store::repair(&tx, keys, run.date).await?,
                    false => 0,
                };
                self.kit.crash.point("points-daily.done")?;
                let counts = Counts { differences, repaired, ..counts };
                store::advance(&tx, key, range.position, Some(last), counts).await?;
                Ok(true)
            })
            .await?;
        self.kit.crash.point("points-daily.committed")?;
        Ok(done)
    }

    /// Writes down what time has done to the wallets of a chunk.
    async fn settle_due(&self, tx: &Tx, keys: (Uuid, Uuid), run: &Run) -> Result<Counts, Error> {
        let due = store::due(tx, keys, run.cut).await?;
        let mut counts = Counts::default();
        // As many at a time as a statement may name on SQLite.
        for members in due.chunks(TOGETHER) {
            let before = purses::find_in(tx, members, run.cut).await?;
            let moved = self.settle_all(tx, before, &Actor::job(DAILY)).await?;
            counts.moved += i64::try_from(moved.len()).map_err(Error::internal)?;
            let expired = moved.iter().flatten().filter(|one| one.movement.cause == Cause::Expire);
            counts.expired -= expired.map(|one| one.movement.amount).sum::<i64>();
        }
        Ok(counts)
    }
}
