//! A wallet with what is in it, and all that can be done with it.
//!
//! Whatever is done, what time has done comes first: [`Purse::settle`], in the order in which it happened. So it makes no
//! difference whether, and when, anyone wrote it down.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use uuid::Uuid;

use super::{Cause, Lot, LotId, Movement, Piece, Spending, SpendingId, State, Wallet};
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, Ids};

/// A wallet, its lots of which something is left, and what of it is set aside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::point) struct Purse {
    pub(in crate::point) wallet: Wallet,
    pub(in crate::point) lots: Vec<Lot>,
    pub(in crate::point) spendings: Vec<Spending>,
    /// What was done, in order.
    pub(in crate::point) movements: Vec<Movement>,
    now: Time,
}

/// Fewer points are available than are wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::point) struct NotEnough {
    pub(in crate::point) available: i64,
    pub(in crate::point) wanted: i64,
}

/// What something is about.
#[derive(Clone, Debug, Default)]
pub(in crate::point) struct Subject {
    pub(in crate::point) booking: Option<BookingId>,
    pub(in crate::point) reference: String,
    /// Who does it.
    pub(in crate::point) actor: String,
}

/// Points that come.
#[derive(Clone, Debug)]
pub(in crate::point) struct NewLot {
    pub(in crate::point) cause: Cause,
    pub(in crate::point) points: i64,
    /// What gave them, where it was an amount.
    pub(in crate::point) base: Option<i64>,
    pub(in crate::point) available_time: Time,
    pub(in crate::point) expire_time: Time,
}

/// What became of spent points that were given back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GivenBack {
    /// To the lots that they were of.
    pub restored: i64,
    /// In a new lot, since theirs had expired.
    pub renewed: i64,
    /// Expired with their lots.
    pub lapsed: i64,
}

/// What time does at a moment, in the order in which it happens.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Due {
    time: Time,
    what: What,
    id: Uuid,
    at: usize,
}

/// What time does to a lot, or to what is set aside: at the same moment in this order.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum What {
    Expire,
    Activate,
    Release,
}

impl Purse {
    /// A wallet with what is in it, as it is stored.
    pub(in crate::point) fn new(wallet: Wallet, lots: Vec<Lot>, spendings: Vec<Spending>, now: Time) -> Self {
        Self { wallet, lots, spendings, movements: Vec::new(), now }
    }

    /// When this is.
    pub(in crate::point) fn now(&self) -> Time {
        self.now
    }

    /// A lot that is not there though what is set aside or spent of it may come back to it: its row was lost. Of such a wallet nothing
    /// can be told.
    pub(in crate::point) fn lacks(&self) -> Option<LotId> {
        let there: HashSet<_> = self.lots.iter().map(|lot| lot.id).collect();
        let used = self.spendings.iter().filter(|spending| spending.state != State::Released);
        used.flat_map(|spending| &spending.pieces).map(|piece| piece.lot).find(|lot| !there.contains(lot))
    }

    /// Does what time has done since the wallet was written.
    pub(in crate::point) fn settle(&mut self) {
        let mut all = self.due();
        while let Some(Reverse(Due { time, what, at, .. })) = all.pop() {
            match what {
                What::Expire if self.lots[at].remaining > 0 => self.expire(at, time),
                What::Activate if self.lots[at].remaining > 0 => {
                    let lot = &mut self.lots[at];
                    lot.pending = false;
                    self.wallet.pending -= lot.remaining;
                    self.wallet.available += lot.remaining;
                    let expires = Due { time: lot.expire_time, what: What::Expire, id: lot.id.0, at };
                    all.extend((expires.time <= self.now).then_some(Reverse(expires)));
                    self.pay_debt();
                }
                What::Release if self.spendings[at].state == State::Reserved => self.put_back(at, time),
                _ => {}
            }
        }
    }

    /// What time does until now, the earliest first: to lots of which nothing is left too, to which something may come back before.
    fn due(&self) -> BinaryHeap<Reverse<Due>> {
        let lots = self.lots.iter().enumerate().map(|(at, lot)| {
            let (what, time) = match lot.pending && lot.available_time < lot.expire_time {
                true => (What::Activate, lot.available_time),
                false => (What::Expire, lot.expire_time),
            };
            Due { time, what, id: lot.id.0, at }
        });
        let held = self.spendings.iter().enumerate().filter(|(_, spending)| spending.state == State::Reserved);
        let held = held.filter_map(|(at, held)| {
            Some(Due { time: held.hold_expire_time?, what: What::Release, id: held.id.0, at })
        });
        lots.chain(held).filter(|due| due.time <= self.now).map(Reverse).collect()
    }

