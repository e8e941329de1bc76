//! Interrupting a policy, letting it go on, and ending it.

use super::read::Shown;
use crate::backend::gate::Sale;
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Policy, PolicyId, PolicyState};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::idempotency::{Reply, RequestKey};

impl Coupons {
    /// Pauses, resumes or ends a policy; one that is so already stays as it is. Behind the answer nobody is accepted who
    /// should not be.
    pub(super) async fn sell_policy(
        &self,
        keeper: &Keeper,
        id: PolicyId,
        sale: Sale,
        key: &RequestKey,
    ) -> Result<Reply<Shown>, Error> {
        let method = match sale {
            Sale::Open => "ResumeCouponPolicy",
            Sale::Paused => "PauseCouponPolicy",
            Sale::Ended => "EndCouponPolicy",
        };
        let load = async |id| self.kept_policy(keeper, PolicyId(id)).await;
        let sold = self
            .kit
            .requests
            .once(keeper.id.0, method, key, load, async |record| {
                let before = self.kept_policy(keeper, id).await?;
                let after = sold(&before, sale, self.kit.clock.now())?;
                self.kit
                    .db
                    .write(async |tx| {
                        if after.version != before.version {
                            // Whoever accepts shares the turn, and is done behind it.
                            tx.take_turn(id.0).await?;
                            store::policy::update(&tx, before.version, &after).await?;
                        }
                        record.put(&tx, id.0).await
                    })
                    .await?;
                Ok(after)
            })
            .await?;
        // Behind a repetition too: the call that it repeats may have ended before it came here.
        self.change_gate(&sold.value).await?;
        self.show_reply(sold).await
    }
}

fn sold(policy: &Policy, sale: Sale, now: Time) -> Result<Policy, Error> {
    let is_over = policy.state_at(now, None) == PolicyState::Ended;
    if is_over && sale != Sale::Ended {
        return Err(CouponError::Ended(policy.id).into());
    }
    if policy.sale == sale {
        return Ok(policy.clone());
    }
    Ok(Policy { sale, version: policy.version + 1, update_time: now, ..policy.clone() })
}
