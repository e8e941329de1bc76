//! Wallets that differ are put right, as their lots, their movements and their reservations have them.

use std::collections::HashSet;

use uuid::Uuid;

use super::chunk::TOGETHER;
use super::store::{self, Moved};
use crate::error::Error;
use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;
use crate::point::Points;
use crate::point::model::{Purse, State};
use crate::point::store::purses;

/// How many wallets of a day that is done are looked at in one transaction: on SQLite, whoever writes waits for it.
const WALLETS: i64 = 500;

impl Points {
    /// Looks again at the wallets that differed on a day that is done; how many are right by now.
    pub(super) async fn mend_day(&self, date: Date) -> Result<u64, Error> {
        let (mut behind, mut count) = (Uuid::nil(), 0);
        loop {
            let differ = store::differing(self.kit.db.read(), date, behind, WALLETS).await?;
            let Some(last) = differ.last() else { return Ok(count) };
            behind = last.0;
            let right = self.kit.db.write(async |tx| self.mend(&tx, &differ).await).await?;
            count += right.len() as u64;
        }
    }

    /// Looks again at wallets that differ, and puts right those whose lots, movements and reservations agree, and that lack no lot;
    /// which are right by then.
    ///
    /// Locks them: whoever moves a wallet locks it first, so that what is compared behind the lock is what is written over.
    pub(super) async fn mend(&self, tx: &Tx, differ: &[MemberId]) -> Result<HashSet<MemberId>, Error> {
        let mut all = HashSet::new();
        for members in differ.chunks(TOGETHER) {
            let before = purses::find_in(tx, members, self.now()).await?;
            let moved = store::moved(tx, members).await?;
            let (mut right, mut mended) = (Vec::new(), Vec::new());
            for before in before {
                let member = before.wallet.member;
                if before.lacks().is_some() {
                    continue;
                }
                let moved = moved.get(&member).copied().unwrap_or_default();
                let Some(mut after) = put_right(&before, moved) else { continue };
                right.push(member);
                if after != before {
                    after.seal();
                    mended.push((before, after));
                }
            }
            if !mended.is_empty() {
                purses::settle(tx, &mended).await?;
                // The wallet that differed may be at hand.
                self.keep_on_commit(tx, mended.into_iter().map(|(_, after)| after).collect());
            }
            store::note_repaired(tx, &right).await?;
            all.extend(right);
        }
        Ok(all)
    }
}

/// A wallet as its lots, its movements and its reservations have it; none where these disagree, or have what no wallet can.
fn put_right(before: &Purse, moved: Moved) -> Option<Purse> {
    let held: i64 = before.lots.iter().map(|lot| lot.remaining).sum();
    let pending: i64 = before.lots.iter().filter(|lot| lot.pending).map(|lot| lot.remaining).sum();
    let reservations: i64 =
        before.spendings.iter().filter(|held| held.state == State::Reserved).map(|held| held.points).sum();
    let mut after = before.clone();
    let wallet = &mut after.wallet;
    (wallet.available, wallet.pending, wallet.reserved) = (held - pending, pending, moved.reserved);
    // The wallet may be an older copy: its next movement has a number of its own, and who was told of a version is shown it.
    (wallet.movement_count, wallet.version) = (moved.number, wallet.version.max(moved.version));
    let agree = wallet.balance() == moved.held && wallet.reserved == reservations;
    let is_possible = wallet.reserved >= 0 && (wallet.owed == 0 || wallet.available == 0);
    (agree && is_possible).then_some(after)
}
