//! The one way in which a booking moves.

use uuid::Uuid;
use yeyak_proto::yeyak::booking::v1 as pb;

use super::error::BookingError;
use super::model::{Booking, Event, State};
use super::{Bookings, convert, store};
use crate::backend::bus::ROOMS;
use crate::error::{Error, NotFound};
use crate::kit::caller::Actor;
use crate::kit::id::BookingId;
use crate::kit::idempotency::Record;
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;

impl Bookings {
    /// The booking behind an event, if it may happen now: its state moved and its version grown. What else changes is set
    /// by the caller.
    pub(super) fn decide(&self, before: &Booking, event: Event) -> Result<Booking, Error> {
        let now = self.kit.clock.now();
        let state = before.state_at(now);
        if let Some(why) = before.blocked(event, now) {
            let expired =
                state == State::Expired && matches!(event, Event::BeginPayment | Event::Extend | Event::Approve);
            return Err(match expired {
                true => BookingError::Expired(before.id),
                false => BookingError::Blocked { booking: before.id, action: event.name(), state, why },
            }
            .into());
        }
        let next = state.on(event).ok_or_else(|| Error::internal("an event that is not blocked leads somewhere"))?;
        Ok(Booking { state: next, version: before.version + 1, update_time: now, ..before.clone() })
    }

    /// Writes a decided move, unless the booking has moved since; with its event, its news, and its watchers woken.
    pub(super) async fn put(
        &self,
        tx: &Tx,
        before: &Booking,
        after: &Booking,
        event: Event,
        actor: &Actor,
    ) -> Result<(), Error> {
        store::update(tx, before, after).await?;
        self.announce(tx, Some(before.state), after, event.name(), actor).await
    }

    /// Records and publishes that a booking has come to where it is.
    pub(super) async fn announce(
        &self,
        tx: &Tx,
        from: Option<State>,
        booking: &Booking,
        cause: &str,
        actor: &Actor,
    ) -> Result<(), Error> {
        store::insert_event(tx, booking, from, cause, actor).await?;
        let news = pb::BookingChanged {
            booking_id: booking.id.to_string(),
            from: from.map(convert::state).unwrap_or_default().into(),
            to: convert::state(booking.state).into(),
            cause: cause.to_owned(),
            member_id: booking.member.to_string(),
            seller_id: booking.seller.to_string(),
        };
        let (bus, id) = (self.bus.clone(), booking.id.0);
        tx.on_commit(move || {
            bus.publish(id);
            bus.publish(ROOMS);
        });
        self.kit.outbox.put(tx, Cause { aggregate: booking.id.0, version: booking.version, actor }, &news);
        Ok(())
    }

    /// A booking by its id, whosever it is.
    pub(super) async fn load(&self, id: BookingId) -> Result<Booking, Error> {
        let found = store::find(self.kit.db.read(), &self.kit, id).await?;
        Ok(found.ok_or_else(|| NotFound::new("booking", id))?)
    }

    /// A booking as its own transaction sees it, and keeps it until it ends.
    pub(super) async fn load_in(&self, tx: &Tx, id: BookingId) -> Result<Booking, Error> {
        let found = store::find_in(tx, &self.kit, id).await?;
        Ok(found.ok_or_else(|| NotFound::new("booking", id))?)
    }

    /// A move that changes nothing but the booking itself and, perhaps, its nights.
    pub(super) async fn simple_move<F, Fut>(
        &self,
        before: &Booking,
        after: Booking,
        event: Event,
        actor: &Actor,
        record: &Record,
        also: F,
    ) -> Result<Booking, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(), Error>>,
    {
        self.kit
            .db
            .write(async |tx| {
                self.put(&tx, before, &after, event, actor).await?;
                also(tx.clone()).await?;
                record.put(&tx, after.id.0).await
            })
            .await?;
        Ok(after)
    }

    /// What a repeated request is answered with: the booking as it is now.
    pub(super) async fn replay(&self, id: Uuid) -> Result<Booking, Error> {
        self.load(BookingId(id)).await
    }
}
