//! Making codes.

use uuid::Uuid;

use super::text::MOST_BATCHES;
use super::{Batch, BatchState, CodeBatchId};
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Issuing, Policy, PolicyId, PolicyState};
use crate::coupon::store::code::Counted;
use crate::coupon::{CouponError, Coupons, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::idempotency::{Reply, RequestKey};

/// The most batches of a policy.
const LIMIT: u64 = 100;
/// Numbers are given one after the other, over all policies.
const NUMBERS: Uuid = Uuid::from_u128(0x636f_6465_6261_7463_6800);

/// Asks for codes.
#[derive(Clone, Debug)]
pub(super) struct CreateBatch {
    pub(super) policy: PolicyId,
    pub(super) code_count: u32,
    pub(super) uses_per_code: u32,
    pub(super) tag: String,
}

impl Coupons {
    /// Makes codes for a policy that is issued by code.
    pub(super) async fn create_batch(
        &self,
        keeper: &Keeper,
        command: &CreateBatch,
        key: &RequestKey,
    ) -> Result<Reply<Counted>, Error> {
        let load = async |id| self.kept_batch(keeper, CodeBatchId(id)).await;
        self.kit
            .requests
            .once(keeper.id.0, "CreateCouponCodeBatch", key, load, async |record| {
                let policy = self.kept_policy(keeper, command.policy).await?;
                let now = self.kit.clock.now();
                takes_codes(&policy, now)?;
                let mut batch = Batch {
                    id: CodeBatchId::new(&self.kit.ids, now),
                    number: 0,
                    policy: policy.id,
                    state: BatchState::Active,
                    code_count: command.code_count,
                    uses_per_code: command.uses_per_code,
                    tag: command.tag.clone(),
                    version: 1,
                    created_by: keeper.actor.to_string(),
                    create_time: now,
                };
                batch.number = self
                    .kit
                    .db
                    .write(async |tx| {
                        tx.take_turn(NUMBERS).await?;
                        if store::code::batch_count(&tx, policy.id).await? >= LIMIT {
                            return Err(CouponError::TooMany { limit: "batches of codes", maximum: LIMIT }.into());
                        }
                        let number = store::code::highest_number(&tx).await? + 1;
                        if number > MOST_BATCHES {
                            let maximum = u64::from(MOST_BATCHES);
                            return Err(CouponError::TooMany { limit: "batches of codes in all", maximum }.into());
                        }
                        store::code::insert(&tx, &Batch { number, ..batch.clone() }).await?;
                        record.put(&tx, batch.id.0).await?;
                        Ok(number)
                    })
                    .await?;
                Ok(Counted { batch, redeemed: 0 })
            })
            .await
    }
}

fn takes_codes(policy: &Policy, now: Time) -> Result<(), CouponError> {
    if policy.issuing != Issuing::Code {
        return Err(CouponError::WrongIssuing { policy: policy.id, issuing: policy.issuing });
    }
    match policy.state_at(now, None) {
        PolicyState::Ended => Err(CouponError::Ended(policy.id)),
        _ => Ok(()),
    }
}
