//! The life of a booking beside paying: longer held, answered by the seller, used.

use uuid::Uuid;

use super::model::{Booking, Cancellation, Event, Party, State};
use super::{Bookings, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::{Actor, Member, Seller};
use crate::kit::id::{BookingId, MemberId};
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Cause, Transfer};

impl Bookings {
    /// Holds a booking of the caller longer.
    pub(super) async fn extend(
        &self,
        caller: &Member,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, "ExtendBooking", key, load, async |record| {
                let before = self.own(caller.id, id).await?;
                let after = self.decide(&before, Event::Extend)?;
                let wanted = self.kit.clock.now() + self.settings.hold;
                let expire_time = Some(wanted.min(before.hold_limit_time).max(before.expire_time.unwrap_or(wanted)));
                let after = Booking { expire_time, ..after };
                let extend = async |tx: Tx| self.inventory.extend(&tx, id, expire_time).await;
                self.simple_move(&before, after, Event::Extend, &caller.actor(), &record, extend).await
            })
            .await
    }

    /// Says yes to a request to book: it is held for the time of a new hold, to be paid.
    pub(super) async fn approve(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, "ApproveBooking", Event::Approve, key, async |tx, after| {
            let now = self.kit.clock.now();
            let after = Booking {
                expire_time: Some(now + self.settings.hold),
                hold_limit_time: now + self.settings.longest_hold,
                ..after
            };
            self.inventory.extend(&tx, id, after.expire_time).await?;
            Ok(after)
        })
        .await
    }

    /// Says no to a request to book: it is cancelled, and its nights are free.
    pub(super) async fn decline(
        &self,
        caller: &Seller,
        id: BookingId,
        reason: &str,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, "DeclineBooking", Event::Decline, key, async |tx, after| {
            let time = self.kit.clock.now();
            let cancellation =
                Cancellation { party: Party::Seller, time, fee: 0, refund: 0, reason: reason.to_owned() };
            self.inventory.release(&tx, id).await?;
            Ok(Booking { expire_time: None, cancellation: Some(cancellation), ..after })
        })
        .await
    }

    /// Notes that the guest is there.
    pub(super) async fn check_in(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, "CheckInBooking", Event::CheckIn, key, async |_, after| Ok(after)).await
    }

    /// Notes that the guest did not come.
    pub(super) async fn mark_no_show(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, "MarkNoShow", Event::MarkNoShow, key, async |_, after| Ok(after)).await
    }

    /// Notes that the guest has left; what was paid is the seller's.
    pub(super) async fn complete(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, "CompleteBooking", Event::Complete, key, async |tx, after| {
            self.earn(&tx, &after).await?;
            Ok(after)
        })
        .await
    }

    /// Writes down that a stay is over, if it is and nobody did before.
    pub(super) async fn complete_when_over(&self, id: BookingId) -> Result<bool, Error> {
        let actor = Actor::job("expiry");
        self.kit
            .db
            .write(async |tx| {
                let booking = self.load_in(&tx, id).await?;
                let now = self.kit.clock.now();
                if booking.state == State::Completed || booking.state_at(now) != State::Completed {
                    return Ok(false);
                }
                let version = booking.version + 1;
                let over = Booking { state: State::Completed, version, update_time: now, ..booking.clone() };
                self.put(&tx, &booking, &over, Event::Complete, &actor).await?;
                self.earn(&tx, &over).await?;
                Ok(true)
            })
            .await
    }

    /// What a guest who never came has paid is the seller's once the stay would be over: until then they may still come.
    pub(super) async fn settle_no_show(&self, id: BookingId) -> Result<bool, Error> {
        let actor = Actor::job("expiry");
        self.kit
            .db
            .write(async |tx| {
                let booking = self.load_in(&tx, id).await?;
                let now = self.kit.clock.now();
                let settled = booking.fee == booking.kept();
                if booking.state != State::NoShow || settled || !booking.is_day(booking.check_out(), now) {
                    return Ok(false);
                }
                let kept =
                    Booking { fee: booking.kept(), version: booking.version + 1, update_time: now, ..booking.clone() };
                store::update(&tx, &booking, &kept).await?;
                self.announce(&tx, Some(booking.state), &kept, "no-show settled", &actor).await?;
                self.keep_fee(&tx, &kept).await?;
                Ok(true)
            })
            .await
    }

    /// What was paid and not given back is the seller's once the stay is over; what was never paid is nobody's.
    async fn earn(&self, tx: &Tx, booking: &Booking) -> Result<(), Error> {
        let amount = booking.money(booking.kept() - booking.fee);
        if amount.minor == 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Booking(booking.id),
            credit: Account::Seller(booking.seller),
            amount,
            cause: Cause::Earned,
            cause_id: booking.id.to_string(),
            booking: Some(booking.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }

    /// A move that the seller makes.
    async fn by_seller<F, Fut>(
        &self,
        caller: &Seller,
        id: BookingId,
        method: &'static str,
        event: Event,
        key: &RequestKey,
        also: F,
    ) -> Result<Reply<Booking>, Error>
    where
        F: Fn(Tx, Booking) -> Fut,
        Fut: Future<Output = Result<Booking, Error>>,
    {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, method, key, load, async |record| {
                let before = self.sold_by(caller.id, id).await?;
                let after = self.decide(&before, event)?;
                self.kit
                    .db
                    .write(async |tx| {
                        let after = also(tx.clone(), after.clone()).await?;
                        self.put(&tx, &before, &after, event, &caller.actor()).await?;
                        record.put(&tx, id.0).await?;
                        Ok(after)
                    })
                    .await
            })
            .await
    }

    /// A booking that a member made.
    pub(super) async fn own(&self, member: MemberId, id: BookingId) -> Result<Booking, Error> {
        let found = store::find(self.kit.db.read(), &self.kit, id).await?;
        Ok(found.filter(|booking| booking.member == member).ok_or_else(|| NotFound::new("booking", id))?)
    }

    /// A booking that a member sells.
    pub(super) async fn sold_by(&self, seller: MemberId, id: BookingId) -> Result<Booking, Error> {
        let found = store::find(self.kit.db.read(), &self.kit, id).await?;
        Ok(found.filter(|booking| booking.seller == seller).ok_or_else(|| NotFound::new("booking", id))?)
    }
}
