//! Moving a booking to other dates: quoted, then done as quoted, in one step.

use std::slice;

use uuid::Uuid;

use super::error::BookingError;
use super::model::{Booking, Event, Line, State};
use super::quote::line_of;
use super::token::{self, ChangeQuote, QuotedLine, QuotedTerms};
use super::{Bookings, store};
use crate::coupon::apply::Discount;
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::clock::Time;
use crate::kit::date::Nights;
use crate::kit::id::BookingId;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::stay::model::{Guests, RefundTerms, Wanted};

/// The price of other dates, signed.
#[derive(Clone, Debug)]
pub(super) struct QuotedChange {
    pub(super) token: String,
    pub(super) booking: Booking,
    pub(super) line: Line,
    pub(super) discounts: Vec<Discount>,
    /// Those of the new dates: season and weekend may be others.
    pub(super) terms: RefundTerms,
    pub(super) fee_floor: i64,
    pub(super) expire_time: Time,
}

impl QuotedChange {
    /// What the booking costs then.
    pub(super) fn total(&self) -> i64 {
        self.booking.price(slice::from_ref(&self.line), &self.discounts).1
    }

    /// How many points it is paid by then.
    pub(super) fn points(&self) -> i64 {
        self.booking.price(slice::from_ref(&self.line), &self.discounts).0
    }

    /// What there is to pay in addition, and what is given back.
    pub(super) fn difference(&self) -> (i64, i64) {
        let paid =
            if self.booking.is_settled() { self.total() - (self.booking.kept() - self.booking.withheld) } else { 0 };
        (paid.max(0), (-paid).max(0))
    }
}

impl Bookings {
    /// Prices a move to other dates, and signs the price.
    pub(super) async fn quote_change(
        &self,
        caller: &Member,
        id: BookingId,
        nights: Nights,
    ) -> Result<QuotedChange, Error> {
        let booking = self.own(caller.id, id).await?;
        self.decide(&booking, Event::Change)?;
        let [line] = &booking.lines[..] else { return Err(Error::internal("a booking of stays has one line")) };
        let guests = Guests::new(line.adults, line.children).map_err(|error| Error::internal(error.to_string()))?;
        let ask = Wanted::new(nights, guests, line.rooms).map_err(|error| Error::internal(error.to_string()))?;
        let own = [Some(line.nights), self.held_beside(id).await?];
        let own: Vec<_> = own.into_iter().flatten().collect();
        let offer = self.stays.offer_again(line.room_type, line.rate_plan, ask, &own).await?;
        let now = self.kit.clock.now();
        let expire_time = now + self.settings.quote;
        let line = line_of(&offer);
        // A move gives no other day to think again.
        let terms = offer.terms.clone().booked_at(booking.zone, booking.create_time);
        let discounts = self.discounts_again(&booking, &offer).await?;
        // Moved far ahead and then cancelled, a booking would escape the fee that is due now: it stays due.
        let fee = booking.refund_at(now);
        let fee_floor = if booking.is_settled() { fee.fee + fee.fee_points } else { 0 };
        // Nor does a change give back what a cancellation would not.
        let (points, total) = booking.price(slice::from_ref(&line), &discounts);
        if points + total < fee_floor {
            let (fee, price) = (booking.money(fee_floor), booking.money(points + total));
            return Err(BookingError::Blocked {
                booking: id,
                action: Event::Change.name(),
                state: booking.state,
                why: format!("a cancellation now would keep {fee}, and the new dates cost only {price}"),
            }
            .into());
        }
        let quote = ChangeQuote {
            member: caller.id,
            booking: id,
            version: booking.version,
            line: QuotedLine::from(&line),
            discounts: discounts.clone(),
            terms: Some(QuotedTerms::from(&terms)),
            fee_floor,
            expire_time,
        };
        let token = token::seal(&self.kit, &quote)?;
        Ok(QuotedChange { token, booking, line, discounts, terms, fee_floor, expire_time })
    }

    /// Moves a booking to the dates of a quote.
    pub(super) async fn change(
        &self,
        caller: &Member,
        id: BookingId,
        quote_token: &str,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, "ChangeBooking", key, load, async |record| {
                let before = self.own(caller.id, id).await?;
                let after = self.decide(&before, Event::Change)?;
                let quote: ChangeQuote = token::open(&self.kit, caller.id, quote_token)?;
                if (quote.booking, quote.version) != (id, before.version) {
                    return Err(BookingError::QuoteInvalid("the booking has changed since, or is another one").into());
                }
                let (lines, discounts) = (vec![quote.line.line()?], quote.discounts);
                let terms = quote.terms.map_or(Ok(after.terms.clone()), QuotedTerms::terms)?;
                let after = moved(&before, Booking { lines, discounts, terms, ..after }, quote.fee_floor);
                self.evicting(async || self.change_on(caller, &before, &after, &record).await).await
            })
            .await
    }

    async fn change_on(
        &self,
        caller: &Member,
        before: &Booking,
        after: &Booking,
        record: &Record,
    ) -> Result<Booking, Error> {
        let actor = caller.actor();
        let paid = before.state == State::Confirmed;
        let refund = if paid { before.kept() - before.withheld - after.total.minor } else { 0 };
        if refund < 0 {
            return Err(BookingError::Blocked {
                booking: before.id,
                action: Event::Change.name(),
                state: before.state,
                why: format!(
                    "the new dates cost {} more; PreparePayment with this quote pays it",
                    after.money(-refund)
                ),
            }
            .into());
        }
        // What was refused before pays the new dates, or goes back with the rest.
        let after = Booking { refunded: before.refunded + refund, refund_due: 0, ..after.clone() };
        self.kit
            .db
            .write(async |tx| {
                self.put(&tx, before, &after, Event::Change, &actor).await?;
                store::replace_lines(&tx, &after).await?;
                // Room types are locked before nights.
                let wanted = self.wanted(&tx, &after.lines).await?;
                // The old nights first, so that those that stay can be taken again: nobody else sees them free meanwhile.
                self.release_all(&tx, before.id).await?;
                self.inventory.hold(&tx, before.id, &wanted, after.expire_time).await?;
                if paid {
                    self.inventory.sell(&tx, before.id).await?;
                }
                let (currency, discounts) = (after.total.currency, &after.discounts);
                self.coupons.replace(&tx, before.id, currency, discounts, &actor).await?;
                self.change_points(&tx, before, &after, &actor).await?;
                self.give_back(&tx, before, refund, "changed", &actor).await?;
                record.put(&tx, before.id.0).await
            })
            .await?;
        Ok(after)
    }
}

/// A booking at other dates: it keeps its points as far as they pay for them.
pub(super) fn moved(before: &Booking, after: Booking, fee_floor: i64) -> Booking {
    let (points, total) = before.price(&after.lines, &after.discounts);
    let let_go = before.points - before.points_back - points;
    // Before they are spent they are only fewer; behind that some came back.
    let (points, points_back) = match before.is_settled() {
        true => (before.points, before.points_back + let_go),
        false => (points, 0),
    };
    let fee_floor = fee_floor.min(total + points - points_back);
    Booking { total: before.money(total), points, points_back, fee_floor, ..after }
}
