//! What a member's coupons would take off, and which are best together.

use std::collections::HashMap;
use std::sync::Arc;

use super::Discount;
use crate::coupon::best::{self, Limits};
use crate::coupon::cart::Cart;
use crate::coupon::discount;
use crate::coupon::kind::{Refusal, Terms};
use crate::coupon::model::{Coupon, CouponId, Event, Policy, PolicyId};
use crate::coupon::{CouponError, Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::clock::Time;
use crate::kit::id::MemberId;

/// How many coupons of a member are looked at: those of others than the seller last, and of each those that expire first.
const CANDIDATES: usize = 200;

/// Which coupons to use.
#[derive(Clone, Debug)]
pub enum Choice {
    /// These, all of them; perhaps none.
    These(Vec<CouponId>),
    /// Those that take off the most together.
    Best,
}

/// The coupons that a member may use, as far as is known without the booking.
#[derive(Clone, Debug)]
pub struct Candidates {
    each: Vec<Candidate>,
    /// Whether the member has no others.
    is_all: bool,
}

/// One of them.
#[derive(Clone, Debug)]
struct Candidate {
    name: String,
    seller_share: u8,
    /// What the coupons of its policy may still take off together.
    budget_left: Option<i64>,
    coupon: best::Coupon,
    expire_time: Time,
}

/// What the coupons of a member would do for a booking.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Each of them, those that take off most first.
    pub coupons: Vec<OfferedCoupon>,
    /// What those that are used take off.
    pub discounts: Vec<Discount>,
    /// The best of them.
    pub best: BestCoupons,
}

/// What a coupon would do for a booking alone.
#[derive(Clone, Debug)]
pub struct OfferedCoupon {
    /// Which.
    pub coupon: CouponId,
    /// The policy's name.
    pub name: String,
    /// From when on it can't be used.
    pub expire_time: Time,
    /// What it takes off, or why it can't be used.
    pub saving: Result<i64, Refusal>,
}

/// The coupons that take off the most together.
#[derive(Clone, Debug, Default)]
pub struct BestCoupons {
    /// In the order in which they apply.
    pub coupons: Vec<CouponId>,
    /// What they take off.
    pub saving: i64,
    /// Whether no combination takes off more.
    pub is_proven: bool,
    /// What none goes beyond.
    pub bound: i64,
}

impl Coupons {
    /// The coupons that a member can use now, at a seller's before elsewhere, with those that they chose among them; one that is not
    /// theirs, or not available, is refused.
    pub async fn candidates(&self, member: MemberId, seller: MemberId, choice: &Choice) -> Result<Candidates, Error> {
        let now = self.kit.clock.now();
        let conn = self.kit.db.read();
        let mut found = store::held::available(conn, member, seller, now, CANDIDATES as u64 + 1).await?;
        let is_all = found.len() <= CANDIDATES;
        found.truncate(CANDIDATES);
        if let Choice::These(chosen) = choice {
            for id in chosen {
                if found.iter().any(|coupon| coupon.id == *id) {
                    continue;
                }
                let own = store::held::of_member(conn, member, *id).await?;
                let coupon = own.ok_or_else(|| NotFound::new("coupon", id))?;
                let state = coupon.state_at(now);
                if state.on(Event::Reserve).is_none() {
                    return Err(CouponError::NotAvailable { coupon: *id, state, stale: None }.into());
                }
                found.push(coupon);
            }
        }
        Ok(Candidates { each: self.with_policies(found).await?, is_all })
    }

