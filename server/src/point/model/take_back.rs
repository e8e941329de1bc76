//! Taking back what was earned by something that was given back.

use std::collections::HashMap;

use super::{Cause, ClawBack, Lot, LotId, Movement, Piece, Purse, Subject, month_number};
use crate::kit::date::Tz;
use crate::kit::money::Money;

/// What of an amount was given back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// What is above this: so much still earns points.
    Above(Money),
}

/// What became of points that were earned by something that was given back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClawedBack {
    /// Taken out of the wallet.
    pub taken: i64,
    /// Owed by the wallet.
    pub owed: i64,
    /// To be withheld from the money that goes back.
    pub withheld: i64,
    /// Nobody's loss but the platform's, unless they come back.
    pub written_off: i64,
}

impl Lot {
    /// What of it is to be taken back, beyond what was before, and what nobody can have spent since it expired.
    fn due_back(&self, part: Part, expired: i64) -> i64 {
        let keep = match (part, self.base) {
            (Part::Above(left), Some(base)) if base > 0 => {
                let left = (left.minor - self.above).clamp(0, base);
                let keep = i128::from(self.points) * i128::from(left) / i128::from(base);
                i64::try_from(keep).unwrap_or(self.points)
            }
            _ => 0,
        };
        (self.points - keep - self.clawed - expired).max(0)
    }
}

impl Purse {
    /// Takes back what the booking of a subject has earned, but for what has expired of it, of which the movements `before` tell:
    /// out of its own lots, then out of what is available, and what is missing as the policy says; from a refund so much as goes
    /// back at most. Once more takes nothing. What is taken back in the month in which it was earned may be earned again.
    pub(in crate::point) fn claw_back(
        &mut self,
        part: Part,
        policy: ClawBack,
        refund: i64,
        before: &[Movement],
        zone: Tz,
        subject: &Subject,
    ) -> ClawedBack {
        let Some(booking) = subject.booking else { return ClawedBack::default() };
        let (expired, month) = (self.expired(before), self.wallet.earnings.number);
        let (mut wanted, mut counted, mut pieces, mut used) = (0, 0, Vec::new(), Vec::new());
        for (at, lot) in self.lots.iter_mut().enumerate().filter(|(_, lot)| lot.is_earned_by(booking)) {
            let due = lot.due_back(part, expired.get(&lot.id).copied().unwrap_or(0));
            let own = due.min(lot.remaining);
            (lot.clawed, lot.remaining) = (lot.clawed + due, lot.remaining - own);
            *(if lot.pending { &mut self.wallet.pending } else { &mut self.wallet.available }) -= own;
            if own > 0 {
                pieces.push(Piece { lot: lot.id, points: own, back: 0, expire_time: lot.expire_time });
            }
            wanted += due - own;
            used.push((at, due - own));
            counted += if month_number(zone, lot.create_time) == month { due } else { 0 };
        }
        let others = wanted.min(self.wallet.available);
        self.wallet.available -= others;
        pieces.extend(self.draw(others));
        let missing = wanted - others;
        let taken = pieces.iter().map(|piece| piece.points).sum();
        let withheld = if policy == ClawBack::FromRefund { missing.min(refund.max(0)) } else { 0 };
        // What is only set aside is not spent: the wallet owes it, and has it when it comes back.
        let aside = (self.wallet.reserved - self.wallet.owed).max(0);
        let owed = if policy == ClawBack::Negative { missing } else { aside.min(missing - withheld) };
        let back = ClawedBack { taken, owed, withheld, written_off: missing - withheld - owed };
        let mut written_off = back.written_off;
        for (at, beyond) in used {
            let part = beyond.min(written_off);
            (self.lots[at].written_off, written_off) = (self.lots[at].written_off + part, written_off - part);
        }
        // What was written off stays earned.
        let earnings = &mut self.wallet.earnings;
        earnings.points = (earnings.points - (counted - back.written_off).max(0)).max(0);
        self.wallet.owed += back.owed;
        if back.taken + back.owed > 0 {
            self.record(Cause::ClawBack, (-(back.taken + back.owed), 0), pieces, None, subject, self.now());
        }
        back
    }

    /// What was written off of a lot is taken once so much of what was spent comes back to it, or comes in its place. What was owed
    /// has been paid first, and is owed again by as much as that leaves too little: whatever comes back first, nobody has it in the
    /// end. (What was only set aside was never written off: the wallet owed it.)
    pub(super) fn take_written_off<'a>(&mut self, came: impl Iterator<Item = &'a Piece>) {
        for piece in came {
            let found = self.lots.iter().position(|lot| lot.id == piece.lot && lot.written_off > 0);
            let Some(at) = found else { continue };
            let lot = &mut self.lots[at];
            let points = lot.written_off.min(piece.points);
            let taken = points.min(self.wallet.available);
            let own = taken.min(lot.remaining);
            (lot.written_off, lot.remaining) = (lot.written_off - points, lot.remaining - own);
            let subject = Subject { booking: lot.booking, ..Subject::default() };
            let mut pieces = vec![Piece { lot: lot.id, points: own, back: 0, expire_time: lot.expire_time }];
            pieces.retain(|piece| piece.points > 0);
            self.wallet.available -= taken;
            self.wallet.owed += points - taken;
            pieces.extend(self.draw(taken - own));
            self.record(Cause::ClawBack, (-points, 0), pieces, None, &subject, self.now());
        }
    }

    /// What has expired of each lot, by movements that were recorded and by those that are about to be.
    fn expired(&self, before: &[Movement]) -> HashMap<LotId, i64> {
        let mut expired = HashMap::new();
        for movement in before.iter().chain(&self.movements).filter(|movement| movement.cause == Cause::Expire) {
            for piece in &movement.pieces {
                *expired.entry(piece.lot).or_default() += piece.points;
            }
        }
        expired
    }
}
