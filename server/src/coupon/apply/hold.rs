//! Holding coupons for a booking that is not paid yet.

use sea_orm::ConnectionTrait;

use super::Discount;
use super::settle::Sums;
use crate::coupon::kind::Refusal;
use crate::coupon::kind::condition::first_booking;
use crate::coupon::model::{Coupon, Event, Policy, State};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Currency;
use crate::kit::tx::Tx;

/// The booking that coupons are held for.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// Which.
    pub booking: BookingId,
    /// Who makes it.
    pub member: MemberId,
    /// What its amounts are in.
    pub currency: Currency,
    /// Until when it holds what it has.
    pub until: Option<Time>,
}

impl Coupons {
    /// Holds the coupons of these discounts for a booking of their member: all of them, or none.
    pub async fn hold(&self, tx: &Tx, holder: Holder, discounts: &[Discount], actor: &Actor) -> Result<(), Error> {
        let mut in_order: Vec<_> = discounts.iter().collect();
        in_order.sort_by_key(|discount| discount.coupon);
        for discount in in_order {
            let found = store::held::find_in(tx, discount.coupon).await?;
            let coupon = found.filter(|coupon| coupon.member == holder.member);
            let coupon = coupon.ok_or_else(|| NotFound::new("coupon", discount.coupon))?;
            self.reserve(tx, &coupon, holder.booking, holder.until, actor).await?;
            store::held::put(tx, holder.booking, holder.currency, discount).await?;
        }
        self.count_budgets(tx, Sums::of(discounts, holder.currency)).await
    }

    /// Whether bookings of a member, but for one, hold coupons now that are for a first booking: each of them may become it.
    pub async fn holds_first(
        &self,
        conn: &impl ConnectionTrait,
        member: MemberId,
        but_for: Option<BookingId>,
    ) -> Result<bool, Error> {
        let held = store::held::policies_held(conn, member, but_for, self.kit.clock.now()).await?;
        // One that a newer release has made must not keep its member from every other booking.
        let policies = store::policy::find_readable(conn, held.into_iter()).await?;
        Ok(policies.iter().any(is_for_first))
    }

    /// Refuses coupons that are for a first booking, which this is not.
    pub async fn refuse_first(&self, tx: &Tx, discounts: &[Discount]) -> Result<(), Error> {
        let policies = store::policy::find_all(&**tx, discounts.iter().map(|discount| discount.policy)).await?;
        let Some(first) = policies.iter().find(|policy| is_for_first(policy)) else { return Ok(()) };
        let Refusal { reason: why, text } = first_booking::refusal();
        let coupon = discounts.iter().find(|discount| discount.policy == first.id).map(|discount| discount.coupon);
        let coupon = coupon.ok_or_else(|| Error::internal("a policy of no discount"))?;
        Err(CouponError::NotApplicable { coupon, why, text }.into())
    }

    /// The booking holds its coupons until another time, or while its payment is under way.
    pub async fn extend(&self, tx: &Tx, booking: BookingId, until: Option<Time>) -> Result<(), Error> {
        store::held::extend(tx, booking, until).await
    }

    /// Whether a coupon can be taken by a booking now.
    pub(super) fn can_reserve(&self, coupon: &Coupon) -> Result<(), CouponError> {
        coupon.after(Event::Reserve, self.kit.clock.now()).map(drop)
    }

    pub(super) async fn reserve(
        &self,
        tx: &Tx,
        coupon: &Coupon,
        booking: BookingId,
        until: Option<Time>,
        actor: &Actor,
    ) -> Result<Coupon, Error> {
        self.can_reserve(coupon)?;
        let coupon = Coupon { hold_expire_time: until, ..coupon.clone() };
        self.move_to(tx, &coupon, Event::Reserve, booking, actor).await
    }

    /// Moves a coupon of a booking, as it is stored: what time makes of it is for those who would take it.
    pub(super) async fn move_to(
        &self,
        tx: &Tx,
        before: &Coupon,
        event: Event,
        booking: BookingId,
        actor: &Actor,
    ) -> Result<Coupon, Error> {
        let state = before.state;
        let next = state.on(event).ok_or(CouponError::NotAvailable { coupon: before.id, state, stale: None })?;
        let held = next == State::Reserved;
        let after = Coupon {
            state: next,
            version: before.version + 1,
            booking: (next != State::Available).then_some(booking),
            hold_expire_time: before.hold_expire_time.filter(|_| held),
            update_time: self.kit.clock.now(),
            ..before.clone()
        };
        self.put(tx, before, &after, event.name(), Some(booking), actor).await?;
        Ok(after)
    }
}

/// Whether the coupons of a policy are for a first booking.
fn is_for_first(policy: &Policy) -> bool {
    policy.wording.conditions.iter().any(|term| term.kind == first_booking::NAME)
}
