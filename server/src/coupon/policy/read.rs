//! Reading policies.

use futures::{StreamExt, stream};

use crate::coupon::keeper::{Keeper, is_kept_by};
use crate::coupon::model::{Issuing, Policy, PolicyId, PolicyState};
use crate::coupon::store::listed::Wanted;
use crate::coupon::store::tally::Tally;
use crate::coupon::{Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Caller;
use crate::kit::idempotency::Reply;
use crate::kit::page::Page;

/// How many gates are asked at the same moment.
const GATES: usize = 16;

/// A policy as it is now.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) policy: Policy,
    pub(super) state: PolicyState,
    /// None when there is no end of them, or nobody can say.
    pub(super) left: Option<u64>,
    pub(super) budget_used: i64,
    /// Whether the reader keeps it.
    pub(super) is_kept: bool,
}

impl Coupons {
    /// A policy that the keeper keeps.
    pub(in crate::coupon) async fn kept_policy(&self, keeper: &Keeper, id: PolicyId) -> Result<Policy, Error> {
        let found = store::policy::find(self.kit.db.read(), id).await?;
        found.filter(|policy| keeper.keeps(policy)).ok_or_else(|| NotFound::new("coupon_policy", id).into())
    }

    /// A policy, for anyone.
    pub(super) async fn get_policy(&self, caller: &Caller, id: PolicyId) -> Result<Shown, Error> {
        let found = store::policy::find(self.kit.db.read(), id).await?;
        let policy = found.ok_or_else(|| NotFound::new("coupon_policy", id))?;
        let is_kept = is_kept_by(&policy, caller);
        self.show(policy, is_kept).await
    }

    /// The policies that the keeper keeps, newest first; in a state, or in any.
    pub(super) async fn list_policies(
        &self,
        keeper: &Keeper,
        state: Option<PolicyState>,
        page: &Page,
    ) -> Result<(Vec<Shown>, String), Error> {
        let seller = (!keeper.is_admin).then_some(keeper.id);
        let (mut found, token) = self.list(Wanted::Of(seller, state), page, |_| true).await?;
        // Whether any is left is not in the rows.
        found.retain(|shown| state.is_none_or(|state| shown.state == state));
        Ok((found, token))
    }

    /// The policies that members can ask for, now or later, newest first.
    pub(super) async fn list_open_policies(&self, caller: &Caller, page: &Page) -> Result<(Vec<Shown>, String), Error> {
        self.list(Wanted::Open, page, |policy| is_kept_by(policy, caller)).await
    }

    async fn list(
        &self,
        wanted: Wanted,
        page: &Page,
        is_kept: impl Fn(&Policy) -> bool,
    ) -> Result<(Vec<Shown>, String), Error> {
        let conn = self.kit.db.read();
        let found = store::listed::policies(conn, wanted, self.kit.clock.now(), page).await?;
        let (found, token) = page.cut(&self.kit.keys, found, |(id, _)| id.0);
        let found: Vec<_> = found.into_iter().filter_map(|(_, policy)| policy).collect();
        let ids: Vec<_> = found.iter().map(|policy| policy.id).collect();
        let tallies = store::tally::of(conn, &ids).await?;
        let shown = found.into_iter().map(|policy| {
            let tally = tallies.get(&policy.id).copied().unwrap_or_default();
            let is_kept = is_kept(&policy);
            self.shown(policy, tally, is_kept)
        });
        let shown: Vec<_> = shown.collect();
        Ok((stream::iter(shown).buffered(GATES).collect().await, token))
    }

    /// A policy as it is now.
    pub(super) async fn show(&self, policy: Policy, is_kept: bool) -> Result<Shown, Error> {
        let tallies = store::tally::of(self.kit.db.read(), &[policy.id]).await?;
        let tally = tallies.get(&policy.id).copied().unwrap_or_default();
        Ok(self.shown(policy, tally, is_kept).await)
    }

    /// What became of a policy, for its keeper.
    pub(super) async fn show_reply(&self, reply: Reply<Policy>) -> Result<Reply<Shown>, Error> {
        Ok(Reply { value: self.show(reply.value, true).await?, replayed: reply.replayed })
    }

    async fn shown(&self, policy: Policy, tally: Tally, is_kept: bool) -> Shown {
        let left = match (policy.issuing, policy.offer.total) {
            (_, None) => None,
            (Issuing::FirstCome, Some(_)) => self.remaining(&policy).await,
            (Issuing::Code | Issuing::Grant, Some(total)) => Some(total.saturating_sub(tally.granted)),
        };
        let state = policy.state_at(self.kit.clock.now(), left);
        Shown { policy, state, left, budget_used: tally.budget_used, is_kept }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sea_orm::entity::prelude::*;
    use yeyak_proto::yeyak::coupon::v1::ListOpenCouponPoliciesRequest;

    use super::*;
    use crate::coupon::entity::policy::{Column, Entity};
    use crate::coupon::stage;
    use crate::harness::Harness;

    /// Guard: `store::policy::rows`; a page ends at a row, whether or not it can be read.
    #[tokio::test]
    async fn a_policy_that_can_not_be_read_is_passed_over_in_lists() {
        let yeyak = Harness::new().await;
        let coupons = stage::coupons(&yeyak);
        let mut made = Vec::new();
        for _ in 0..4 {
            made.push(stage::policy(&yeyak, Issuing::FirstCome, 1).await.id);
            yeyak.clock.advance(TimeDelta::seconds(1));
        }
        let later = made[1..3].iter().map(|id| id.0).collect::<Vec<_>>();
        let written = yeyak.db.write(async |tx| {
            let update = Entity::update_many().col_expr(Column::RefundPolicy, Expr::value("OF_TOMORROW"));
            Ok(update.filter(Column::Id.is_in(later.clone())).exec(&*tx).await.map(drop)?)
        });
        written.await.expect("writes");

        for page_size in [1, 50] {
            let (mut seen, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = ListOpenCouponPoliciesRequest { page_size, page_token };
                let page = Page::of(&yeyak.kit.keys, &request).expect("a page");
                let (found, next) = coupons.list_open_policies(&Caller::Anonymous, &page).await.expect("lists");
                seen.extend(found.into_iter().map(|shown| shown.policy.id));
                page_token = next;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, [made[3], made[0]]);
        }
    }
}
