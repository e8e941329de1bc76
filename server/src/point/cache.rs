//! Wallets at hand: each as it was written last, under its version.
//!
//! What time does is done when it is read, so that what is kept stays right for as long as nothing is written. Who writes keeps
//! what was written; an older wallet never replaces a newer one. Who has been told of a version asks for it, and is not shown an
//! older one; nor is anyone by a process that has written a newer one, however late the cache hears of that. One that was last known
//! to be right a while ago is compared with its row before it is shown.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::{StreamExt, stream};
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Bounded;
use serde::{Deserialize, Serialize};

use super::model::{Cause, Lot, Purse, Spending, State, Wallet};
use super::store::movement::{Recorded, Wanted};
use crate::backend::cache::Cache;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::kit::tx::Commit;

/// For how long a wallet is kept that was read or written.
const LIFE: Duration = Duration::from_secs(3600);
/// For how long one is kept that the daily run has put here, or that was compared with its row: until the next run, and a while longer.
const DAY: Duration = Duration::from_secs(26 * 3600);
/// For how long a wallet is taken to be right: how long one may be out of date, to who asks for no version, where the word of a
/// change was lost.
const TRUST: TimeDelta = TimeDelta::hours(1);
/// The same where there is no word of what other processes write.
const TRUST_UNTOLD: TimeDelta = TimeDelta::seconds(3);
/// How many wallets are remembered that were written here and that the cache was not told of yet, or in vain. For as long as an older
/// one may be taken to be right.
const UNTOLD: u64 = 100_000;
/// How many wallets are on their way to the cache at once.
const AT_ONCE: usize = 64;
/// Wallets of more lots are read from the tables.
const LOTS: usize = 200;

/// The one key of a wallet: of who reads it, who writes it, and who warms it.
pub(super) fn key(member: MemberId) -> String {
    format!("point:wallet:{member}")
}

/// The one key of a page of a wallet's history, as of a version of the wallet. A page between two moments has none: hardly anybody
/// asks for it again, and there are as many as there are moments.
pub(super) fn history_key(member: MemberId, version: i64, wanted: Wanted, page: &Page<i64>) -> Option<String> {
    let Wanted { cause, start: None, end: None } = wanted else { return None };
    let cause = cause.map_or("", Cause::name);
    let after = page.after.map_or(String::new(), |after| after.to_string());
    Some(format!("point:history:{member}:{version}:{cause}:{after}:{}", page.fetch()))
}

/// What is kept of a wallet.
#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    wallet: Wallet,
    lots: Vec<Lot>,
    spendings: Vec<Spending>,
    /// When it was known to be so.
    known_time: Time,
}

/// A wallet that is kept.
#[derive(Debug)]
pub(super) struct AtHand {
    pub(super) purse: Purse,
    /// Whether that was so lately that nobody need be asked.
    pub(super) is_trusted: bool,
}

/// The wallets at hand.
#[derive(Clone, Debug)]
pub(super) struct Wallets {
    cache: Arc<dyn Cache>,
    trust: TimeDelta,
    /// The version of each wallet that was written here and that the cache was not told of yet, or in vain.
    untold: Bounded<MemberId, i64>,
}

impl Wallets {
    /// Kept in a cache. Wallets may be changed by this process alone, or by others.
    pub(super) fn new(cache: Arc<dyn Cache>, others: bool) -> Self {
        let trust = if others && !cache.is_shared() { TRUST_UNTOLD } else { TRUST };
        let untold = Bounded::builder().max_capacity(UNTOLD).eviction_policy(EvictionPolicy::lru()).time_to_live(LIFE);
        Self { cache, trust, untold: untold.build() }
    }

    /// Has this process show no older wallets from now on than these, which were written.
    pub(super) fn note(&self, purses: &[Purse]) {
        for purse in purses {
            let (member, version) = (purse.wallet.member, purse.wallet.version);
            self.untold
                .entry(member)
                .and_upsert_with(|known| known.map_or(version, |known| version.max(*known.value())));
        }
    }

    /// The cache shows nothing older any more.
    fn told(&self, purse: &Purse) {
        self.untold.entry(purse.wallet.member).and_compute_with(|known| match known {
            Some(known) if *known.value() <= purse.wallet.version => Op::Remove,
            // A newer one was written meanwhile.
            _ => Op::Nop,
        });
    }

