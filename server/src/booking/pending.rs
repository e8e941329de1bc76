//! A move of a paid booking to dearer dates: its nights are held while the difference is paid, and the payment moves it.
//!
//! What it is for stands in a row of its own. The booking changes once, when the money is there, in the transaction that
//! records it; until then, and when the money never comes or comes too late, it is as it was.

use super::change::moved;
use super::error::BookingError;
use super::model::{Booking, Event, Line, State};
use super::token::{self, ChangeQuote, QuotedTerms};
use super::{Bookings, store};
use crate::backend::bus::ROOMS;
use crate::coupon::apply::Discount;
use crate::error::Error;
use crate::inventory::{PENDING_LINE, Wanted};
use crate::kit::caller::{Actor, Member};
use crate::kit::clock::Time;
use crate::kit::date::Nights;
use crate::kit::id::{BookingId, ChangeId};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::payment::payable::{Bill, Received};
use crate::stay::model::RefundTerms;

/// A change that is to be paid.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PendingChange {
    pub(super) booking: BookingId,
    pub(super) id: ChangeId,
    /// Of the booking that it moves.
    pub(super) version: i64,
    pub(super) line: Line,
    pub(super) discounts: Vec<Discount>,
    /// None of one that an earlier release has put there.
    pub(super) terms: Option<RefundTerms>,
    pub(super) due: i64,
    pub(super) fee_floor: i64,
    /// None while a provider is being asked for the money.
    pub(super) expire_time: Option<Time>,
    pub(super) limit_time: Time,
}

impl PendingChange {
    /// Whether its nights are held for it: it has time, or its payment is under way.
    fn is_live(&self, now: Time) -> bool {
        self.expire_time.is_none_or(|expires| expires > now)
    }
}

const OVER: &str = "the booking has changed since, or the time to pay is over; ask for a new quote";

impl Bookings {
    /// What a move to the dates of a quote costs more.
    pub(super) async fn bill_of_change(&self, payer: &Member, id: BookingId, quote: &str) -> Result<Bill, Error> {
        let booking = self.own(payer.id, id).await?;
        self.decide(&booking, Event::Change)?;
        let quote: ChangeQuote = token::open(&self.kit, payer.id, quote)?;
        if (quote.booking, quote.version) != (id, booking.version) {
            return Err(BookingError::QuoteInvalid("the booking has changed since, or is another one").into());
        }
        let nights = (quote.line.check_in, quote.line.check_out);
        let due = booking.price(&[quote.line.line()?], &quote.discounts).1 - booking.kept() + booking.withheld;
        if booking.state != State::Confirmed || due <= 0 {
            return Err(blocked(&booking, "nothing is due for this change; ChangeBooking moves the booking"));
        }
        let now = self.kit.clock.now();
        Ok(Bill {
            booking: id,
            change: Some(ChangeId::new(&self.kit.ids, now)),
            payer: booking.member,
            seller: booking.seller,
            amount: booking.money(due),
            name: format!("{}, {} ~ {}", booking.property_name, nights.0, nights.1),
            expire_time: now + self.settings.hold,
        })
    }

