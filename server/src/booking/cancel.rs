//! Cancelling: quoted, then done as quoted.

use uuid::Uuid;

use super::Bookings;
use super::error::BookingError;
use super::model::{Booking, Cancellation, Event, Party, Refund};
use super::token::{self, CancellationQuote};
use crate::error::Error;
use crate::kit::caller::{Actor, Member, Seller};
use crate::kit::clock::Time;
use crate::kit::id::BookingId;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Cause, Transfer};

/// What a cancellation would give back, signed.
#[derive(Clone, Debug)]
pub(super) struct QuotedCancellation {
    pub(super) token: String,
    pub(super) booking: Booking,
    pub(super) refund: Refund,
    pub(super) expire_time: Time,
}

impl Bookings {
    /// Tells what a cancellation now would give back, and signs it.
    pub(super) async fn quote_cancellation(&self, caller: &Member, id: BookingId) -> Result<QuotedCancellation, Error> {
        let booking = self.own(caller.id, id).await?;
        self.decide(&booking, Event::Cancel)?;
        let now = self.kit.clock.now();
        let refund = booking.refund_at(now);
        let expire_time = now + self.settings.quote;
        let quote = CancellationQuote {
            member: caller.id,
            booking: id,
            version: booking.version,
            refund: refund.refund,
            fee: refund.fee,
            points: refund.points,
            fee_points: refund.fee_points,
            expire_time,
        };
        Ok(QuotedCancellation { token: token::seal(&self.kit, &quote)?, booking, refund, expire_time })
    }

    /// Cancels a booking of the caller as quoted.
    pub(super) async fn cancel(
        &self,
        caller: &Member,
        id: BookingId,
        quote_token: &str,
        reason: &str,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, "CancelBooking", key, load, async |record| {
                let before = self.own(caller.id, id).await?;
                let after = self.decide(&before, Event::Cancel)?;
                let quote: CancellationQuote = token::open(&self.kit, caller.id, quote_token)?;
                if (quote.booking, quote.version) != (id, before.version) {
                    return Err(BookingError::QuoteInvalid("the booking has changed since, or is another one").into());
                }
                let CancellationQuote { fee, refund, points, fee_points, .. } = quote;
                let terms = Terms { party: Party::Guest, fee, refund, points, fee_points, reason };
                self.cancel_on(&before, after, terms, &caller.actor(), &record).await
            })
            .await
    }

    /// Cancels a booking at one of the caller's properties: the guest gets everything back.
    pub(super) async fn cancel_by_seller(
        &self,
        caller: &Seller,
        id: BookingId,
        reason: &str,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, "CancelSellerBooking", key, load, async |record| {
                let before = self.sold_by(caller.id, id).await?;
                let after = self.decide(&before, Event::Cancel)?;
                let (refund, points) = (before.kept() - before.withheld, before.spent_points());
                let terms = Terms { party: Party::Seller, fee: 0, refund, points, fee_points: 0, reason };
                self.cancel_on(&before, after, terms, &caller.actor(), &record).await
            })
            .await
    }

    async fn cancel_on(
        &self,
        before: &Booking,
        after: Booking,
        terms: Terms<'_>,
        actor: &Actor,
        record: &Record,
    ) -> Result<Booking, Error> {
        let Terms { party, fee, refund, points, fee_points, reason } = terms;
        let (time, reason) = (after.update_time, reason.to_owned());
        let cancellation = Cancellation { party, time, fee, refund, reason, points, fee_points };
        let after = Booking {
            expire_time: None,
            fee,
            earned: before.earned + fee,
            refunded: before.refunded + refund,
            points_back: before.points_back + points,
            point_share: fee_points,
            // Everything but the fee goes back, what was refused before too.
            refund_due: 0,
            cancellation: Some(cancellation),
            ..after
        };
        self.kit
            .db
            .write(async |tx| {
                self.put(&tx, before, &after, Event::Cancel, actor).await?;
                self.release_all(&tx, before.id).await?;
                self.coupons.release(&tx, before.id, actor).await?;
                self.cancel_points(&tx, before, points, actor).await?;
                self.give_back(&tx, before, refund, "cancelled", actor).await?;
                self.keep_fee(&tx, &after).await?;
                self.earn_point_share(&tx, &after).await?;
                record.put(&tx, before.id.0).await
            })
            .await?;
        Ok(after)
    }

    /// Sends part of what was paid back to where it came from.
    pub(super) async fn give_back(
        &self,
        tx: &Tx,
        booking: &Booking,
        refund: i64,
        reason: &str,
        actor: &Actor,
    ) -> Result<(), Error> {
        match refund {
            0 => Ok(()),
            refund => self.payments.refund_booking(tx, booking.id, booking.money(refund), reason, actor).await,
        }
    }

    /// What is kept of a booking that was not used is the seller's.
    pub(super) async fn keep_fee(&self, tx: &Tx, booking: &Booking) -> Result<(), Error> {
        if booking.fee == 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Booking(booking.id),
            credit: Account::Seller(booking.seller),
            amount: booking.money(booking.fee),
            cause: Cause::CancellationFee,
            cause_id: booking.id.to_string(),
            booking: Some(booking.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }
}

/// On what terms a booking is cancelled.
struct Terms<'a> {
    party: Party,
    fee: i64,
    refund: i64,
    points: i64,
    fee_points: i64,
    reason: &'a str,
}
