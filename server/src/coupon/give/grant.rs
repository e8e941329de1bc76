//! Giving a member a coupon.

use uuid::Uuid;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::slot::next_of;
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Coupon, CouponId, Issuing, Policy, PolicyId, ReceiptId, State};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;
use crate::member::directory;

/// Who is given a coupon, by whom, and by what.
#[derive(Clone, Copy, Debug)]
pub(in crate::coupon) struct Recipient<'a> {
    pub(in crate::coupon) member: MemberId,
    /// By which request or code.
    pub(in crate::coupon) token: Uuid,
    /// What gives a member one coupon and never another.
    pub(in crate::coupon) once: Option<Uuid>,
    pub(in crate::coupon) actor: &'a Actor,
}

impl Coupons {
    /// Gives a member a coupon of a policy that is issued by granting.
    pub(super) async fn grant(
        &self,
        keeper: &Keeper,
        policy: PolicyId,
        member: MemberId,
        key: &RequestKey,
    ) -> Result<Reply<(Coupon, Policy)>, Error> {
        let load = async |id| self.coupon_of_policy(CouponId(id)).await;
        self.kit
            .requests
            .once(keeper.id.0, "GrantCoupon", key, load, async |record| {
                self.kept_policy(keeper, policy).await?;
                if !directory::known(self.kit.db.read(), &[member]).await?.contains(&member) {
                    return Err(NotFound::new("member", member).into());
                }
                let now = self.kit.clock.now();
                let recipient = Recipient { member, token: self.kit.ids.uuid(now), once: None, actor: &keeper.actor };
                self.kit
                    .db
                    .write(async |tx| {
                        let policy = self.open_policy(&tx, policy, Issuing::Grant, now).await?;
                        let coupon = self.give(&tx, &policy, recipient, now).await?;
                        record.put(&tx, coupon.id.0).await?;
                        Ok((coupon, policy))
                    })
                    .await
            })
            .await
    }

    /// A policy that gives coupons now and in this way, and goes on to do so until the transaction ends.
    ///
    /// Before any other lock of the transaction.
    pub(in crate::coupon) async fn open_policy(
        &self,
        tx: &Tx,
        id: PolicyId,
        issuing: Issuing,
        now: Time,
    ) -> Result<Policy, Error> {
        let policy = store::policy::hold(tx, id).await?.ok_or_else(|| NotFound::new("coupon_policy", id))?;
        if policy.issuing != issuing {
            return Err(CouponError::WrongIssuing { policy: id, issuing: policy.issuing }.into());
        }
        match policy.refusal_at(now) {
            Some(refused) => Err(refused.into()),
            None => Ok(policy),
        }
    }

    /// Gives a member one more coupon of an open policy, within its total and within what a member may have.
    pub(in crate::coupon) async fn give(
        &self,
        tx: &Tx,
        policy: &Policy,
        to: Recipient<'_>,
        now: Time,
    ) -> Result<Coupon, Error> {
        // Counted first: who gives of the same policy waits here, and sees then what this gives.
        if !store::tally::give(tx, policy.id, 1, policy.offer.total).await? {
            return Err(CouponError::SoldOut(policy.id).into());
        }
        let taken = store::given::taken(&**tx, policy.id, &[to.member]).await?;
        let slot = next_of(policy, &taken, now)?;
        let new = store::given::New {
            id: ReceiptId::new(&self.kit.ids, now),
            member: to.member,
            ordinal: slot.ordinal,
            day_slot: slot.day_slot,
            token: to.token,
            once: to.once,
        };
        store::given::insert(tx, policy, &[new], &to.actor.0, now).await?;
        let coupon = Coupon {
            id: new.id.into(),
            policy: policy.id,
            member: to.member,
            state: State::Available,
            version: 1,
            expire_time: policy.expiry(now),
            booking: None,
            hold_expire_time: None,
            gift_from: None,
            created_by: to.actor.0.clone(),
            create_time: now,
            update_time: now,
        };
        let issued = pb::IssuedCoupon { coupon_id: coupon.id.to_string(), member_id: coupon.member.to_string() };
        let news = pb::CouponsIssued { policy_id: policy.id.to_string(), coupons: vec![issued] };
        self.kit.outbox.put(tx, Cause { aggregate: coupon.id.0, version: 1, actor: to.actor }, &news);
        Ok(coupon)
    }

    /// A coupon and its policy, whosever they are.
    pub(in crate::coupon) async fn coupon_of_policy(&self, id: CouponId) -> Result<(Coupon, Policy), Error> {
        let conn = self.kit.db.read();
        let coupon = store::coupon::find(conn, id).await?.ok_or_else(|| NotFound::new("coupon", id))?;
        let policy = store::policy::find(conn, coupon.policy).await?;
        let policy = policy.ok_or_else(|| NotFound::new("coupon_policy", coupon.policy))?;
        Ok((coupon, policy))
    }
}