    /// A wallet that is kept, not older than a version.
    pub(super) async fn get(&self, member: MemberId, least: i64, now: Time) -> Option<AtHand> {
        let least = least.max(self.untold.get(&member).unwrap_or(0));
        let entry = self.cache.get(&key(member)).await.filter(|entry| entry.version >= least)?;
        let Kept { wallet, lots, spendings, known_time } = serde_json::from_slice(&entry.value).ok()?;
        let is_trusted = now - known_time < self.trust;
        Some(AtHand { purse: Purse::new(wallet, lots, spendings, now), is_trusted })
    }

    /// Keeps a wallet, unless a newer one is.
    pub(super) async fn put(&self, purse: &Purse) {
        self.put_for(purse, LIFE).await;
    }

    /// Keeps wallets until the next daily run, each unless a newer one is kept.
    pub(super) async fn put_for_day(&self, purses: &[Purse]) {
        self.put_all(purses, DAY).await;
    }

    async fn put_all(&self, purses: &[Purse], life: Duration) {
        let keep = |purse| self.put_for(purse, life);
        stream::iter(purses).for_each_concurrent(AT_ONCE, keep).await;
    }

    /// Keeps wallets as they were written; those that may not have been are forgotten, lest one is shown that never was.
    pub(super) async fn written(&self, purses: &[Purse], commit: Commit) {
        match commit {
            Commit::Done => self.put_all(purses, LIFE).await,
            Commit::Unknown => {
                let forget = |purse| self.forget(purse);
                stream::iter(purses).for_each_concurrent(AT_ONCE, forget).await;
            }
        }
    }

    /// A page of a wallet's history that is kept.
    pub(super) async fn history(&self, key: &str) -> Option<Vec<Recorded>> {
        serde_json::from_slice(&self.cache.get(key).await?.value).ok()
    }

    /// Keeps a page of a wallet's history, as of a version of the wallet.
    pub(super) async fn keep_history(&self, key: &str, version: i64, page: &[Recorded]) {
        if let Ok(value) = serde_json::to_vec(page) {
            self.cache.put(key, version, Bytes::from(value), LIFE).await;
        }
    }

    async fn forget(&self, purse: &Purse) {
        if self.cache.forget(&key(purse.wallet.member), purse.wallet.version).await {
            self.told(purse);
        }
    }

