//! Redeeming a code.

use tonic::{Request, Response, Status};
use uuid::Uuid;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::text::Code;
use super::{Batch, BatchState};
use crate::coupon::give::Recipient;
use crate::coupon::issue::proto_coupon_for;
use crate::coupon::model::{Coupon, CouponId, Issuing, Policy};
use crate::coupon::{CouponError, Coupons, meter, store};
use crate::error::{Error, ErrorReason};
use crate::kit::caller::{Caller, Member};
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::keyring::Purpose;
use crate::kit::violation::Violations;

/// Longer than a code with any spaces and hyphens that people put in.
const LENGTH: usize = 40;

impl Coupons {
    pub(in crate::coupon) async fn answer_redeem(
        &self,
        request: Request<pb::RedeemCouponCodeRequest>,
    ) -> Result<Response<pb::Coupon>, Status> {
        let caller = Caller::of(&request).member()?;
        let request = request.into_inner();
        let mut violations = Violations::new();
        let fits = (1..=LENGTH).contains(&request.code.chars().count());
        violations.require("code", fits, format!("must have 1 to {LENGTH} characters"));
        let key = RequestKey::of(&request, &mut violations);
        violations.finish(Some(()))?;
        let code = Code::read(&self.kit.keys, &request.code);
        let key = key.and(format!("{code:?}").as_bytes());
        let redeemed = meter::given("code", self.redeem(&caller, code, &key).await)?;
        let now = self.kit.clock.now();
        Ok(redeemed.map(|(coupon, policy)| proto_coupon_for(caller.id, &coupon, &policy, now)).into_response())
    }

    /// Gives the caller the coupon of a code. All that is wrong with a code is told in the same way.
    async fn redeem(
        &self,
        caller: &Member,
        code: Option<Code>,
        key: &RequestKey,
    ) -> Result<Reply<(Coupon, Policy)>, Error> {
        let load = async |id| self.coupon_of_policy(CouponId(id)).await;
        self.kit
            .requests
            .once(caller.id.0, "RedeemCouponCode", key, load, async |record| {
                self.count_guess(caller.id).await?;
                let outcome = match code {
                    Some(code) => self.redeem_code(caller, code, &record).await,
                    None => Err(CouponError::CodeInvalid.into()),
                };
                let was_wrong =
                    outcome.as_ref().is_err_and(|refused| refused.reason() == ErrorReason::CouponCodeInvalid);
                if !was_wrong {
                    self.forgive_guess(caller.id).await;
                }
                outcome
            })
            .await
    }

    async fn redeem_code(&self, caller: &Member, code: Code, record: &Record) -> Result<(Coupon, Policy), Error> {
        let batch = store::code::of_number(self.kit.db.read(), code.batch).await?;
        let Some(batch) = batch.filter(|batch| code.number < batch.code_count) else {
            return Err(CouponError::CodeInvalid.into());
        };
        let now = self.kit.clock.now();
        let once = self.once(&batch, code, caller.id);
        let actor = caller.actor();
        let recipient = Recipient { member: caller.id, token: once, once: Some(once), actor: &actor };
        self.kit
            .db
            .write(async |tx| {
                let policy = self.open_policy(&tx, batch.policy, Issuing::Code, now).await?;
                // Who cancels the batch waits until this is done, or was done before.
                let state = store::code::keep(&tx, batch.id).await?;
                let is_good = state == Some(BatchState::Active)
                    && store::code::redeem(&tx, &batch, code.number).await?
                    && !store::code::has_redeemed(&tx, policy.id, caller.id, once).await?;
                if !is_good {
                    return Err(CouponError::CodeInvalid.into());
                }
                let coupon = self.give(&tx, &policy, recipient, now).await?;
                record.put(&tx, coupon.id.0).await?;
                Ok((coupon, policy))
            })
            .await
    }

    /// A member redeems a code once, however often it can be redeemed.
    fn once(&self, batch: &Batch, code: Code, member: MemberId) -> Uuid {
        let parts = [b"once", &batch.id.0.as_bytes()[..], &code.number.to_be_bytes(), member.0.as_bytes()].concat();
        let tag = self.kit.keys.index(Purpose::CouponCode, &parts);
        let (head, _) = tag.split_first_chunk().expect("a tag has 32 bytes");
        Uuid::from_bytes(*head)
    }
}
