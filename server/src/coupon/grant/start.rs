//! Starting a run.

use super::model::{Counts, RunState};
use super::{Audience, GrantRun, GrantRunId};
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Issuing, PolicyId, PolicyState};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};

/// The most runs of a policy that have not ended.
const LIMIT: u64 = 100;

/// Asks for a run.
#[derive(Clone, Debug)]
pub(super) struct StartRun {
    pub(super) policy: PolicyId,
    pub(super) audience: Audience,
    /// Those who are listed, each once.
    pub(super) members: Vec<MemberId>,
}

impl Coupons {
    /// Starts a run, which goes on by itself.
    pub(super) async fn start_run(
        &self,
        keeper: &Keeper,
        command: &StartRun,
        key: &RequestKey,
    ) -> Result<Reply<GrantRun>, Error> {
        let load = async |id| self.kept_run(keeper, GrantRunId(id)).await;
        self.kit
            .requests
            .once(keeper.id.0, "StartCouponGrantRun", key, load, async |record| {
                let policy = self.kept_policy(keeper, command.policy).await?;
                let now = self.kit.clock.now();
                if policy.issuing != Issuing::Grant {
                    return Err(CouponError::WrongIssuing { policy: policy.id, issuing: policy.issuing }.into());
                }
                if policy.state_at(now, None) == PolicyState::Ended {
                    return Err(CouponError::Ended(policy.id).into());
                }
                let listed = u64::try_from(command.members.len()).ok();
                let run = GrantRun {
                    id: GrantRunId::new(&self.kit.ids, now),
                    policy: policy.id,
                    state: RunState::Running,
                    audience: command.audience,
                    position: None,
                    total: listed.filter(|_| matches!(command.audience, Audience::List)),
                    counts: Counts::default(),
                    version: 1,
                    created_by: keeper.actor.to_string(),
                    create_time: now,
                    update_time: now,
                };
                self.kit
                    .db
                    .write(async |tx| {
                        tx.take_turn(policy.id.0).await?;
                        if store::run::running_count(&tx, policy.id).await? >= LIMIT {
                            return Err(CouponError::TooMany { limit: "runs under way", maximum: LIMIT }.into());
                        }
                        store::run::insert(&tx, &run, &command.members).await?;
                        record.put(&tx, run.id.0).await
                    })
                    .await?;
                Ok(run)
            })
            .await
    }
}
