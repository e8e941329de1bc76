//! What is set aside: spent, held longer, fewer of it, given back.

use super::{Cause, Piece, Purse, SpendingId, State, Subject};
use crate::kit::clock::Time;

impl Purse {
    /// What is set aside is spent.
    pub(in crate::point) fn commit(&mut self, id: SpendingId) -> Option<i64> {
        let at = self.reserved(id)?;
        let spending = self.spendings[at].clone();
        self.wallet.reserved -= spending.points;
        let subject = Subject { booking: spending.booking, ..Subject::default() };
        self.record(Cause::Commit, (0, -spending.points), Vec::new(), Some(id), &subject, self.now());
        self.close(at, State::Spent);
        Some(spending.points)
    }

    /// What is set aside comes back to its lots.
    pub(in crate::point) fn release(&mut self, id: SpendingId) -> Option<i64> {
        let at = self.reserved(id)?;
        let points = self.spendings[at].points;
        self.put_back(at, self.now());
        Some(points)
    }

    /// Moves the end of what is set aside.
    pub(in crate::point) fn extend(&mut self, id: SpendingId, until: Option<Time>) -> bool {
        let Some(at) = self.reserved(id) else { return false };
        self.spendings[at].hold_expire_time = until;
        self.spendings[at].update_time = self.now();
        true
    }

    /// So many stay set aside; what is beyond comes back to its lots, of those that were taken last. The others are not let go of
    /// meanwhile: their lots may be over, and there may be a debt.
    pub(in crate::point) fn reduce(&mut self, id: SpendingId, points: i64) -> bool {
        let Some(at) = self.reserved(id) else { return false };
        let (now, spending) = (self.now(), &mut self.spendings[at]);
        let beyond = spending.points - points;
        if beyond <= 0 {
            return true;
        }
        if points <= 0 {
            self.put_back(at, now);
            return true;
        }
        let (mut left, mut back) = (beyond, Vec::new());
        for piece in spending.pieces.iter_mut().rev() {
            let part = left.min(piece.points);
            if part > 0 {
                back.push(Piece { points: part, ..*piece });
            }
            (left, piece.points) = (left - part, piece.points - part);
        }
        spending.pieces.retain(|piece| piece.points > 0);
        spending.points = points;
        spending.update_time = now;
        self.come_back(at, beyond, back, now);
        true
    }

    fn reserved(&self, id: SpendingId) -> Option<usize> {
        self.spendings.iter().position(|spending| spending.id == id && spending.state == State::Reserved)
    }

    pub(super) fn put_back(&mut self, at: usize, time: Time) {
        let spending = &self.spendings[at];
        let (points, pieces) = (spending.points, spending.pieces.clone());
        self.close(at, State::Released);
        self.come_back(at, points, pieces, time);
    }

    fn come_back(&mut self, at: usize, points: i64, pieces: Vec<Piece>, time: Time) {
        self.wallet.reserved -= points;
        self.wallet.available += points;
        for piece in &pieces {
            self.refill(piece.lot, piece.points);
        }
        let spending = &self.spendings[at];
        let (id, subject) = (Some(spending.id), Subject { booking: spending.booking, ..Subject::default() });
        self.record(Cause::Release, (points, -points), pieces, id, &subject, time);
        self.lapse(time);
        self.pay_debt();
    }

    fn close(&mut self, at: usize, state: State) {
        let now = self.now();
        let spending = &mut self.spendings[at];
        spending.state = state;
        spending.hold_expire_time = None;
        spending.update_time = now;
    }
}
