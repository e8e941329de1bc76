//! Taking an issue back.

use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Coupon, Event, Issuing, Policy, Receipt, ReceiptId, State};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::clock::Time;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;

impl Coupons {
    /// Takes an issue back: its place is free again, and its coupon can't be used, nor come later. One that was taken back
    /// already stays so.
    pub(super) async fn revoke(
        &self,
        keeper: &Keeper,
        id: ReceiptId,
        reason: &str,
        key: &RequestKey,
    ) -> Result<Reply<Receipt>, Error> {
        let load = async |id| Ok(self.kept_receipt(keeper, ReceiptId(id)).await?.0);
        let revoking = self.kit.requests.once(keeper.id.0, "RevokeCoupon", key, load, async |record| {
            let (receipt, policy) = self.kept_receipt(keeper, id).await?;
            let now = self.kit.clock.now();
            let taken_back = self.kit.db.write(async |tx| {
                if !receipt.is_cancelled {
                    self.take_back(&tx, keeper, &receipt, &policy, reason, now).await?;
                }
                record.put(&tx, id.0).await
            });
            self.unheld(taken_back.await).await?;
            Ok(self.kept_receipt(keeper, id).await?.0)
        });
        let revoked = revoking.await?;
        // Behind a repetition too: whoever took it back may have died before its gate heard of it.
        self.free_place(&revoked.value).await?;
        Ok(revoked)
    }

    /// Gives the place of an issue that was taken back to its gate, which passes over what it knows already.
    async fn free_place(&self, receipt: &Receipt) -> Result<(), Error> {
        let conn = self.kit.db.read();
        let Some(policy) = store::policy::find(conn, receipt.policy).await? else { return Ok(()) };
        if policy.issuing == Issuing::FirstCome
            && let Some(token) = store::given::token(conn, receipt.id).await?
        {
            self.release_place(&policy, receipt.member, token).await;
        }
        Ok(())
    }

    async fn take_back(
        &self,
        tx: &Tx,
        keeper: &Keeper,
        receipt: &Receipt,
        policy: &Policy,
        reason: &str,
        now: Time,
    ) -> Result<(), Error> {
        // An issuer that is at it now is waited for, and one that comes later finds a coupon that is revoked.
        let was_pending = store::given::forestall(tx, policy, receipt, &keeper.actor.0, now).await?;
        if !was_pending {
            let coupon = store::held::find_in(tx, receipt.id.into()).await?;
            // Who takes it back at the same moment was faster.
            let coupon = coupon.filter(|coupon| coupon.state != State::Revoked);
            let coupon = coupon.ok_or_else(|| Error::lost(receipt.id))?;
            let revoked = revoked(&coupon, now)?;
            self.put(tx, &coupon, &revoked, Event::Revoke.name(), None, &keeper.actor).await?;
        }
        // Before the receipt, as whoever gives: they wait for each other here, and not in a circle.
        if receipt.place.is_none() {
            store::tally::take_back(tx, policy.id).await?;
        }
        store::given::cancel(tx, receipt, reason, now).await?;
        let (bus, id) = (self.bus.clone(), receipt.id.0);
        tx.on_commit(move || bus.publish(id));
        Ok(())
    }

    /// A receipt of a policy that the keeper keeps; a gift is none.
    async fn kept_receipt(&self, keeper: &Keeper, id: ReceiptId) -> Result<(Receipt, Policy), Error> {
        let not_found = || Error::from(NotFound::new("coupon_receipt", id));
        let found = store::receipt::find(self.kit.db.read(), id).await?;
        let receipt = found.filter(|receipt| receipt.gift_of.is_none()).ok_or_else(not_found)?;
        let policy = self.kept_policy(keeper, receipt.policy).await.map_err(|error| error.hidden(not_found))?;
        Ok((receipt, policy))
    }
}

fn revoked(coupon: &Coupon, now: Time) -> Result<Coupon, CouponError> {
    Ok(Coupon {
        state: coupon.after(Event::Revoke, now)?,
        version: coupon.version + 1,
        update_time: now,
        ..coupon.clone()
    })
}
