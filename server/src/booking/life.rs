//! The life of a booking beside paying: longer held, answered by the seller, used.

use uuid::Uuid;

use super::model::{Booking, Cancellation, Event, Party, State};
use super::{Bookings, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::{Actor, Member, Seller};
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Cause, Transfer};

/// What the platform pays coupons from.
pub(super) const COUPONS: &str = "coupons";

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
                let extend = async |tx: Tx| self.extend_holds(&tx, &before, expire_time, &caller.actor()).await;
                self.simple_move(&before, after, Event::Extend, &caller.actor(), &record, extend).await
            })
            .await
    }

    /// All that a booking holds is held until another time, or while its payment is under way.
    pub(super) async fn extend_holds(
        &self,
        tx: &Tx,
        booking: &Booking,
        until: Option<Time>,
        actor: &Actor,
    ) -> Result<(), Error> {
        self.inventory.extend(tx, booking.id, until).await?;
        if !booking.discounts.is_empty() {
            self.coupons.extend(tx, booking.id, until).await?;
        }
        if booking.points > 0 {
            self.points.extend(tx, booking.id, until, actor).await?;
        }
        Ok(())
    }

    /// A booking that is paid uses what it holds beside its nights.
    pub(super) async fn use_holds(&self, tx: &Tx, booking: &Booking, actor: &Actor) -> Result<(), Error> {
        if !booking.discounts.is_empty() {
            self.coupons.use_held(tx, booking.id, actor).await?;
        }
        if booking.points > 0 {
            self.points.commit(tx, booking.id, actor).await?;
        }
        Ok(())
    }

    /// Says yes to a request to book: it is held for the time of a new hold, to be paid.
    pub(super) async fn approve(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let held = |after: Booking| {
            let now = self.kit.clock.now();
            let (expire_time, hold_limit_time) = (Some(now + self.settings.hold), now + self.settings.longest_hold);
            Booking { expire_time, hold_limit_time, ..after }
        };
        let extend = async |tx: Tx, _: Booking, held: Booking| {
            self.extend_holds(&tx, &held, held.expire_time, &caller.actor()).await
        };
        self.by_seller(caller, id, ("ApproveBooking", Event::Approve), key, held, extend).await
    }

    /// Says no to a request to book: it is cancelled, and its nights are free.
    pub(super) async fn decline(
        &self,
        caller: &Seller,
        id: BookingId,
        reason: &str,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let declined = |after: Booking| {
            let (party, time, reason) = (Party::Seller, self.kit.clock.now(), reason.to_owned());
            let cancellation = Cancellation { party, time, fee: 0, refund: 0, reason, points: 0, fee_points: 0 };
            let cancellation = Some(cancellation);
            Booking { expire_time: None, cancellation, ..after }
        };
        let release = async |tx: Tx, before: Booking, _: Booking| {
            self.inventory.release(&tx, id).await?;
            self.coupons.release(&tx, id, &caller.actor()).await?;
            self.release_points(&tx, &before, &caller.actor()).await
        };
        self.by_seller(caller, id, ("DeclineBooking", Event::Decline), key, declined, release).await
    }

    /// Notes that the guest is there.
    pub(super) async fn check_in(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, ("CheckInBooking", Event::CheckIn), key, same, nothing).await
    }

    /// Notes that the guest did not come.
    pub(super) async fn mark_no_show(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        self.by_seller(caller, id, ("MarkNoShow", Event::MarkNoShow), key, same, nothing).await
    }

    /// Notes that the guest has left; what was paid is the seller's.
    pub(super) async fn complete(
        &self,
        caller: &Seller,
        id: BookingId,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let over = |after: Booking| {
            let (earned, point_share) = (after.earned + after.unearned(), after.points - after.points_back);
            Booking { earned, point_share, ..after }
        };
        let earn =
            async |tx: Tx, before: Booking, over: Booking| self.earn(&tx, &over, over.earned - before.earned).await;
        self.by_seller(caller, id, ("CompleteBooking", Event::Complete), key, over, earn).await
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
                let (version, due) = (booking.version + 1, booking.unearned());
                let earned = booking.earned + due;
                let (state, point_share) = (State::Completed, booking.points - booking.points_back);
                let over = Booking { state, version, earned, point_share, update_time: now, ..booking.clone() };
                self.put(&tx, &booking, &over, Event::Complete, &actor).await?;
                self.earn(&tx, &over, due).await?;
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
                let due = booking.unearned();
                let point_share = booking.points - booking.points_back;
                if booking.state != State::NoShow || booking.settled || !booking.is_day(booking.check_out(), now) {
                    return Ok(false);
                }
                let (version, earned, fee) = (booking.version + 1, booking.earned + due, booking.fee + due);
                let settled = Booking { settled: true, fee, earned, point_share, version, ..booking.clone() };
                let kept = Booking { update_time: now, ..settled };
                store::update(&tx, &booking, &kept).await?;
                self.announce(&tx, Some(booking.state), &kept, "no-show settled", &actor).await?;
                // An older release may have moved all of it, and not said so.
                if due > 0 {
                    self.keep_fee(&tx, &kept).await?;
                }
                if due > 0 || (kept.total.minor == 0 && booking.point_share == 0) {
                    self.earn_share(&tx, &kept).await?;
                }
                if point_share > booking.point_share {
                    self.earn_point_share(&tx, &kept).await?;
                }
                Ok(true)
            })
            .await
    }

    /// What the platform pays of its coupons is the seller's once what the guest has paid is.
    async fn earn_share(&self, tx: &Tx, booking: &Booking) -> Result<(), Error> {
        let amount = booking.money(booking.platform_share(booking.earned));
        if amount.minor == 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Platform(COUPONS.to_owned()),
            credit: Account::Seller(booking.seller),
            amount,
            cause: Cause::CouponShare,
            cause_id: booking.id.to_string(),
            booking: Some(booking.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }

    /// What was paid and not given back is the seller's once the stay is over; what was never paid is nobody's.
    async fn earn(&self, tx: &Tx, booking: &Booking, due: i64) -> Result<(), Error> {
        self.earn_share(tx, booking).await?;
        self.earn_point_share(tx, booking).await?;
        let amount = booking.money(due);
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

    /// A move that the seller makes: what it sets beside the state, and what becomes of the nights and the money once the
    /// booking is written, which is the first of all locks.
    async fn by_seller<F, Fut>(
        &self,
        caller: &Seller,
        id: BookingId,
        (method, event): (&'static str, Event),
        key: &RequestKey,
        set: impl Fn(Booking) -> Booking,
        also: F,
    ) -> Result<Reply<Booking>, Error>
    where
        F: Fn(Tx, Booking, Booking) -> Fut,
        Fut: Future<Output = Result<(), Error>>,
    {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, method, key, load, async |record| {
                let before = self.sold_by(caller.id, id).await?;
                let after = set(self.decide(&before, event)?);
                self.kit
                    .db
                    .write(async |tx| {
                        self.put(&tx, &before, &after, event, &caller.actor()).await?;
                        also(tx.clone(), before.clone(), after.clone()).await?;
                        record.put(&tx, id.0).await
                    })
                    .await?;
                Ok(after)
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

fn same(booking: Booking) -> Booking {
    booking
}

async fn nothing(_: Tx, _: Booking, _: Booking) -> Result<(), Error> {
    Ok(())
}
