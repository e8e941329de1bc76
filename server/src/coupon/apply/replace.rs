//! Moving a booking to other dates with the coupons that it has.

use super::Discount;
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::id::BookingId;
use crate::kit::money::Currency;
use crate::kit::tx::Tx;

impl Coupons {
    /// What the coupons of a booking take off is now this. One that takes nothing off any more is let go of, as if its booking
    /// had ended; none joins.
    pub async fn replace(
        &self,
        tx: &Tx,
        booking: BookingId,
        currency: Currency,
        discounts: &[Discount],
        actor: &Actor,
    ) -> Result<(), Error> {
        let before = store::held::of_booking(tx, booking, true).await?;
        let mut changes = Vec::with_capacity(before.len());
        for old in &before {
            match discounts.iter().find(|new| new.coupon == old.coupon) {
                Some(new) => {
                    changes.push((old.policy, new.amount() - old.amount()));
                    store::held::put(tx, booking, currency, new).await?;
                }
                None => {
                    changes.push((old.policy, -old.amount()));
                    self.let_go(tx, booking, old, actor).await?;
                }
            }
        }
        self.count_budgets(tx, changes.into_iter()).await
    }
}
