//! Creating a booking: every night is held, or none.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::error::BookingError;
use super::model::{Booking, Event, Guest, Line, State, due};
use super::token::{self, BookingQuote, Tag};
use super::{Bookings, code, store};
use crate::coupon::CouponError;
use crate::coupon::apply::Holder;
use crate::coupon::best::AT_MOST as COUPONS;
use crate::error::Error;
use crate::inventory::{InventoryError, Wanted};
use crate::kit::caller::Member;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::payment::payable::Parties;
use crate::point;

/// Takes a quote.
#[derive(Clone, Debug)]
pub(super) struct Create {
    pub(super) quote_token: String,
    pub(super) guest: Guest,
    pub(super) expected_total: Option<Money>,
    pub(super) note: String,
}

impl Bookings {
    /// Holds what a quote is for, at its price, once.
    pub(super) async fn create(
        &self,
        caller: &Member,
        command: &Create,
        key: &RequestKey,
    ) -> Result<Reply<Booking>, Error> {
        let load = async |id: Uuid| self.replay(id).await;
        self.kit
            .requests
            .once(caller.id.0, "CreateBooking", key, load, async |record| {
                let (quote, tag) = token::open_tagged(&self.kit, caller.id, &command.quote_token)?;
                let booking = self.new_booking(caller, command, quote)?;
                self.evicting(async || self.hold(caller, &booking, &tag, &record).await).await
            })
            .await
    }

    fn new_booking(&self, caller: &Member, command: &Create, quote: BookingQuote) -> Result<Booking, Error> {
        let now = self.kit.clock.now();
        let unknown = |_| BookingError::QuoteInvalid("it is of an earlier release");
        let currency = quote.currency.parse().map_err(|_| BookingError::QuoteInvalid("it is of an earlier release"))?;
        let lines = vec![quote.line.line()?];
        let total = Money::new(currency, due(&lines, &quote.discounts) - quote.points);
        if let Some(expected) = command.expected_total.filter(|expected| *expected != total) {
            return Err(BookingError::PriceChanged { expected, quoted: total }.into());
        }
        let zone = quote.zone.parse().map_err(unknown)?;
        let (state, wait) = match quote.needs_approval {
            true => (State::Requested, self.settings.request),
            false => (State::Held, self.settings.hold),
        };
        Ok(Booking {
            id: BookingId::new(&self.kit.ids, now),
            code: code::fresh(&self.kit.ids),
            member: caller.id,
            seller: quote.seller,
            property: quote.property,
            property_name: quote.property_name,
            zone,
            state,
            version: 1,
            total,
            paid: 0,
            refunded: 0,
            fee: 0,
            fee_floor: 0,
            earned: 0,
            refund_due: 0,
            points: quote.points,
            points_back: 0,
            point_share: 0,
            settled: false,
            withheld: 0,
            expire_time: Some(now + wait),
            hold_limit_time: now + wait.max(self.settings.longest_hold),
            lines,
            discounts: quote.discounts,
            method: quote.method,
            terms: quote.terms.terms()?.booked_at(zone, now),
            needs_approval: quote.needs_approval,
            late_payment: quote.late_payment.into(),
            guest: command.guest.clone(),
            note: command.note.clone(),
            cancellation: None,
            created_by: caller.actor().0,
            create_time: now,
            update_time: now,
        })
    }

    async fn hold(&self, caller: &Member, booking: &Booking, quote: &Tag, record: &Record) -> Result<Booking, Error> {
        let now = self.kit.clock.now();
        let actor = caller.actor();
        self.kit
            .db
            .write(async |tx| {
                // Parallel bookings of one member are counted one after the other.
                tx.take_turn(caller.id.0).await?;
                // The lock order of the platform: booking, nights, then coupon and wallet, then the request and the outbox.
                store::insert(&tx, &self.kit, booking, quote).await?;
                // Counted with the new one in place.
                if store::live_holds(&*tx, caller.id, now).await? > self.settings.holds_per_member {
                    return Err(BookingError::TooManyHolds(self.settings.holds_per_member).into());
                }
                self.inventory
                    .hold(&tx, booking.id, &self.wanted(&tx, &booking.lines).await?, booking.expire_time)
                    .await?;
                let holder = Holder {
                    booking: booking.id,
                    member: caller.id,
                    currency: booking.total.currency,
                    until: booking.expire_time,
                };
                self.may_be_first(&tx, booking).await?;
                self.coupons.hold(&tx, holder, &booking.discounts, &actor).await?;
                let holder =
                    point::apply::Holder { booking: booking.id, member: caller.id, until: booking.expire_time };
                self.points.reserve(&tx, holder, booking.points, &actor).await?;
                record.put(&tx, booking.id.0).await?;
                self.announce(&tx, None, booking, "create", &actor).await?;
                match booking.total.minor == 0 && booking.state == State::Held {
                    true => self.take_for_nothing(&tx, caller, booking).await,
                    false => Ok(booking.clone()),
                }
            })
            .await
    }