    async fn put_for(&self, purse: &Purse, life: Duration) {
        let (member, version) = (purse.wallet.member, purse.wallet.version);
        let spendings: Vec<_> =
            purse.spendings.iter().filter(|spending| spending.state == State::Reserved).cloned().collect();
        // What is set aside may come back to a lot of which nothing is left.
        let named = |lot: &Lot| spendings.iter().flat_map(|one| &one.pieces).any(|piece| piece.lot == lot.id);
        let lots: Vec<_> = purse.lots.iter().filter(|lot| lot.remaining > 0 || named(lot)).cloned().collect();
        if lots.len() > LOTS {
            return self.forget(purse).await;
        }
        let kept = Kept { wallet: purse.wallet.clone(), lots, spendings, known_time: purse.now() };
        let Ok(value) = serde_json::to_vec(&kept) else { return self.forget(purse).await };
        if self.cache.put(&key(member), version, Bytes::from(value), life).await {
            self.told(purse);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::*;
    use crate::backend::cache::{Entry, MemoryCache};
    use crate::harness::Harness;
    use crate::kit::clock::Clock;
    use crate::kit::id::Ids;
    use crate::point::model::{NewLot, Subject};

    #[tokio::test]
    async fn an_older_wallet_never_replaces_a_newer_one_and_is_not_shown_to_who_knows_better() {
        let yeyak = Harness::new().await;
        let wallets = Wallets::new(Arc::new(MemoryCache::new(yeyak.clock.clone())), false);
        let (member, now) = (MemberId(Uuid::from_u128(1)), yeyak.clock.now());
        let mut old = Purse::new(Wallet::empty(member), Vec::new(), Vec::new(), now);
        let (cause, available_time, expire_time) = (Cause::Earn, now, now + TimeDelta::days(1));
        let lot = NewLot { cause, points: 10, base: None, available_time, expire_time };
        old.add(&Ids::seeded(1), &lot, &Subject::default());
        old.seal();
        let mut new = old.clone();
        new.remove(Cause::Spend, 4, &Subject::default()).expect("is there");
        new.seal();

        wallets.put(&new).await;
        wallets.put(&old).await;

        let kept = wallets.get(member, 2, now).await.expect("is kept").purse;
        assert_eq!((kept.wallet.version, kept.wallet.available, kept.lots.len()), (2, 6, 1));
        assert!(wallets.get(member, 3, now).await.is_none());
        let mut later = wallets.get(member, 0, now + TimeDelta::days(1)).await.expect("is kept").purse;
        later.settle();
        assert_eq!(later.wallet.available, 0, "its time is over at read");
    }

    /// Guard: for how long what nobody tells of may be shown, by who else writes.
    #[tokio::test]
    async fn a_wallet_is_trusted_for_an_hour_and_for_seconds_where_others_write_that_tell_nothing() {
        let yeyak = Harness::new().await;
        let (member, now) = (MemberId(Uuid::from_u128(1)), yeyak.clock.now());
        for (others, seconds) in [(false, 3600), (true, 3)] {
            let wallets = Wallets::new(Arc::new(MemoryCache::new(yeyak.clock.clone())), others);
            wallets.put_for_day(&[Purse::new(Wallet::empty(member), Vec::new(), Vec::new(), now)]).await;

            for (after, trusted) in [(0, true), (seconds - 1, true), (seconds, false), (80_000, false)] {
                let found = wallets.get(member, 0, now + TimeDelta::seconds(after)).await.expect("is kept");
                assert_eq!(found.is_trusted, trusted, "{after} seconds later");
            }
        }
    }

    /// Guard: a wallet is kept behind a commit that was done; where nobody knows, neither it nor the one before is.
    #[tokio::test]
    async fn a_wallet_that_may_never_have_been_is_not_shown() {
        let yeyak = Harness::new().await;
        let wallets = Wallets::new(Arc::new(MemoryCache::new(yeyak.clock.clone())), false);
        let (member, now) = (MemberId(Uuid::from_u128(1)), yeyak.clock.now());
        let at = |version| {
            let wallet = Wallet { version, ..Wallet::empty(member) };
            [Purse::new(wallet, Vec::new(), Vec::new(), now)]
        };
        wallets.written(&at(1), Commit::Done).await;
        assert!(wallets.get(member, 1, now).await.is_some());

        wallets.written(&at(2), Commit::Unknown).await;

        assert!(wallets.get(member, 0, now).await.is_none());
        wallets.put(&at(1)[0]).await;
        assert!(wallets.get(member, 0, now).await.is_none(), "it may be older than what is there");
        wallets.put(&at(2)[0]).await;
        assert!(wallets.get(member, 2, now).await.is_some(), "who has read it knows");
    }

    /// A cache that can be cut off: it goes on showing what it has, and hears of nothing.
    #[derive(Debug)]
    struct CutOff(MemoryCache, AtomicBool);

    #[async_trait]
    impl Cache for CutOff {
        async fn get(&self, key: &str) -> Option<Entry> {
            self.0.get(key).await
        }

        async fn put(&self, key: &str, version: i64, value: Bytes, life: Duration) -> bool {
            !self.1.load(Ordering::Relaxed) && self.0.put(key, version, value, life).await
        }

        async fn forget(&self, key: &str, version: i64) -> bool {
            !self.1.load(Ordering::Relaxed) && self.0.forget(key, version).await
        }

        fn is_shared(&self) -> bool {
            true
        }
    }

    /// Guard: what was written is remembered until the cache was told of it.
    #[tokio::test]
    async fn who_has_written_shows_nothing_older_though_the_cache_was_told_late_or_never() {
        let yeyak = Harness::new().await;
        let cache = Arc::new(CutOff(MemoryCache::new(yeyak.clock.clone()), AtomicBool::new(false)));
        let wallets = Wallets::new(cache.clone(), true);
        let (member, now) = (MemberId(Uuid::from_u128(1)), yeyak.clock.now());
        let at = |version| [Purse::new(Wallet { version, ..Wallet::empty(member) }, Vec::new(), Vec::new(), now)];
        let shown = async || wallets.get(member, 0, now).await.map(|found| found.purse.wallet.version);
        wallets.written(&at(1), Commit::Done).await;

        wallets.note(&at(2));
        assert_eq!(shown().await, None, "the cache will be told");
        cache.1.store(true, Ordering::Relaxed);
        wallets.written(&at(2), Commit::Done).await;
        assert_eq!(shown().await, None, "the cache was told in vain");
        wallets.note(&at(3));
        cache.1.store(false, Ordering::Relaxed);
        wallets.written(&at(2), Commit::Done).await;
        assert_eq!(shown().await, None, "a newer one was written meanwhile");
        wallets.written(&at(3), Commit::Done).await;

        assert_eq!(shown().await, Some(3));
    }
}
