//! Moving a booking to other dates with the coupons that it has.

use super::Discount;
use super::settle::Sums;
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::id::BookingId;
use crate::kit::money::Currency;
use crate::kit::tx::Tx;

impl Coupons {
    /// What the coupons of a booking take off is now this. One that takes nothing off any more is let go of, as if its booking
    /// had ended; none joins. What was set aside for it is used up, so that it can't fail for the budget then.
    pub async fn replace(
        &self,
        tx: &Tx,
        booking: BookingId,
        currency: Currency,
        discounts: &[Discount],
        actor: &Actor,
    ) -> Result<(), Error> {
        let before = store::held::of_booking(tx, booking, true).await?;
        for old in &before {
            match discounts.iter().find(|new| new.coupon == old.coupon) {
                Some(new) => store::held::put(tx, booking, currency, new).await?,
                None => self.let_go(tx, booking, old, actor).await?,
            }
        }
        let mut sums = differences(&before, discounts, currency);
        sums.take(store::set_aside::take(tx, booking).await?);
        self.count_budgets(tx, sums).await
    }

    /// The budgets bear what coupons will take off more when a booking has these discounts, whatever becomes of them until then;
    /// in place of what was set aside for the booking before.
    pub async fn set_aside(
        &self,
        tx: &Tx,
        booking: BookingId,
        currency: Currency,
        discounts: &[Discount],
    ) -> Result<(), Error> {
        let before = store::held::of_booking(tx, booking, true).await?;
        let more = differences(&before, discounts, currency).above_zero();
        let mut sums = more.clone();
        sums.take(store::set_aside::take(tx, booking).await?);
        self.count_budgets(tx, sums).await?;
        store::set_aside::put(tx, booking, &more.amounts).await
    }

    /// Nothing is set aside for a booking any more.
    pub async fn give_up_set_aside(&self, tx: &Tx, booking: BookingId) -> Result<(), Error> {
        let mut sums = Sums::default();
        sums.take(store::set_aside::take(tx, booking).await?);
        self.count_budgets(tx, sums).await
    }
}

/// What the coupons of a booking take off more or less than before, of which none joins.
fn differences(before: &[Discount], after: &[Discount], currency: Currency) -> Sums {
    let mut sums = Sums::new(currency);
    for old in before {
        let new = after.iter().find(|new| new.coupon == old.coupon).map_or(0, Discount::amount);
        sums.add(old.policy, new - old.amount());
    }
    sums
}
