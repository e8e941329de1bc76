//! Creating a policy.

use super::read::Shown;
use crate::backend::gate::Sale;
use crate::coupon::best::Stacking;
use crate::coupon::keeper::Keeper;
use crate::coupon::kind::Wording;
use crate::coupon::model::{Issuing, Offer, Policy, PolicyId, RefundPolicy};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::date::Tz;
use crate::kit::idempotency::{Reply, RequestKey};

/// The most policies of a seller.
const LIMIT: u64 = 1_000;

/// Asks for a policy.
#[derive(Clone, Debug)]
pub(super) struct CreatePolicy {
    pub(super) issuing: Issuing,
    pub(super) wording: Wording,
    pub(super) zone: Tz,
    pub(super) stacking: Stacking,
    pub(super) seller_share: u8,
    pub(super) refund: RefundPolicy,
    pub(super) offer: Offer,
}

impl Coupons {
    /// Creates a policy, which issues coupons from its start on.
    pub(super) async fn create_policy(
        &self,
        keeper: &Keeper,
        command: &CreatePolicy,
        key: &RequestKey,
    ) -> Result<Reply<Shown>, Error> {
        let load = async |id| self.kept_policy(keeper, PolicyId(id)).await;
        let created = self
            .kit
            .requests
            .once(keeper.id.0, "CreateCouponPolicy", key, load, async |record| {
                let policy = self.new_policy(keeper, command);
                self.kit
                    .db
                    .write(async |tx| {
                        if let Some(seller) = policy.seller {
                            tx.take_turn(seller.0).await?;
                            if store::policy::count(&*tx, policy.seller).await? >= LIMIT {
                                return Err(CouponError::TooMany { limit: "policies", maximum: LIMIT }.into());
                            }
                        }
                        store::policy::insert(&tx, &policy).await?;
                        record.put(&tx, policy.id.0).await
                    })
                    .await?;
                Ok(policy)
            })
            .await?;
        // So that what is left can be seen before anybody has asked for it; who asks first opens it otherwise.
        if let Err(error) = self.change_gate(&created.value).await {
            tracing::debug!(policy.id = %created.value.id, "a gate is opened by who asks first: {error}");
        }
        self.show_reply(created).await
    }

    fn new_policy(&self, keeper: &Keeper, command: &CreatePolicy) -> Policy {
        let command = command.clone();
        let now = self.kit.clock.now();
        Policy {
            id: PolicyId::new(&self.kit.ids, now),
            seller: keeper.seller(),
            issuing: command.issuing,
            wording: command.wording,
            zone: command.zone,
            stacking: command.stacking,
            seller_share: command.seller_share,
            refund: command.refund,
            offer: command.offer,
            sale: Sale::Open,
            version: 1,
            gate_epoch: 0,
            end_told: None,
            created_by: keeper.actor.to_string(),
            create_time: now,
            update_time: now,
        }
    }
}