    /// Refuses coupons that are for a first booking where this is not the member's. Their bookings come one after the other here.
    pub(super) async fn may_be_first(&self, tx: &Tx, booking: &Booking) -> Result<(), Error> {
        if booking.discounts.is_empty() || self.is_first(&**tx, booking.member, Some(booking.id)).await? {
            return Ok(());
        }
        self.coupons.refuse_first(tx, &booking.discounts).await
    }

    /// Whether a booking is the first of a member, and no other may become it: none is paid, unless it was cancelled, nor does any
    /// hold a coupon that is for the first.
    pub(super) async fn is_first(
        &self,
        conn: &impl ConnectionTrait,
        member: MemberId,
        booking: Option<BookingId>,
    ) -> Result<bool, Error> {
        // In this order: one that is paid between the two is found by the second.
        let may_another = self.coupons.holds_first(conn, member, booking).await?;
        Ok(!may_another && !store::has_booked(conn, member).await?)
    }

    /// Nothing to pay goes the same way as a payment, without a provider.
    async fn take_for_nothing(&self, tx: &Tx, caller: &Member, booking: &Booking) -> Result<Booking, Error> {
        let actor = caller.actor();
        let paying = self.decide(booking, Event::BeginPayment)?;
        self.put(tx, booking, &paying, Event::BeginPayment, &actor).await?;
        let parties = Parties { member: booking.member, seller: booking.seller };
        self.payments.nothing_to_pay(tx, booking.id, parties, booking.total.currency, &actor).await?;
        let confirmed = Booking { expire_time: None, ..self.decide(&paying, Event::Capture)? };
        self.put(tx, &paying, &confirmed, Event::Capture, &actor).await?;
        self.inventory.sell(tx, booking.id).await?;
        self.use_holds(tx, booking, &actor).await?;
        Ok(confirmed)
    }

    /// Runs an operation that wants nights or coupons. When holds whose time is over stand in its way, their bookings are
    /// expired, each in a transaction of its own, and it runs once more: so a stale hold never blocks, with every job stopped.
    pub(super) async fn evicting<T, F, Fut>(&self, operation: F) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        making_way(operation, |booking| self.expire(booking)).await
    }

    /// The same of an operation in a transaction, in which they are expired too.
    pub(super) async fn evicting_in<T, F, Fut>(&self, tx: &Tx, operation: F) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        making_way(operation, |booking| self.expire_in(tx, booking)).await
    }
}

async fn making_way<T, F, G, Doing, Expiring>(operation: F, expire: G) -> Result<T, Error>
where
    F: Fn() -> Doing,
    G: Fn(BookingId) -> Expiring,
    Doing: Future<Output = Result<T, Error>>,
    Expiring: Future<Output = Result<bool, Error>>,
{
    // Nights first, and then each of the coupons.
    for _ in 0..=COUPONS {
        let refused = match operation().await {
            Ok(done) => return Ok(done),
            Err(refused) => refused,
        };
        let stale = stale(&refused);
        if stale.is_empty() {
            return Err(refused);
        }
        for booking in stale {
            expire(booking).await?;
        }
    }
    operation().await
}

/// The bookings whose hold is over and which stand in the way all the same.
pub(super) fn stale(refused: &Error) -> Vec<BookingId> {
    if let Some(InventoryError::NightsTaken { stale, .. }) = refused.fault() {
        return stale.iter().map(|hold| hold.booking).collect();
    }
    match refused.fault() {
        Some(CouponError::NotAvailable { stale: Some(booking), .. }) => vec![*booking],
        _ => Vec::new(),
    }
}

impl Bookings {
    /// What the lines of a booking want of the inventory.
    pub(super) async fn wanted(&self, tx: &Tx, lines: &[Line]) -> Result<Vec<Wanted>, Error> {
        let mut wanted = Vec::with_capacity(lines.len());
        for (at, line) in (0..).zip(lines) {
            // Not the quote's count: the seller may have said another since.
            let room_count = self.stays.room_count(tx, line.room_type).await?;
            let (room_type, nights, rooms) = (line.room_type, line.nights, line.rooms);
            wanted.push(Wanted { line: at, room_type, nights, rooms, room_count });
        }
        Ok(wanted)
    }
}
