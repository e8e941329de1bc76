//! Giving a coupon to another member.
//!
//! A coupon counts for whom it was issued to, and for who has it: each has one of the ordinals that a member may have of the
//! policy, in a row of its own under the one unique index. So nobody has more than they may, whether they were issued it or
//! given it, and giving away makes no room for another.

use super::slot::last_of;
use crate::coupon::model::{Coupon, CouponId, Event, Policy, ReceiptId};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Member;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::member::directory;

impl Coupons {
    /// Gives an available coupon of the caller to another member, who can't give it on.
    pub(super) async fn gift(
        &self,
        caller: &Member,
        id: CouponId,
        recipient: MemberId,
        key: &RequestKey,
    ) -> Result<Reply<(Coupon, Policy)>, Error> {
        let load = async |id| self.coupon_of_policy(CouponId(id)).await;
        self.kit
            .requests
            .once(caller.id.0, "GiftCoupon", key, load, async |record| {
                self.unheld(self.give_on(caller, id, recipient, &record).await).await
            })
            .await
    }

    async fn give_on(
        &self,
        caller: &Member,
        id: CouponId,
        recipient: MemberId,
        record: &Record,
    ) -> Result<(Coupon, Policy), Error> {
        let coupon = store::coupon::find(self.kit.db.read(), id).await?;
        let coupon = coupon.filter(|coupon| coupon.member == caller.id).ok_or_else(|| NotFound::new("coupon", id))?;
        let now = self.kit.clock.now();
        if !directory::known(self.kit.db.read(), &[recipient]).await?.contains(&recipient) {
            return Err(NotFound::new("member", recipient).into());
        }
        let receipt = ReceiptId::new(&self.kit.ids, now);
        let actor = caller.actor();
        self.kit
            .db
            .write(async |tx| {
                // Who changes its terms waits for this, and was waited for: a limit that was answered holds.
                let policy = store::policy::hold(&tx, coupon.policy).await?;
                let policy = policy.ok_or_else(|| NotFound::new("coupon_policy", coupon.policy))?;
                let given = given(&coupon, &policy, recipient, now)?;
                self.put(&tx, &coupon, &given, Event::Gift.name(), None, &actor).await?;
                let taken = store::given::taken(&*tx, policy.id, &[recipient]).await?;
                let last = last_of(&policy, &taken)?;
                store::given::insert_gift(&tx, receipt, &given, last, &actor.0, now).await?;
                record.put(&tx, id.0).await?;
                Ok((given, policy))
            })
            .await
    }
}

fn given(coupon: &Coupon, policy: &Policy, recipient: MemberId, now: Time) -> Result<Coupon, CouponError> {
    if !policy.offer.giftable || coupon.gift_from.is_some() {
        return Err(CouponError::NotGiftable(coupon.id));
    }
    Ok(Coupon {
        state: coupon.after(Event::Gift, now)?,
        member: recipient,
        gift_from: Some(coupon.member),
        version: coupon.version + 1,
        update_time: now,
        ..coupon.clone()
    })
}