    async fn with_policies(&self, coupons: Vec<Coupon>) -> Result<Vec<Candidate>, Error> {
        if coupons.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids: Vec<_> = coupons.iter().map(|coupon| coupon.policy).collect();
        ids.sort_unstable();
        ids.dedup();
        let conn = self.kit.db.read();
        let used = store::held::budgets_used(conn, &ids).await?;
        let mut policies: HashMap<PolicyId, (Policy, Arc<Terms>)> = HashMap::new();
        for policy in store::policy::find_all(conn, ids.iter().copied()).await? {
            let terms = Arc::new(self.terms(&policy)?);
            policies.insert(policy.id, (policy, terms));
        }
        let candidate = |coupon: Coupon| {
            let (policy, terms) = policies.get(&coupon.policy)?;
            let used = used.get(&policy.id).copied().unwrap_or_default();
            Some(Candidate {
                name: policy.offer.name.clone(),
                seller_share: policy.seller_share,
                budget_left: policy.offer.budget.map(|budget| budget.minor - used),
                coupon: best::Coupon {
                    id: coupon.id.0,
                    policy: policy.id.0,
                    seller: policy.seller,
                    expire_time: Some(coupon.expire_time),
                    zone: policy.zone,
                    stacking: policy.stacking.clone(),
                    terms: terms.clone(),
                },
                expire_time: coupon.expire_time,
            })
        };
        Ok(coupons.into_iter().filter_map(candidate).collect())
    }

    /// What candidates would do for a booking, and what those that are used do.
    pub async fn offer(&self, candidates: Candidates, cart: Cart, choice: &Choice) -> Result<Offered, Error> {
        let choice = choice.clone();
        // A search among many coupons is work of its own: nobody else waits for it.
        let worked_out = tokio::task::spawn_blocking(move || offered(&candidates, &cart, &choice));
        worked_out.await.map_err(Error::internal)?
    }

    /// What the coupons of a booking take off another cart, expired or not. Those that take nothing off it any more are left
    /// out.
    pub async fn offer_again(&self, discounts: &[Discount], cart: &Cart) -> Result<Vec<Discount>, Error> {
        let ids: Vec<_> = discounts.iter().map(|discount| discount.coupon).collect();
        let coupons = store::held::find_many(self.kit.db.read(), &ids).await?;
        let mut candidates = self.with_policies(coupons).await?;
        for candidate in &mut candidates {
            candidate.coupon.expire_time = None;
        }
        loop {
            let coupons: Vec<_> = candidates.iter().map(|candidate| candidate.coupon.clone()).collect();
            match best::apply(cart, &coupons) {
                Ok(applied) => return Ok(kept(&candidates, applied)),
                Err(refused) => candidates.retain(|candidate| candidate.coupon.id != refused.coupon),
            }
        }
    }
}

fn offered(candidates: &Candidates, cart: &Cart, choice: &Choice) -> Result<Offered, Error> {
    let Candidates { each: candidates, is_all } = candidates;
    let coupons: Vec<_> = candidates.iter().map(|candidate| candidate.coupon.clone()).collect();
    let mut listed = Vec::with_capacity(candidates.len());
    let mut good = Vec::new();
    for (candidate, usable) in candidates.iter().zip(best::usable(cart, &coupons)) {
        let saving = usable.outcome.and_then(|saving| candidate.within_budget(saving));
        if saving.is_ok() {
            good.push(candidate.coupon.clone());
        }
        let (coupon, name, expire_time) = (candidate.id(), candidate.name.clone(), candidate.expire_time);
        listed.push(OfferedCoupon { coupon, name, expire_time, saving });
    }
    let best = best::best(cart, &good, Limits::default());
    let applied = match choice {
        Choice::Best => best.applied.clone(),
        Choice::These(chosen) => {
            let refused = |coupon: CouponId, refusal: Refusal| {
                Error::from(CouponError::NotApplicable { coupon, why: refusal.reason, text: refusal.text })
            };
            for coupon in &listed {
                if let Err(refusal) = coupon.saving.clone()
                    && chosen.contains(&coupon.coupon)
                {
                    return Err(refused(coupon.coupon, refusal));
                }
            }
            let chosen: Vec<_> = coupons.into_iter().filter(|coupon| chosen.contains(&CouponId(coupon.id))).collect();
            best::apply(cart, &chosen).map_err(|not| refused(CouponId(not.coupon), not.refusal))?
        }
    };
    listed.sort_by_key(|coupon| (std::cmp::Reverse(coupon.saving.clone().unwrap_or(-1)), coupon.coupon));
    let best = BestCoupons {
        coupons: best.applied.coupons.iter().map(|one| CouponId(one.coupon)).collect(),
        saving: best.applied.saving(),
        is_proven: best.is_proven && *is_all,
        // What was not looked at may take off anything.
        bound: if *is_all { best.bound } else { cart.total() },
    };
    Ok(Offered { coupons: listed, discounts: kept(candidates, applied), best })
}