    /// Holds the nights that a change needs in addition, and what its coupons take off more of their budgets. The same quote again has the same change, held longer.
    pub(super) async fn set_change_aside(&self, tx: &Tx, bill: Bill, quote: &str) -> Result<Bill, Error> {
        let Some(id) = bill.change else { return Ok(bill) };
        let booking = self.load_in(tx, bill.booking).await?;
        let quote: ChangeQuote = token::open(&self.kit, bill.payer, quote)?;
        if quote.version != booking.version {
            return Err(Error::lost(booking.id));
        }
        store::pending::lock(tx, &booking).await?;
        let (now, line, discounts) = (self.kit.clock.now(), quote.line.line()?, quote.discounts);
        let terms = quote.terms.map(QuotedTerms::terms).transpose()?;
        let known = store::pending::of(&**tx, booking.id).await?.filter(|known| known.is_live(now));
        let same = |known: &&PendingChange| {
            let agreed = (&known.line, &known.discounts, &known.terms);
            known.version == booking.version && agreed == (&line, &discounts, &terms)
        };
        if let Some(known) = known.as_ref().filter(same) {
            let expire_time = bill.expire_time.min(known.limit_time);
            if known.expire_time.is_some() {
                // The fee that a later quote tells of is the one that stays due.
                let known = PendingChange { fee_floor: quote.fee_floor, ..known.clone() };
                self.keep_pending(tx, &known, Some(expire_time)).await?;
            }
            return Ok(Bill { change: Some(known.id), expire_time, ..bill });
        }
        let pending = PendingChange {
            booking: booking.id,
            id,
            version: booking.version,
            due: bill.amount.minor,
            fee_floor: quote.fee_floor,
            expire_time: Some(bill.expire_time),
            limit_time: now + self.settings.longest_hold,
            line,
            discounts,
            terms,
        };
        // Room types are locked before nights.
        let more = self.more_nights(tx, &booking, &pending.line).await?;
        self.inventory.release_pending(tx, booking.id).await?;
        self.inventory.hold(tx, booking.id, &more, pending.expire_time).await?;
        self.coupons.set_aside(tx, booking.id, booking.total.currency, &pending.discounts).await?;
        store::pending::put(tx, &pending).await?;
        self.tell_others(tx);
        Ok(bill)
    }

    /// A provider is about to be asked for the money of a change: its nights are kept until the answer is final.
    pub(super) async fn begin_change(&self, tx: &Tx, id: BookingId, change: ChangeId, due: Money) -> Result<(), Error> {
        let booking = self.load_in(tx, id).await?;
        store::pending::lock(tx, &booking).await?;
        let pending = self.pending(tx, &booking, change, due).await?.ok_or_else(|| blocked(&booking, OVER))?;
        if pending.expire_time.is_some() {
            self.keep_pending(tx, &pending, None).await?;
        }
        Ok(())
    }

    /// The money of a change was taken: the booking moves, or the money goes back.
    pub(super) async fn change_paid(
        &self,
        tx: &Tx,
        before: &Booking,
        change: ChangeId,
        amount: Money,
        actor: &Actor,
    ) -> Result<Received, Error> {
        let id = before.id;
        store::pending::lock(tx, before).await?;
        let Some(pending) = self.pending(tx, before, change, amount).await? else {
            // Of another change that waits, nothing is taken.
            if store::pending::of(&**tx, id).await?.is_some_and(|other| other.id == change) {
                self.drop_pending(tx, id).await?;
            }
            return Ok(Received::GiveBack);
        };
        let (lines, discounts) = (vec![pending.line], pending.discounts);
        let after = self.decide(before, Event::Change)?;
        let terms = pending.terms.unwrap_or_else(|| after.terms.clone());
        let after = moved(before, Booking { lines, discounts, terms, ..after }, pending.fee_floor);
        let total = after.total;
        let after = Booking {
            paid: before.paid + amount.minor,
            // What was refused before pays the new dates.
            refund_due: 0,
            ..after
        };
        self.put(tx, before, &after, Event::Change, actor).await?;
        store::replace_lines(tx, &after).await?;
        // Room types are locked before nights.
        let wanted = self.wanted(tx, &after.lines).await?;
        // All of them, so that those that stay can be taken again: nobody else sees them free meanwhile.
        self.release_all(tx, id).await?;
        self.inventory.hold(tx, id, &wanted, None).await?;
        self.inventory.sell(tx, id).await?;
        self.coupons.replace(tx, id, total.currency, &after.discounts, actor).await?;
        self.change_points(tx, before, &after, actor).await?;
        Ok(Received::Accepted)
    }

    /// No money was taken for a change: there is time for another card, within its hold's absolute life.
    pub(super) async fn change_not_paid(&self, tx: &Tx, id: BookingId, change: ChangeId) -> Result<(), Error> {
        let booking = self.load_in(tx, id).await?;
        store::pending::lock(tx, &booking).await?;
        let Some(pending) = store::pending::of(&**tx, id).await?.filter(|pending| pending.id == change) else {
            return Ok(());
        };
        let now = self.kit.clock.now();
        let expire_time = (now + self.settings.hold).min(pending.limit_time);
        match pending.version == booking.version && expire_time > now {
            true => self.keep_pending(tx, &pending, Some(expire_time)).await,
            false => self.drop_pending(tx, id).await,
        }
    }

