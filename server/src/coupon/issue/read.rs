//! Receipts and coupons, as their members see them.

use std::collections::HashMap;

use crate::coupon::model::{Coupon, CouponId, Policy, Receipt, ReceiptId, State};
use crate::coupon::{Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Member;
use crate::kit::page::Page;

impl Coupons {
    /// A receipt of the caller. One that was answered is there.
    pub(super) async fn receipt(&self, caller: &Member, id: ReceiptId) -> Result<Receipt, Error> {
        let found = store::receipt::find(self.kit.db.read(), id).await?;
        let own = found.filter(|receipt| receipt.member == caller.id);
        own.ok_or_else(|| NotFound::new("coupon_receipt", id).into())
    }

    /// A coupon with its policy: for its member, the policy's seller, and admins.
    pub(super) async fn coupon(&self, caller: &Member, id: CouponId) -> Result<(Coupon, Policy), Error> {
        let missing = || NotFound::new("coupon", id);
        let conn = self.kit.db.read();
        let coupon = store::coupon::find(conn, id).await?.ok_or_else(missing)?;
        let policy = store::policy::find(conn, coupon.policy).await?.ok_or_else(missing)?;
        let may_see = coupon.member == caller.id || policy.seller == Some(caller.id) || caller.is_admin();
        if may_see { Ok((coupon, policy)) } else { Err(missing().into()) }
    }

    /// A page of the caller's coupons with their policies, newest first, and the token of the next.
    pub(super) async fn coupons(
        &self,
        caller: &Member,
        state: Option<State>,
        page: &Page,
    ) -> Result<(Vec<(Coupon, Policy)>, String), Error> {
        let conn = self.kit.db.read();
        let found = store::coupon::list(conn, caller.id, state, self.kit.clock.now(), page).await?;
        let (coupons, next_page_token) = page.cut(&self.kit.keys, found, |coupon| coupon.id.0);
        let policies = store::policy::find_readable(conn, coupons.iter().map(|coupon| coupon.policy)).await?;
        let policies: HashMap<_, _> = policies.into_iter().map(|policy| (policy.id, policy)).collect();
        let with_policy = |coupon: Coupon| policies.get(&coupon.policy).cloned().map(|policy| (coupon, policy));
        Ok((coupons.into_iter().filter_map(with_policy).collect(), next_page_token))
    }
}
