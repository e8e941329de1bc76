//! Changing what a policy offers.

use super::change::Change;
use super::read::Shown;
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Issuing, Policy, PolicyId, PolicyState};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::money::{Currency, Money};
use crate::kit::request::check_etag;
use crate::kit::tx::Tx;
use crate::kit::violation::Violations;

/// Asks for changes of a policy.
#[derive(Clone, Debug)]
pub(super) struct UpdatePolicy {
    pub(super) id: PolicyId,
    pub(super) etag: Option<String>,
    pub(super) changes: Vec<Change>,
}

impl Coupons {
    /// Changes a policy. Behind the answer nobody is accepted under the terms before.
    pub(super) async fn update_policy(
        &self,
        keeper: &Keeper,
        command: &UpdatePolicy,
        key: &RequestKey,
    ) -> Result<Reply<Shown>, Error> {
        let load = async |id| self.kept_policy(keeper, PolicyId(id)).await;
        let updated = self
            .kit
            .requests
            .once(keeper.id.0, "UpdateCouponPolicy", key, load, async |record| {
                let before = self.kept_policy(keeper, command.id).await?;
                check_etag(before.id, command.etag.as_deref(), before.version)?;
                let after = updated(&before, self.terms(&before)?.currency, command, self.kit.clock.now())?;
                self.kit
                    .db
                    .write(async |tx| {
                        // Whoever accepts shares the turn: behind it, all that was accepted under the terms before is there
                        // to be counted.
                        tx.take_turn(after.id.0).await?;
                        store::policy::update(&tx, before.version, &after).await?;
                        covers_accepted(&tx, &before, &after).await?;
                        bears_what_is_used(&tx, &before, &after).await?;
                        record.put(&tx, after.id.0).await
                    })
                    .await?;
                Ok(after)
            })
            .await?;
        // Behind a repetition too: the call that it repeats may have ended before it came here.
        self.change_gate(&updated.value).await?;
        self.show_reply(updated).await
    }
}

const BUDGET_CURRENCY: &str = "coupon_policy.budget.currency_code";

fn updated(before: &Policy, currency: Option<Currency>, command: &UpdatePolicy, now: Time) -> Result<Policy, Error> {
    if before.state_at(now, None) == PolicyState::Ended {
        return Err(CouponError::Ended(before.id).into());
    }
    let mut after = Policy { version: before.version + 1, update_time: now, ..before.clone() };
    command.changes.iter().for_each(|change| after.offer.apply(change.clone()));
    let mut violations = Violations::new();
    for (field, description) in after.offer.conflicts(now) {
        violations.add(format!("coupon_policy.{field}"), description);
    }
    if let (Some(known), Some(budget)) = (currency, after.offer.budget) {
        violations.require(BUDGET_CURRENCY, budget.currency == known, format!("must be {known}, as before"));
    }
    violations.finish(Some(after))
}

/// Refuses a total below what was accepted.
async fn covers_accepted(tx: &Tx, before: &Policy, after: &Policy) -> Result<(), Error> {
    let Some(total) = after.offer.total.filter(|total| before.offer.total.is_none_or(|before| *total < before)) else {
        return Ok(());
    };
    let accepted = match after.issuing {
        Issuing::FirstCome => store::receipt::highest_place(&**tx, after.id).await?,
        Issuing::Code | Issuing::Grant => store::tally::granted(tx, after.id).await?,
    };
    if total < accepted { Err(CouponError::TotalTooSmall { policy: after.id, accepted }.into()) } else { Ok(()) }
}

/// Refuses a budget below what is used of it, and a first one while coupons take something off bookings in another currency: it
/// counts what is taken off.
async fn bears_what_is_used(tx: &Tx, before: &Policy, after: &Policy) -> Result<(), Error> {
    let (known, changed) = (before.offer.budget, after.offer.budget);
    let Some(budget) = changed.filter(|_| changed != known) else { return Ok(()) };
    // Whoever uses a coupon counts it: those before are there to be seen, and those behind read the budget.
    let used = store::tally::budget_used(tx, after.id).await?;
    if known.is_none() {
        is_in_the_currency_of_bookings(tx, after.id, budget.currency).await?;
    }
    let is_less = known.is_none_or(|known| budget.minor < known.minor);
    if is_less && budget.minor < used {
        let used = Money::new(budget.currency, used);
        return Err(CouponError::BudgetTooSmall { policy: after.id, used }.into());
    }
    Ok(())
}

