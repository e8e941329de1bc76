//! Moving a booking to other dates: quoted, then done as quoted, in one step.

use uuid::Uuid;

use super::error::BookingError;
use super::model::{Booking, Event, Line, State};
use super::quote::line_of;
use super::token::{self, ChangeQuote, QuotedLine};
use super::{Bookings, store};
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::clock::Time;
use crate::kit::date::Nights;
use crate::kit::id::BookingId;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::stay::model::{Guests, Wanted};

/// The price of other dates, signed.
#[derive(Clone, Debug)]
pub(super) struct QuotedChange {
    pub(super) token: String,
    pub(super) booking: Booking,
    pub(super) line: Line,
    pub(super) fee_floor: i64,
    pub(super) expire_time: Time,
}

impl QuotedChange {
    /// What there is to pay in addition, and what is given back.
    pub(super) fn difference(&self) -> (i64, i64) {
        let paid = if self.booking.paid > 0 { self.line.amount() - self.booking.kept() } else { 0 };
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
        let offer = self.stays.offer_again(line.room_type, line.rate_plan, ask, line.nights).await?;
        let now = self.kit.clock.now();
        let expire_time = now + self.settings.quote;
        let line = line_of(&offer);
        // Moved far ahead and then cancelled, a booking would escape the fee that is due now: it stays due.
        let fee_floor = if booking.paid > 0 { booking.refund_at(now).fee } else { 0 };
        let quote = ChangeQuote {
            member: caller.id,
            booking: id,
            version: booking.version,
            line: QuotedLine::from(&line),
            fee_floor,
            expire_time,
        };
        Ok(QuotedChange { token: token::seal(&self.kit, &quote)?, booking, line, fee_floor, expire_time })
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
                let line = quote.line.line()?;
                let total = before.money(line.amount());
                let fee_floor = quote.fee_floor.min(total.minor);
                let after = Booking { lines: vec![line], total, fee_floor, ..after };
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
        let refund = if paid { before.kept() - after.total.minor } else { 0 };
        if refund < 0 {
            return Err(BookingError::Blocked {
                booking: before.id,
                action: Event::Change.name(),
                state: before.state,
                why: format!("the new dates cost {} more; book them, and cancel this one", after.money(-refund)),
            }
            .into());
        }
        let after = Booking { refunded: before.refunded + refund, ..after.clone() };
        self.kit
            .db
            .write(async |tx| {
                self.put(&tx, before, &after, Event::Change, &actor).await?;
                store::replace_lines(&tx, &after).await?;
                // The old nights first, so that those that stay can be taken again: nobody else sees them free meanwhile.
                self.inventory.release(&tx, before.id).await?;
                self.inventory.hold(&tx, before.id, &self.wanted(&tx, &after.lines).await?, after.expire_time).await?;
                if paid {
                    self.inventory.sell(&tx, before.id).await?;
                }
                self.give_back(&tx, before, refund, "changed", &actor).await?;
                record.put(&tx, before.id.0).await
            })
            .await?;
        Ok(after)
    }
}
