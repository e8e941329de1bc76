//! Taking back what was earned by something that was given back.

use super::{Cause, ClawBack, Lot, Piece, Purse, Subject};
use crate::kit::id::BookingId;
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
    /// Nobody's loss but the platform's.
    pub written_off: i64,
}

impl Lot {
    /// What of it is to be taken back, beyond what was before.
    fn due_back(&self, part: Part) -> i64 {
        let keep = match (part, self.base) {
            (Part::Above(left), Some(base)) if base > 0 => {
                let keep = i128::from(self.points) * i128::from(left.minor.clamp(0, base)) / i128::from(base);
                i64::try_from(keep).unwrap_or(self.points)
            }
            _ => 0,
        };
        (self.points - keep - self.clawed).max(0)
    }
}

impl Purse {
    /// Takes back what a booking has earned: out of its own lots, then out of what is available, and what is missing as the policy
    /// says; from a refund so much as goes back at most. Once more takes nothing.
    pub(in crate::point) fn claw_back(
        &mut self,
        booking: BookingId,
        part: Part,
        policy: ClawBack,
        refund: i64,
        subject: &Subject,
    ) -> ClawedBack {
        let (mut wanted, mut pieces) = (0, Vec::new());
        for lot in self.lots.iter_mut().filter(|lot| lot.booking == Some(booking) && lot.cause == Cause::Earn.name()) {
            let due = lot.due_back(part);
            let own = due.min(lot.remaining);
            (lot.clawed, lot.remaining) = (lot.clawed + due, lot.remaining - own);
            *(if lot.pending { &mut self.wallet.pending } else { &mut self.wallet.available }) -= own;
            if own > 0 {
                pieces.push(Piece { lot: lot.id, points: own, back: 0, expire_time: lot.expire_time });
            }
            wanted += due - own;
        }
        let others = wanted.min(self.wallet.available);
        self.wallet.available -= others;
        pieces.extend(self.draw(others));
        let missing = wanted - others;
        let taken = pieces.iter().map(|piece| piece.points).sum();
        let back = match policy {
            ClawBack::Negative => ClawedBack { taken, owed: missing, ..ClawedBack::default() },
            ClawBack::FromRefund => {
                let withheld = missing.min(refund.max(0));
                ClawedBack { taken, withheld, written_off: missing - withheld, ..ClawedBack::default() }
            }
            ClawBack::WriteOff => ClawedBack { taken, written_off: missing, ..ClawedBack::default() },
        };
        self.wallet.owed += back.owed;
        if back.taken + back.owed > 0 {
            self.record(Cause::ClawBack, (-(back.taken + back.owed), 0), pieces, None, subject, self.now());
        }
        back
    }
}
