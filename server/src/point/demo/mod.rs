//! Wallets to look at and to measure with: the lives of members who earned, spent and let expire, the same for the same seed and day.
//!
//! Each wallet has lived through what a real one can do, moment by moment, so that all promises hold of it. Those of a number that
//! is there are not made again: loading once more loads what is missing.

mod life;

use chrono::{NaiveTime, TimeDelta};
use futures::{StreamExt, TryStreamExt, stream};

use self::life::{Life, Plan};
use super::Points;
use super::change::transfer;
use super::entity;
use super::store::{lot, movement, purse, spending};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::local_date;
use crate::kit::id::MemberId;
use crate::ledger::{self, TransferId};

/// How many wallets are written together.
const TOGETHER: u64 = 2_000;
/// How many such parts are made or written at once, where the database has many writers.
const AT_ONCE: usize = 3;
/// Who has done all that.
const ACTOR: &str = "job:demo";

/// How much to load.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many wallets.
    pub wallets: u64,
    /// About how many movements of them all: what expires comes on top.
    pub movements: u64,
    /// What the same wallets come from.
    pub seed: u64,
}

/// What was loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    /// Wallets that were put in now.
    pub wallets: u64,
    /// Their movements.
    pub movements: u64,
    /// Wallets that were there.
    pub known: u64,
}

impl Points {
    /// Loads what is missing of so many wallets, which have lived until yesterday began, in UTC: what yesterday did to them is left
    /// for its daily run. `progress` hears how many more are in.
    pub async fn load_demo(&self, size: Size, progress: impl Fn(u64)) -> Result<Loaded, Error> {
        let yesterday = local_date(chrono_tz::UTC, self.now() - TimeDelta::days(1));
        let until = yesterday.and_time(NaiveTime::MIN).and_utc();
        let plan = Plan { wallets: size.wallets, movements: size.movements, seed: size.seed, until };
        let at_once = if self.kit.db.is_shared() { AT_ONCE } else { 1 };
        let firsts = (0..size.wallets).step_by(usize::try_from(TOGETHER).map_err(Error::internal)?);
        let parts = stream::iter(firsts.map(|first| self.load_part(plan, first)));
        let loaded = parts.buffer_unordered(at_once).try_fold(Loaded::default(), |sum, part| {
            progress(part.wallets + part.known);
            let Loaded { wallets, movements, known } = sum;
            let sum = Loaded {
                wallets: wallets + part.wallets,
                movements: movements + part.movements,
                known: known + part.known,
            };
            std::future::ready(Ok(sum))
        });
        loaded.await
    }

    /// The members of demo wallets, by the numbers of those.
    pub fn demo_member(seed: u64, number: u64) -> MemberId {
        life::member(seed, number)
    }

    async fn load_part(&self, plan: Plan, first: u64) -> Result<Loaded, Error> {
        let numbers = first..(first + TOGETHER).min(plan.wallets);
        let members: Vec<_> = numbers.clone().map(|number| life::member(plan.seed, number)).collect();
        let there = purse::there(self.kit.db.read(), &members).await?;
        let known = there.len() as u64;
        let missing: Vec<_> = numbers.zip(members).filter(|(_, member)| !there.contains(member)).collect();
        let count = missing.len() as u64;
        // Nothing but work for a processor: nobody else waits for it.
        let lives = tokio::task::spawn_blocking(move || {
            missing.into_iter().map(|(number, _)| Life::of(&plan, number)).collect::<Vec<_>>()
        });
        let rows = Rows::of(&lives.await.map_err(Error::internal)?)?;
        let movements = rows.transfers.len() as u64;
        self.kit
            .db
            .load(async |bulk| {
                bulk.put(rows.wallets.clone()).await?;
                bulk.put(rows.lots.clone()).await?;
                bulk.put(rows.spendings.clone()).await?;
                bulk.put(rows.movements.clone()).await?;
                ledger::load(bulk, &rows.transfers).await
            })
            .await?;
        Ok(Loaded { wallets: count, movements, known })
    }
}

/// The rows of some lives.
#[derive(Default)]
struct Rows {
    wallets: Vec<entity::wallet::Model>,
    lots: Vec<entity::lot::Model>,
    spendings: Vec<entity::spending::Model>,
    movements: Vec<entity::movement::Model>,
    transfers: Vec<(TransferId, ledger::Transfer, Time)>,
}

impl Rows {
    fn of(lives: &[Life]) -> Result<Self, Error> {
        let mut rows = Self::default();
        for life in lives {
            rows.wallets.push(purse::row(&life.wallet, life.last));
            rows.lots.extend(life.lots.iter().map(|of_life| lot::row(life.wallet.member, of_life)));
            for of_life in &life.spendings {
                rows.spendings.push(spending::row(of_life)?);
            }
            for recorded in &life.movements {
                rows.movements.push(movement::row(recorded, ACTOR)?);
                rows.transfers.push((TransferId(recorded.id.0), transfer(recorded), recorded.create_time));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::backend::cache::MemoryCache;
    use crate::harness::Harness;

    /// On SQLite, and with `YEYAK_TEST_BACKENDS=production` by `COPY` on PostgreSQL.
    #[tokio::test]
    async fn wallets_of_the_demo_keep_every_promise_and_are_loaded_once() {
        let yeyak = Harness::new().await;
        let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
        let points = Points::new(yeyak.kit.clone(), cache, TaskTracker::new());
        let size = Size { wallets: 2_500, movements: 15_000, seed: 1 };

        let first = points.load_demo(size, |_| {}).await.expect("loads");
        let again = points.load_demo(size, |_| {}).await.expect("loads nothing");

        assert_eq!((first.wallets, first.known), (2_500, 0));
        assert!((14_000..20_000).contains(&first.movements), "{first:?}");
        assert_eq!((again.wallets, again.movements, again.known), (0, 0, 2_500));
        let more = points.load_demo(Size { wallets: 2_600, ..size }, |_| {}).await.expect("loads the rest");
        assert_eq!((more.wallets, more.known), (100, 2_500));
        assert_eq!(points.check().await.expect("checks"), []);
        let member = Points::demo_member(1, 7);
        assert!(points.stored(member).await.expect("reads").wallet.version > 0);
    }

    #[test]
    fn the_same_wallet_lives_the_same_life() {
        let plan = Plan { wallets: 10, movements: 60, seed: 3, until: "2026-03-01T00:00:00Z".parse().unwrap() };
        for number in 0..10 {
            let [one, other] = [Life::of(&plan, number), Life::of(&plan, number)];
            assert_eq!(one.wallet, other.wallet);
            assert_eq!(one.lots, other.lots);
        }
        assert_ne!(Life::of(&plan, 1).wallet, Life::of(&plan, 2).wallet);
    }
}