    /// The first moment behind now at which time does something.
    fn change_time(&self) -> Option<Time> {
        let lots = self.lots.iter().filter(|lot| lot.remaining > 0);
        let lots = lots.map(|lot| if lot.pending { lot.available_time } else { lot.expire_time });
        let held = self.spendings.iter().filter(|spending| spending.state == State::Reserved);
        lots.chain(held.filter_map(|held| held.hold_expire_time)).min()
    }

    fn expire(&mut self, at: usize, time: Time) {
        let lot = &mut self.lots[at];
        let points = std::mem::take(&mut lot.remaining);
        let column = if lot.pending { &mut self.wallet.pending } else { &mut self.wallet.available };
        *column -= points;
        let pieces = vec![Piece { lot: lot.id, points, back: 0, expire_time: lot.expire_time }];
        let subject = Subject { booking: lot.booking, ..Subject::default() };
        self.record(Cause::Expire, (-points, 0), pieces, None, &subject, time);
    }

    /// What is owed is paid by what is available, that which expires first.
    pub(super) fn pay_debt(&mut self) {
        let paid = self.wallet.owed.min(self.wallet.available);
        if paid > 0 {
            self.draw(paid);
            self.wallet.available -= paid;
            self.wallet.owed -= paid;
        }
    }

    /// Takes points out of the lots that expire first, so many as there are at most.
    pub(super) fn draw(&mut self, points: i64) -> Vec<Piece> {
        let mut order: Vec<_> = (0..self.lots.len()).filter(|at| self.is_live(*at)).collect();
        order.sort_by_key(|at| (self.lots[*at].expire_time, self.lots[*at].id));
        let (mut left, mut pieces) = (points, Vec::new());
        for at in order {
            let lot = &mut self.lots[at];
            let points = left.min(lot.remaining);
            if points == 0 {
                break;
            }
            lot.remaining -= points;
            left -= points;
            pieces.push(Piece { lot: lot.id, points, back: 0, expire_time: lot.expire_time });
        }
        pieces
    }

    fn is_live(&self, at: usize) -> bool {
        !self.lots[at].pending && self.lots[at].remaining > 0
    }

    fn take(&mut self, wanted: i64) -> Result<Vec<Piece>, NotEnough> {
        if wanted > self.wallet.available {
            return Err(NotEnough { available: self.wallet.available, wanted });
        }
        self.wallet.available -= wanted;
        Ok(self.draw(wanted))
    }

    /// Points come; what is owed is paid first.
    pub(in crate::point) fn add(&mut self, ids: &Ids, new: &NewLot, subject: &Subject) -> LotId {
        let pending = new.available_time > self.now;
        let lot = Lot {
            id: LotId::new(ids, self.now),
            cause: new.cause.name().to_owned(),
            reference: subject.reference.clone(),
            booking: subject.booking,
            points: new.points,
            remaining: new.points,
            base: new.base,
            above: 0,
            clawed: 0,
            written_off: 0,
            pending,
            available_time: new.available_time.max(self.now),
            expire_time: new.expire_time,
            create_time: self.now,
        };
        let (id, expire_time) = (lot.id, lot.expire_time);
        self.lots.push(lot);
        *(if pending { &mut self.wallet.pending } else { &mut self.wallet.available }) += new.points;
        let pieces = vec![Piece { lot: id, points: new.points, back: 0, expire_time }];
        self.record(new.cause, (new.points, 0), pieces, None, subject, self.now);
        self.pay_debt();
        id
    }

    /// Takes points away for good.
    pub(in crate::point) fn remove(
        &mut self,
        cause: Cause,
        points: i64,
        subject: &Subject,
    ) -> Result<Vec<Piece>, NotEnough> {
        let pieces = self.take(points)?;
        self.record(cause, (-points, 0), pieces.clone(), None, subject, self.now);
        Ok(pieces)
    }

