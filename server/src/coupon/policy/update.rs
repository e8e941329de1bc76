//! Changing what a policy offers.

use super::change::Change;
use super::read::Shown;
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Issuing, Policy, PolicyId, PolicyState};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::money::Currency;
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
    let known = currency.or(before.offer.budget.map(|budget| budget.currency));
    if let (Some(known), Some(budget)) = (known, after.offer.budget) {
        let field = "coupon_policy.budget.currency_code";
        violations.require(field, budget.currency == known, format!("must be {known}, as before"));
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
