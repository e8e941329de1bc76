//! What is read of points: as of now, whatever was written down.

use std::slice;

use uuid::Uuid;

use super::cache::{AtHand, history_key};
use super::model::{Lot, Piece, Purse, Wallet};
use super::store::movement::{Recorded, Wanted};
use super::{Points, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;

/// How often a wallet that changes while it is read is read again.
const READS: u32 = 20;
/// How many lots a simulation lists.
const LISTED: usize = 1_000;

/// What a member has.
#[derive(Clone, Debug)]
pub(super) struct Balance {
    pub(super) wallet: Wallet,
    pub(super) expiring: i64,
    pub(super) next_expire_time: Option<Time>,
}

impl Balance {
    /// What there is in a wallet, and what of it expires until a moment.
    pub(super) fn of(purse: Purse, until: Time) -> Self {
        let live = || purse.lots.iter().filter(|lot| lot.remaining > 0);
        let expiring = live().filter(|lot| lot.expire_time <= until).map(|lot| lot.remaining).sum();
        let next_expire_time = live().map(|lot| lot.expire_time).min();
        Self { wallet: purse.wallet, expiring, next_expire_time }
    }
}

impl Points {
    /// How many points a member can spend now: as the rows say where they want some, else as far as is known here.
    pub async fn available(&self, member: MemberId, wanted: i64) -> Result<i64, Error> {
        let at_hand = if wanted == 0 { self.at_hand(member, 0).await? } else { None };
        let mut purse = match at_hand {
            Some(purse) => purse,
            None => self.keep(member).await?,
        };
        purse.settle();
        Ok(purse.wallet.available)
    }

    /// The version of a member's wallet, which has all that was done to it before; 0 where nothing was.
    pub async fn version(&self, member: MemberId) -> Result<i64, Error> {
        Ok(store::purse::wallet(self.kit.db.read(), member).await?.map_or(0, |wallet| wallet.version))
    }

    /// The wallet of a member as it is stored, which is kept at hand.
    pub(super) async fn keep(&self, member: MemberId) -> Result<Purse, Error> {
        let purse = self.stored(member).await?;
        self.wallets.put(&purse).await;
        Ok(purse)
    }

    /// The wallet of a member that is at hand, not older than a version. One that may have changed since, though nobody told, is
    /// compared with its row.
    pub(super) async fn at_hand(&self, member: MemberId, least: i64) -> Result<Option<Purse>, Error> {
        let found = self.wallets.get(member, least, self.now()).await;
        let Some(AtHand { purse, is_trusted }) = found else { return Ok(None) };
        if is_trusted {
            return Ok(Some(purse));
        }
        if self.version(member).await? != purse.wallet.version {
            return Ok(None);
        }
        self.wallets.put_for_day(slice::from_ref(&purse)).await;
        Ok(Some(purse))
    }

    /// The wallet of a member with what is in it, as of now.
    pub(super) async fn purse(&self, member: MemberId) -> Result<Purse, Error> {
        let mut purse = self.stored(member).await?;
        purse.settle();
        Ok(purse)
    }

    /// The wallet of a member with what is in it, as it was at one moment.
    pub(super) async fn stored(&self, member: MemberId) -> Result<Purse, Error> {
        let conn = self.kit.db.read();
        for _ in 0..READS {
            let purse = store::purse::find(conn, member, self.now()).await?;
            if self.version(member).await? == purse.wallet.version {
                return Ok(purse);
            }
        }
        Err(Error::contention(format!("the wallet of {member} changes all the time")))
    }

    /// Which lots a spending would take, and what would be available behind it.
    pub(super) async fn simulate_spending(&self, member: MemberId, points: i64) -> Result<(Vec<Piece>, i64), Error> {
        let mut purse = self.purse(member).await?;
        let pieces = purse.remove(super::model::Cause::Spend, points, &Default::default())?;
        Ok((pieces, purse.wallet.available))
    }

    /// What is left of each lot that expires before a moment, and how much that is.
    pub(super) async fn simulate_expiry(&self, member: MemberId, until: Time) -> Result<(Vec<Piece>, i64), Error> {
        let mut purse = self.purse(member).await?;
        purse.lots.retain(|lot| lot.remaining > 0 && lot.expire_time < until);
        purse.lots.sort_by_key(|lot| (lot.expire_time, lot.id));
        let piece = |lot: &Lot| Piece { lot: lot.id, points: lot.remaining, back: 0, expire_time: lot.expire_time };
        let all = purse.lots.iter().map(|lot| lot.remaining).sum();
        Ok((purse.lots.iter().take(LISTED).map(piece).collect(), all))
    }

    /// A page of what moved a wallet that was looked at, newest first.
    pub(super) async fn movements(
        &self,
        Wallet { member, version, .. }: Wallet,
        wanted: Wanted,
        page: &Page<i64>,
    ) -> Result<(Vec<Recorded>, String), Error> {
        // As of a version a page never changes: it is kept under that, and nothing ever has to be forgotten.
        let key = history_key(member, version, wanted, page);
        let known = match &key {
            Some(key) => self.wallets.history(key).await,
            None => None,
        };
        let found = match known {
            Some(found) => found,
            None => {
                let conn = self.kit.db.read();
                // What is at hand may be of a commit that came to nothing; the rows are asked.
                let stored = self.version(member).await?;
                let found = store::movement::list(conn, member, wanted, page).await?;
                // And the wallet may have been moved since.
                let is_as_of = stored == version && found.first().is_none_or(|newest| newest.version <= version);
                if let Some(key) = key.filter(|_| is_as_of) {
                    self.wallets.keep_history(&key, version, &found).await;
                }
                found
            }
        };
        Ok(page.cut(&self.kit.keys, found, |recorded| recorded.movement.number))
    }

    /// A page of a wallet's lots of which something is left by now, those that expire first at the front.
    pub(super) async fn lots(&self, member: MemberId, page: &Page<(i64, Uuid)>) -> Result<(Vec<Lot>, String), Error> {
        let key = |lot: &Lot| (lot.expire_time.timestamp_micros(), lot.id.0);
        // Time fills lots and empties them: no row tells which are there.
        let mut found = self.purse(member).await?.lots;
        found.retain(|lot| lot.remaining > 0 && page.after.is_none_or(|after| key(lot) > after));
        found.sort_unstable_by_key(key);
        Ok(page.cut(&self.kit.keys, found, key))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::backend::cache::MemoryCache;
    use crate::harness::Harness;
    use crate::kit::caller::Actor;
    use crate::point::model::{Cause, NewLot, Subject};

    /// Guard: the rows are asked where points are wanted, whatever is at hand.
    #[tokio::test]
    async fn points_that_another_process_gave_are_there_for_who_wants_them() {
        let yeyak = Harness::new().await;
        let process = || {
            let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
            Points::new(yeyak.kit.clone(), cache, TaskTracker::new())
        };
        let (here, there) = (process(), process());
        let (member, now) = (MemberId(Uuid::from_u128(1)), here.now());
        let available = async |wanted| here.available(member, wanted).await.expect("reads");
        assert_eq!(available(0).await, 0);

        let expire_time = now + TimeDelta::days(30);
        let lot = NewLot { cause: Cause::Earn, points: 40, base: None, available_time: now, expire_time };
        let give = |purse: &mut Purse| {
            purse.add(&yeyak.kit.ids, &lot, &Subject::default());
            Ok(())
        };
        let actor = Actor("a test".to_owned());
        yeyak.db.write(async |tx| there.change(&tx, member, None, &actor, give).await.map(drop)).await.expect("gives");

        assert_eq!(available(0).await, 0, "as it is at hand");
        assert_eq!(available(1).await, 40);
        assert_eq!(there.available(member, 0).await.expect("reads"), 40);
    }
}
