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
use crate::point::store::{purse, purses};

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
            let mut found = purses::find_in(tx, members, self.now()).await?;
            let there: HashSet<_> = found.iter().map(|purse| purse.wallet.member).collect();
            let gone: Vec<_> = members.iter().copied().filter(|member| !there.contains(member)).collect();
            found.extend(purses::without_row(tx, &gone, self.now()).await?);
            let moved = store::moved(tx, members).await?;
            let (mut right, mut mended) = (Vec::new(), Vec::new());
            for before in found {
                let member = before.wallet.member;
                if before.lacks().is_some() {
                    continue;
                }
                let moved = moved.get(&member).copied().unwrap_or_default();
                let is_gone = !there.contains(&member);
                let Some(mut after) = put_right(&before, moved, is_gone) else { continue };
                if is_gone {
                    purse::make(tx, member, self.now()).await?;
                }
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

/// A wallet as its lots, its movements and its reservations have it; none where these disagree, or have what no wallet can. Of one that
/// is gone they tell what it owed, and nothing of what it gave away or earned of late.
fn put_right(before: &Purse, moved: Moved, is_gone: bool) -> Option<Purse> {
    let held: i64 = before.lots.iter().map(|lot| lot.remaining).sum();
    let pending: i64 = before.lots.iter().filter(|lot| lot.pending).map(|lot| lot.remaining).sum();
    let reservations: i64 =
        before.spendings.iter().filter(|held| held.state == State::Reserved).map(|held| held.points).sum();
    let mut after = before.clone();
    let wallet = &mut after.wallet;
    (wallet.available, wallet.pending, wallet.reserved) = (held - pending, pending, moved.reserved);
    // The wallet may be an older copy: its next movement has a number of its own, and who was told of a version is shown it.
    (wallet.movement_count, wallet.version) = (moved.number, wallet.version.max(moved.version));
    if is_gone {
        wallet.owed = (held - moved.held).max(0);
    }
    let agree = wallet.balance() == moved.held && wallet.reserved == reservations;
    let is_possible = wallet.reserved >= 0 && (wallet.owed == 0 || wallet.available == 0);
    (agree && is_possible).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::clock::Time;
    use crate::point::model::Wallet;

    /// Guard: what lots hold less than movements say is owed, where nothing is available, and unknown else.
    #[test]
    fn a_wallet_that_is_gone_owes_what_its_movements_say() {
        let gone = Purse::new(Wallet::empty(MemberId(Uuid::nil())), Vec::new(), Vec::new(), Time::UNIX_EPOCH);
        let moved = |held, reserved| Moved { held, reserved, number: 3, version: 2 };

        let wallet = put_right(&gone, moved(-30, 0), true).expect("agrees").wallet;

        assert_eq!((wallet.available, wallet.owed, wallet.movement_count, wallet.version), (0, 30, 3, 2));
        assert_eq!(put_right(&gone, moved(-30, 0), false), None, "a wallet that is there knows what it owes");
        assert_eq!(put_right(&gone, moved(30, 0), true), None, "a lot is lost");
        assert_eq!(put_right(&gone, moved(0, 5), true), None, "a reservation is lost");
    }
}