/// What was applied, as it is kept with a booking.
fn kept(candidates: &[Candidate], applied: best::Applied) -> Vec<Discount> {
    let discount = |one: best::AppliedCoupon| {
        let candidate = candidates.iter().find(|candidate| candidate.coupon.id == one.coupon)?;
        let (coupon, policy) = (CouponId(one.coupon), PolicyId(one.policy));
        let off = discount::Discount::new(one.units, candidate.seller_share);
        Some(Discount { coupon, policy, name: candidate.name.clone(), off })
    };
    applied.coupons.into_iter().filter_map(discount).collect()
}

impl Candidates {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }
}

impl Candidate {
    fn id(&self) -> CouponId {
        CouponId(self.coupon.id)
    }

    fn within_budget(&self, saving: i64) -> Result<i64, Refusal> {
        match self.budget_left {
            Some(left) if left < saving => {
                Err(Refusal::new(BUDGET_SPENT, "what its policy may take off in all is nearly used up"))
            }
            _ => Ok(saving),
        }
    }
}

/// What the coupons of a policy may take off together does not bear it.
const BUDGET_SPENT: &str = "BUDGET_SPENT";

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sea_orm::entity::prelude::*;
    use sea_orm::{ActiveValue, IntoActiveModel};

    use super::*;
    use crate::coupon::entity::{coupon, policy};
    use crate::coupon::model::{Issuing, State};
    use crate::coupon::stage;
    use crate::harness::Harness;
    use crate::kit::clock::Clock;

    /// Guard: the order in which a member's coupons are looked at, of which only so many are.
    #[tokio::test]
    async fn coupons_of_other_sellers_crowd_out_none_that_are_good_here() {
        let yeyak = Harness::new().await;
        let [member, seller, other] = [1, 2, 3].map(|number| MemberId(Uuid::from_u128(number)));
        let now = yeyak.clock.now();
        let put = async |of: Option<MemberId>, days: i64, count: usize| {
            let kept = stage::policy(&yeyak, Issuing::Grant, 1000).await;
            let row =
                policy::Entity::find_by_id(kept.id.0).one(yeyak.db.read()).await.expect("reads").expect("is there");
            let mut row = row.into_active_model();
            row.seller_id = ActiveValue::Set(of.map(|seller| seller.0));
            let rows = (0..count).map(|_| coupon::ActiveModel {
                id: ActiveValue::Set(yeyak.kit.ids.uuid(now)),
                policy_id: ActiveValue::Set(kept.id.0),
                member_id: ActiveValue::Set(member.0),
                state: ActiveValue::Set(State::Available.name().to_owned()),
                version: ActiveValue::Set(1),
                expire_time: ActiveValue::Set(now + TimeDelta::days(days)),
                booking_id: ActiveValue::Set(None),
                hold_expire_time: ActiveValue::Set(None),
                gift_from: ActiveValue::Set(None),
                created_by: ActiveValue::Set("test".to_owned()),
                create_time: ActiveValue::Set(now),
                update_time: ActiveValue::Set(now),
            });
            let rows: Vec<_> = rows.collect();
            let written = yeyak.db.write(async |tx| {
                row.clone().update(&*tx).await?;
                Ok(coupon::Entity::insert_many(rows.clone()).exec_without_returning(&*tx).await.map(drop)?)
            });
            written.await.expect("writes");
        };
        put(Some(other), 1, CANDIDATES).await;
        put(Some(seller), 30, 1).await;
        put(None, 20, 1).await;

        let found = stage::coupons(&yeyak).candidates(member, seller, &Choice::Best).await.expect("finds");

        let sellers: Vec<_> = found.each.iter().map(|one| one.coupon.seller).collect();
        assert_eq!((&sellers[..3], sellers.len()), (&[None, Some(seller), Some(other)][..], CANDIDATES));
        assert!(!found.is_all);
    }
}