    /// Spends points, or sets them aside until a moment.
    pub(in crate::point) fn spend(
        &mut self,
        id: SpendingId,
        points: i64,
        held: Option<Option<Time>>,
        subject: &Subject,
    ) -> Result<Spending, NotEnough> {
        let pieces = self.take(points)?;
        let (cause, state, aside) = match held {
            Some(_) => (Cause::Reserve, State::Reserved, points),
            None => (Cause::Spend, State::Spent, 0),
        };
        self.wallet.reserved += aside;
        self.record(cause, (-points, aside), pieces.clone(), Some(id), subject, self.now);
        let spending = Spending {
            id,
            member: self.wallet.member,
            booking: subject.booking,
            state,
            points,
            given_back: 0,
            pieces,
            reference: subject.reference.clone(),
            hold_expire_time: held.flatten(),
            wallet_version: self.wallet.version,
            actor: subject.actor.clone(),
            create_time: self.now,
            update_time: self.now,
        };
        self.spendings.push(spending.clone());
        Ok(spending)
    }

    /// What came back to lots whose time was over by then expires at once: it pays nothing.
    pub(super) fn lapse(&mut self, time: Time) {
        for at in 0..self.lots.len() {
            if self.is_live(at) && self.lots[at].expire_time <= time {
                self.expire(at, time);
            }
        }
    }

    pub(super) fn refill(&mut self, id: LotId, points: i64) {
        let lot = self.lots.iter_mut().find(|lot| lot.id == id);
        lot.expect("a wallet that lacks a lot of a spending is not loaded").remaining += points;
    }

    /// Gives spent points back to the very lots, those that were taken last first; those of lots that have expired in a new lot
    /// that is good until `grace`, or they expire.
    pub(in crate::point) fn give_back(
        &mut self,
        ids: &Ids,
        id: SpendingId,
        points: i64,
        grace: Option<Time>,
        subject: &Subject,
    ) -> GivenBack {
        let Some(at) = self.spendings.iter().position(|one| one.id == id && one.state == State::Spent) else {
            return GivenBack::default();
        };
        let mut spending = self.spendings[at].clone();
        let points = points.min(spending.left());
        if points <= 0 {
            return GivenBack::default();
        }
        let (mut left, mut back, mut pieces, mut renewed) = (points, GivenBack::default(), Vec::new(), Vec::new());
        for piece in spending.pieces.iter_mut().rev() {
            let part = left.min(piece.points - piece.back);
            if part == 0 {
                continue;
            }
            (left, piece.back) = (left - part, piece.back + part);
            let expired = piece.expire_time <= self.now;
            let came = Piece { points: part, back: 0, ..*piece };
            match expired {
                false => back.restored += part,
                true if grace.is_some() => back.renewed += part,
                true => back.lapsed += part,
            }
            if expired && grace.is_some() {
                renewed.push(came);
            } else {
                self.refill(piece.lot, part);
                pieces.push(came);
            }
        }
        let subject = Subject { booking: spending.booking, ..subject.clone() };
        let restored = back.restored + back.lapsed;
        if restored > 0 {
            self.wallet.available += restored;
            self.record(Cause::Cancel, (restored, 0), pieces.clone(), Some(id), &subject, self.now);
            self.lapse(self.now);
            self.pay_debt();
        }
        if let Some(expire_time) = grace.filter(|_| back.renewed > 0) {
            let (cause, points, available_time) = (Cause::Cancel, back.renewed, self.now);
            self.add(ids, &NewLot { cause, points, base: None, available_time, expire_time }, &subject);
            self.movements.last_mut().expect("the lot's").spending = Some(id);
        }
        pieces.retain(|piece| piece.expire_time > self.now);
        self.take_written_off(pieces.iter().chain(&renewed));
        spending.given_back += points;
        spending.update_time = self.now;
        self.spendings[at] = spending;
        back
    }

    pub(super) fn record(
        &mut self,
        cause: Cause,
        (amount, held): (i64, i64),
        pieces: Vec<Piece>,
        spending: Option<SpendingId>,
        subject: &Subject,
        effective_time: Time,
    ) {
        self.wallet.movement_count += 1;
        self.movements.push(Movement {
            number: self.wallet.movement_count,
            cause,
            amount,
            held,
            balance: self.wallet.balance(),
            pieces,
            booking: subject.booking,
            spending,
            reference: subject.reference.clone(),
            effective_time,
        });
    }

    /// Its next version, once something was done.
    pub(in crate::point) fn seal(&mut self) {
        self.wallet.version += 1;
        self.wallet.change_time = self.change_time();
        let version = self.wallet.version;
        for spending in self.spendings.iter_mut().filter(|spending| spending.update_time == self.now) {
            spending.wallet_version = version;
        }
    }
}
