//! What becomes of the coupons of a booking: used, released, given back, taken once more.

use std::collections::BTreeMap;

use super::{Discount, Holder};
use crate::coupon::model::{Coupon, Event, Policy, PolicyId, RefundPolicy, State, end_of_day};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Actor;
use crate::kit::id::BookingId;
use crate::kit::money::Currency;
use crate::kit::tx::Tx;

impl Coupons {
    /// The booking is paid: the coupons that it holds are used.
    pub async fn use_held(&self, tx: &Tx, booking: BookingId, actor: &Actor) -> Result<(), Error> {
        for discount in store::held::of_booking(tx, booking, true).await? {
            let coupon = self.lock(tx, &discount).await?;
            self.move_to(tx, &coupon, Event::Use, booking, actor).await?;
        }
        Ok(())
    }

    /// The booking has ended: a coupon that it only held is its member's again, one that it has used comes back as its policy
    /// says. Once more changes nothing.
    pub async fn release(&self, tx: &Tx, booking: BookingId, actor: &Actor) -> Result<(), Error> {
        let discounts = store::held::of_booking(tx, booking, true).await?;
        for discount in &discounts {
            self.let_go(tx, booking, discount, actor).await?;
        }
        let mut sums = Sums::default();
        sums.take(discounts.iter().map(|discount| (discount.policy, discount.amount())));
        sums.take(store::set_aside::take(tx, booking).await?);
        self.count_budgets(tx, sums).await
    }

    /// A booking that has expired is paid late: it takes its coupons once more, and uses them, if they are all still to be had.
    /// These are the discounts that its price has: a coupon that a move to other dates let go of is its no more. A refusal leaves
    /// nothing behind: the transaction may go on.
    pub async fn take_again(&self, tx: &Tx, holder: Holder, priced: &[Discount], actor: &Actor) -> Result<(), Error> {
        let booking = holder.booking;
        let mut discounts = store::held::of_booking(tx, booking, false).await?;
        discounts.retain(|had| priced.iter().any(|priced| priced.coupon == had.coupon));
        let mut coupons = Vec::with_capacity(discounts.len());
        for discount in &discounts {
            let coupon = self.lock(tx, discount).await?;
            self.can_reserve(&coupon)?;
            // It may have been given on since.
            if coupon.member != holder.member {
                let state = coupon.state;
                return Err(CouponError::NotAvailable { coupon: coupon.id, state, stale: None }.into());
            }
            coupons.push(coupon);
        }
        self.count_budgets(tx, Sums::of(&discounts, holder.currency)).await?;
        for coupon in &coupons {
            let held = self.reserve(tx, coupon, booking, None, actor).await?;
            self.move_to(tx, &held, Event::Use, booking, actor).await?;
            store::held::set_live(tx, booking, coupon.id, true).await?;
        }
        Ok(())
    }

    /// Lets go of one coupon of a booking, whose budget is counted by the caller.
    pub(super) async fn let_go(
        &self,
        tx: &Tx,
        booking: BookingId,
        discount: &Discount,
        actor: &Actor,
    ) -> Result<(), Error> {
        let coupon = self.lock(tx, discount).await?;
        store::held::set_live(tx, booking, discount.coupon, false).await?;
        match coupon.state {
            State::Reserved => self.move_to(tx, &coupon, Event::Release, booking, actor).await.map(drop),
            State::Used => self.give_back(tx, booking, &coupon, actor).await,
            state => Err(Error::internal(format!("{} of {booking} is {}", coupon.id, state.name()))),
        }
    }

    async fn give_back(&self, tx: &Tx, booking: BookingId, coupon: &Coupon, actor: &Actor) -> Result<(), Error> {
        let policy = self.policy_in(tx, coupon.policy).await?;
        let expire_time = match policy.refund {
            RefundPolicy::Lose => return Ok(()),
            RefundPolicy::Restore => coupon.expire_time,
            RefundPolicy::RestoreWithGrace(days) => {
                coupon.expire_time.max(end_of_day(policy.zone, self.kit.clock.now(), days))
            }
        };
        let restored = Coupon { expire_time, ..coupon.clone() };
        self.move_to(tx, &restored, Event::Restore, booking, actor).await.map(drop)
    }

    async fn lock(&self, tx: &Tx, discount: &Discount) -> Result<Coupon, Error> {
        let found = store::held::find_in(tx, discount.coupon).await?;
        found.ok_or_else(|| Error::internal(format!("{} is gone", discount.coupon)))
    }

    async fn policy_in(&self, tx: &Tx, id: PolicyId) -> Result<Policy, Error> {
        Ok(store::policy::find(&**tx, id).await?.ok_or_else(|| NotFound::new("coupon_policy", id))?)
    }

    /// Counts what the coupons of policies take off more or less, which their budgets have to bear: of all, or of none.
    pub(super) async fn count_budgets(&self, tx: &Tx, sums: Sums) -> Result<(), Error> {
        let counted = || sums.amounts.iter().filter(|(_, amount)| **amount != 0);
        for (at, (policy, amount)) in counted().enumerate() {
            if !store::held::count(tx, *policy, *amount, sums.currency).await? {
                for (policy, amount) in counted().take(at) {
                    store::held::count(tx, *policy, -amount, sums.currency).await?;
                }
                return Err(CouponError::BudgetSpent(*policy).into());
            }
        }
        Ok(())
    }
}

/// What is counted more, or less, of the budget of each policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) amounts: BTreeMap<PolicyId, i64>,
    /// What of it is more is in.
    currency: Option<Currency>,
}

impl Sums {
    pub(super) fn new(currency: Currency) -> Self {
        Self { amounts: BTreeMap::new(), currency: Some(currency) }
    }

    /// What these discounts take off.
    pub(super) fn of(discounts: &[Discount], currency: Currency) -> Self {
        let mut sums = Self::new(currency);
        discounts.iter().for_each(|discount| sums.add(discount.policy, discount.amount()));
        sums
    }

    pub(super) fn add(&mut self, policy: PolicyId, amount: i64) {
        *self.amounts.entry(policy).or_default() += amount;
    }

    pub(super) fn take(&mut self, amounts: impl IntoIterator<Item = (PolicyId, i64)>) {
        amounts.into_iter().for_each(|(policy, amount)| self.add(policy, -amount));
    }

    /// Those alone of which more is counted.
    pub(super) fn above_zero(self) -> Self {
        let amounts = self.amounts.into_iter().filter(|(_, amount)| *amount > 0).collect();
        Self { amounts, ..self }
    }
}