    /// Ends the change of a booking that was not paid in time; whether there was one.
    pub(super) async fn expire_change(&self, tx: &Tx, booking: &Booking) -> Result<bool, Error> {
        let now = self.kit.clock.now();
        let is_over = async || {
            let pending = store::pending::of(&**tx, booking.id).await?;
            Ok::<_, Error>(pending.is_some_and(|pending| !pending.is_live(now)))
        };
        if !is_over().await? {
            return Ok(false);
        }
        store::pending::lock(tx, booking).await?;
        // Another may have taken its place before the lock.
        if !is_over().await? {
            return Ok(false);
        }
        self.drop_pending(tx, booking.id).await?;
        Ok(true)
    }

    /// The nights of a change that is to be paid: who asks for other dates would give them up.
    pub(super) async fn held_beside(&self, id: BookingId) -> Result<Option<Nights>, Error> {
        let pending = store::pending::of(self.kit.db.read(), id).await?;
        Ok(pending.filter(|pending| pending.is_live(self.kit.clock.now())).map(|pending| pending.line.nights))
    }

    /// Gives back all that a booking has and holds.
    pub(super) async fn release_all(&self, tx: &Tx, id: BookingId) -> Result<(), Error> {
        self.inventory.release(tx, id).await?;
        store::pending::delete(tx, id).await
    }

    /// The change that an attempt pays, while it may still happen as it was quoted.
    async fn pending(
        &self,
        tx: &Tx,
        booking: &Booking,
        change: ChangeId,
        due: Money,
    ) -> Result<Option<PendingChange>, Error> {
        let now = self.kit.clock.now();
        let may = booking.state == State::Confirmed && booking.blocked(Event::Change, now).is_none();
        let found = store::pending::of(&**tx, booking.id).await?;
        Ok(found.filter(|pending| {
            let same = (pending.id, pending.version, pending.due) == (change, booking.version, due.minor);
            may && same && due.currency == booking.total.currency && pending.is_live(now)
        }))
    }

    async fn keep_pending(&self, tx: &Tx, pending: &PendingChange, expire_time: Option<Time>) -> Result<(), Error> {
        self.inventory.extend(tx, pending.booking, expire_time).await?;
        store::pending::put(tx, &PendingChange { expire_time, ..pending.clone() }).await?;
        self.tell_others(tx);
        Ok(())
    }

    async fn drop_pending(&self, tx: &Tx, id: BookingId) -> Result<(), Error> {
        self.inventory.release_pending(tx, id).await?;
        self.coupons.give_up_set_aside(tx, id).await?;
        store::pending::delete(tx, id).await?;
        self.tell_others(tx);
        Ok(())
    }

    /// Other processes count the rooms anew: what is held beside a booking leaves no event of it.
    fn tell_others(&self, tx: &Tx) {
        let bus = self.bus.clone();
        tx.on_commit(move || bus.publish(ROOMS));
    }

    /// The nights of a line that a booking has not yet.
    async fn more_nights(&self, tx: &Tx, booking: &Booking, line: &Line) -> Result<Vec<Wanted>, Error> {
        let [has] = &booking.lines[..] else { return Err(Error::internal("a booking of stays has one line")) };
        let (new, old) = (line.nights, has.nights);
        let before = Nights::between(new.check_in(), new.check_out().min(old.check_in().max(new.check_in())));
        let behind = Nights::between(new.check_in().max(old.check_out().min(new.check_out())), new.check_out());
        let more = [before, behind].into_iter().filter_map(Result::ok);
        let lines: Vec<_> = more.map(|nights| Line { nights, ..line.clone() }).collect();
        let mut wanted = self.wanted(tx, &lines).await?;
        for (one, number) in wanted.iter_mut().zip(PENDING_LINE..) {
            one.line = number;
        }
        Ok(wanted)
    }
}

fn blocked(booking: &Booking, why: &str) -> Error {
    let (action, state) = ("pay for the change", booking.state);
    BookingError::Blocked { booking: booking.id, action, state, why: why.to_owned() }.into()
}