async fn is_in_the_currency_of_bookings(tx: &Tx, policy: PolicyId, currency: Currency) -> Result<(), Error> {
    let mut violations = Violations::new();
    if let Some(other) = store::held::other_currency(tx, policy, currency).await? {
        let description = format!("must be {other}, in which bookings use coupons of this policy");
        violations.add(BUDGET_CURRENCY, description);
    }
    violations.finish(Some(()))
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use uuid::Uuid;

    use super::*;
    use crate::coupon::apply::Discount;
    use crate::coupon::discount::{self, LineDiscount};
    use crate::coupon::kind::{Term, Value, Wording};
    use crate::coupon::model::CouponId;
    use crate::coupon::stage;
    use crate::error::ErrorReason;
    use crate::harness::Harness;
    use crate::kit::id::BookingId;

    /// Guards: the currency of a budget is that of a policy without amounts; the look for bookings in another, without which cents
    /// would be counted as won.
    #[tokio::test]
    async fn a_budget_counts_in_one_currency() {
        let yeyak = Harness::new().await;
        let (coupons, dollars) = (stage::coupons(&yeyak), "USD".parse().expect("a currency"));
        let before = stage::policy(&yeyak, Issuing::Grant, 1).await;
        let benefit = Term::of("PERCENT").with("percent", Value::Number(10));
        let wording = Wording { benefit, conditions: Vec::new() };
        let policy = Policy { wording, version: 2, ..before };
        let off = discount::Discount { lines: vec![LineDiscount { line: 0, amount: 500, seller_part: 0 }] };
        let id = CouponId(Uuid::from_u128(1));
        let discount = Discount { coupon: id, policy: policy.id, name: String::new(), off };
        let written = yeyak.db.write(async |tx| {
            store::policy::update(&tx, 1, &policy).await?;
            store::held::put(&tx, BookingId(Uuid::from_u128(2)), dollars, &discount).await
        });
        written.await.expect("is written");
        assert_eq!(coupons.terms(&policy).expect("terms").currency, None);
        let set = async |currency| {
            let changes = vec![Change::Budget(Some(Money::new(currency, 1_000)))];
            let command = UpdatePolicy { id: policy.id, etag: None, changes };
            coupons.update_policy(&stage::admin(), &command, &RequestKey::default()).await
        };

        let refused = set(Currency::KRW).await.expect_err("a booking in dollars has a coupon");
        let counted = set(dollars).await.expect("counts dollars").value.policy;

        let count = async |currency| {
            let counted = yeyak.db.write(async |tx| store::held::count(&tx, policy.id, 100, Some(currency)).await);
            counted.await.expect("counts")
        };
        assert_eq!((count(Currency::KRW).await, count(dollars).await), (false, true));
        assert_eq!(refused.reason(), ErrorReason::InvalidFields);
        assert_eq!(coupons.terms(&counted).expect("terms").currency, Some(dollars));
    }

    /// Guard: `bears_what_is_used`, without which coupons would have taken off more than their budget.
    #[tokio::test]
    async fn a_budget_is_never_below_what_is_used_of_it() {
        let yeyak = Harness::new().await;
        let coupons = stage::coupons(&yeyak);
        let policy = stage::policy(&yeyak, Issuing::Grant, 1).await;
        let count = yeyak.db.write(async |tx| store::held::count(&tx, policy.id, 700, Some(Currency::KRW)).await);
        assert!(count.await.expect("counts"));
        let set = async |budget| {
            let changes = vec![Change::Budget(Some(Money::won(budget)))];
            let command = UpdatePolicy { id: policy.id, etag: None, changes };
            coupons.update_policy(&stage::admin(), &command, &RequestKey::default()).await
        };

        let first = set(699).await.expect_err("700 are used");
        set(1_000).await.expect("bears what is used");
        let lowered = set(699).await.expect_err("700 are used");
        set(700).await.expect("bears what is used");

        for refused in [first, lowered] {
            let Some(CouponError::BudgetTooSmall { used, .. }) = refused.fault() else { panic!("{refused:?}") };
            assert_eq!(*used, Money::won(700));
        }
    }

    /// Guard: the lock in `store::tally::budget_used`, behind which who counts reads the budget, and who sets it what was counted. On
    /// SQLite, which has one writer, nothing crosses without it either.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_budget_bears_what_is_used_however_they_cross() {
        let yeyak = Harness::new().await;
        let coupons = stage::coupons(&yeyak);
        let policy = stage::policy(&yeyak, Issuing::Grant, 1).await;
        let changes = vec![Change::Budget(Some(Money::won(1_000)))];
        let command = UpdatePolicy { id: policy.id, etag: None, changes };
        let (admin, key) = (stage::admin(), RequestKey::default());

        let counting = join_all((0..20).map(|_| async {
            let count = yeyak.db.write(async |tx| store::held::count(&tx, policy.id, 100, Some(Currency::KRW)).await);
            count.await.expect("counts")
        }));
        let (counted, set) = tokio::join!(counting, coupons.update_policy(&admin, &command, &key));

        let bookings = counted.into_iter().filter(|counted| *counted).count();
        match set {
            Ok(_) => assert_eq!(bookings, 10),
            Err(refused) => assert_eq!((refused.reason(), bookings), (ErrorReason::CouponBudgetTooSmall, 20)),
        }
    }
}
