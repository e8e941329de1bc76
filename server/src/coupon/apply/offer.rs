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
    /// Those that this release can't read the terms of.
    unread: Vec<OfferedCoupon>,
    /// Whether the member has no others.
    is_all: bool,
}

/// One of them.
#[derive(Clone, Debug)]
struct Candidate {
    name: String,
    seller_share: u8,
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
        let (each, unread) = self.with_policies(found).await?;
        Ok(Candidates { each, unread, is_all })
    }

    /// Coupons with what their policies say; those apart of which that can't be read. One of them keeps no other from being used.
    async fn with_policies(&self, coupons: Vec<Coupon>) -> Result<(Vec<Candidate>, Vec<OfferedCoupon>), Error> {
        if coupons.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut ids: Vec<_> = coupons.iter().map(|coupon| coupon.policy).collect();
        ids.sort_unstable();
        ids.dedup();
        let conn = self.kit.db.read();
        let used = store::held::budgets_used(conn, &ids).await?;
        let mut policies: HashMap<PolicyId, (Policy, Arc<Terms>)> = HashMap::new();
        for policy in store::policy::find_readable(conn, ids.iter().copied()).await? {
            match self.terms(&policy) {
                Ok(terms) => _ = policies.insert(policy.id, (policy, Arc::new(terms))),
                Err(error) => tracing::error!(policy.id = %policy.id, "coupons can't be used: {error}"),
            }
        }
        let (mut candidates, mut unread) = (Vec::with_capacity(coupons.len()), Vec::new());
        for coupon in coupons {
            let Some((policy, terms)) = policies.get(&coupon.policy) else {
                unread.push(OfferedCoupon::unread(&coupon));
                continue;
            };
            let used = used.get(&policy.id).copied().unwrap_or_default();
            candidates.push(Candidate {
                name: policy.offer.name.clone(),
                seller_share: policy.seller_share,
                coupon: best::Coupon {
                    id: coupon.id.0,
                    policy: policy.id.0,
                    seller: policy.seller,
                    expire_time: Some(coupon.expire_time),
                    zone: policy.zone,
                    stacking: policy.stacking.clone(),
                    terms: terms.clone(),
                    budget_left: policy.offer.budget.map(|budget| budget.minor - used),
                },
                expire_time: coupon.expire_time,
            });
        }
        Ok((candidates, unread))
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
        let (mut candidates, unread) = self.with_policies(coupons).await?;
        // What it takes off elsewhere is not known: the booking keeps it, and stays where it is.
        if let Some(unread) = unread.first() {
            return Err(Error::internal(format!("the terms of {} can't be read", unread.coupon)));
        }
        for candidate in &mut candidates {
            candidate.coupon.expire_time = None;
            // It bears what the booking has, and is asked for the difference when the booking moves.
            candidate.coupon.budget_left = None;
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
    let Candidates { each: candidates, unread, is_all } = candidates;
    let coupons: Vec<_> = candidates.iter().map(|candidate| candidate.coupon.clone()).collect();
    let mut listed = unread.clone();
    for (candidate, usable) in candidates.iter().zip(best::usable(cart, &coupons)) {
        let (coupon, name, expire_time) = (candidate.id(), candidate.name.clone(), candidate.expire_time);
        listed.push(OfferedCoupon { coupon, name, expire_time, saving: usable.outcome });
    }
    let best = best::best(cart, &coupons, Limits::default());
    let applied = match choice {
        Choice::Best => best.applied.clone(),
        Choice::These(chosen) => {
            let refused = |coupon: CouponId, refusal: Refusal| {
                Error::from(CouponError::NotApplicable { coupon, why: refusal.reason, text: refusal.text })
            };
            for coupon in &listed {
                // A budget that does not bear it alone may bear what is left for it behind the others.
                if let Err(refusal) = coupon.saving.clone()
                    && refusal.reason != Refusal::BUDGET_SPENT
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
        self.each.is_empty() && self.unread.is_empty()
    }
}

impl OfferedCoupon {
    fn unread(coupon: &Coupon) -> Self {
        let saving = Err(Refusal::new(Refusal::UNREADABLE, "can't be used for now"));
        Self { coupon: coupon.id, name: String::new(), expire_time: coupon.expire_time, saving }
    }
}

impl Candidate {
    fn id(&self) -> CouponId {
        CouponId(self.coupon.id)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use sea_orm::ActiveValue;
    use sea_orm::entity::prelude::*;

    use super::*;
    use crate::coupon::cart::{Line, Subject, Unit};
    use crate::coupon::entity::{Benefit, coupon, policy};
    use crate::coupon::kind::Term;
    use crate::coupon::kind::Value::Number;
    use crate::coupon::model::{Issuing, State};
    use crate::coupon::stage;
    use crate::error::ErrorReason;
    use crate::harness::Harness;
    use crate::kit::clock::Clock;
    use crate::kit::money::Currency;
    use crate::kit::tx::Tx;

    /// Writes coupons of a policy that a member has.
    async fn give(yeyak: &Harness, policy: PolicyId, member: MemberId, days: i64, count: usize) {
        let now = yeyak.clock.now();
        let rows = (0..count).map(|_| coupon::ActiveModel {
            id: ActiveValue::Set(yeyak.kit.ids.uuid(now)),
            policy_id: ActiveValue::Set(policy.0),
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
        let insert = async |tx: Tx| {
            Ok(coupon::Entity::insert_many(rows.clone()).exec_without_returning(&*tx).await.map(drop)?)
        };
        yeyak.db.write(insert).await.expect("writes");
    }

    async fn set(yeyak: &Harness, policy: PolicyId, column: policy::Column, value: impl Into<Value>) {
        let value = Expr::value(value);
        let update = async |tx: Tx| {
            let update = policy::Entity::update_many().col_expr(column, value.clone());
            Ok(update.filter(policy::Column::Id.eq(policy.0)).exec(&*tx).await.map(drop)?)
        };
        yeyak.db.write(update).await.expect("writes");
    }

    /// Guard: the order in which a member's coupons are looked at, of which only so many are.
    #[tokio::test]
    async fn coupons_of_other_sellers_crowd_out_none_that_are_good_here() {
        let yeyak = Harness::new().await;
        let [member, seller, other] = [1, 2, 3].map(|number| MemberId(Uuid::from_u128(number)));
        for (of, days, count) in [(Some(other), 1, CANDIDATES), (Some(seller), 30, 1), (None, 20, 1)] {
            let policy = stage::policy(&yeyak, Issuing::Grant, 1000).await.id;
            set(&yeyak, policy, policy::Column::SellerId, of.map(|seller| seller.0)).await;
            give(&yeyak, policy, member, days, count).await;
        }

        let found = stage::coupons(&yeyak).candidates(member, seller, &Choice::Best).await.expect("finds");

        let sellers: Vec<_> = found.each.iter().map(|one| one.coupon.seller).collect();
        assert_eq!((&sellers[..3], sellers.len()), (&[None, Some(seller), Some(other)][..], CANDIDATES));
        assert!(!found.is_all);
    }

    fn cart(amount: i64) -> Cart {
        let subject = Subject::Seats { performance: Uuid::nil(), grade: "VIP".to_owned() };
        let line = Line::new(MemberId(Uuid::nil()), subject, vec![Unit::piece(amount)]);
        Cart::new(Currency::KRW, "2026-03-01T00:00:00Z".parse().expect("an instant"), vec![line])
            .expect("a small amount")
    }

    /// Guard: `best::Coupon::budget_left`, which is held against what a coupon takes off behind the others.
    #[tokio::test]
    async fn a_coupon_that_its_budget_does_not_bear_alone_is_used_where_others_leave_less() {
        let yeyak = Harness::new().await;
        let (coupons, member) = (stage::coupons(&yeyak), MemberId(Uuid::from_u128(1)));
        let first = stage::policy(&yeyak, Issuing::Grant, 1).await.id;
        let half = stage::policy(&yeyak, Issuing::Grant, 1).await.id;
        set(&yeyak, first, policy::Column::Priority, 1_i64).await;
        let benefit = Term::of("PERCENT").with("percent", Number(50));
        set(&yeyak, half, policy::Column::Benefit, Benefit(benefit)).await;
        set(&yeyak, half, policy::Column::StackingGroup, "other").await;
        set(&yeyak, half, policy::Column::Budget, 8_000_i64).await;
        for policy in [first, half] {
            give(&yeyak, policy, member, 30, 1).await;
        }
        let offered = async |choice: Choice| {
            let candidates = coupons.candidates(member, member, &choice).await.expect("finds");
            coupons.offer(candidates, cart(20_000), &choice).await
        };

        let best = offered(Choice::Best).await.expect("offers");

        let alone: Vec<_> = best.coupons.iter().map(|one| one.saving.clone().map_err(|no| no.reason)).collect();
        assert_eq!(alone, [Ok(5_000), Err("BUDGET_SPENT")]);
        assert_eq!((best.best.saving, best.best.is_proven, best.best.bound), (12_500, true, 12_500));
        let chosen = offered(Choice::These(best.best.coupons.clone())).await.expect("as it was offered");
        assert_eq!(chosen.discounts, best.discounts);
        let alone = offered(Choice::These(vec![best.coupons[1].coupon])).await.expect_err("10,000 of 8,000");
        assert_eq!(alone.reason(), ErrorReason::CouponNotApplicable);
    }

    /// Guards: `find_readable`, and the terms that are read one by one: what a newer release has made takes nothing from the rest.
    #[tokio::test]
    async fn a_coupon_whose_terms_can_not_be_read_can_not_be_used_and_others_can() {
        let yeyak = Harness::new().await;
        let (coupons, member) = (stage::coupons(&yeyak), MemberId(Uuid::from_u128(1)));
        let mut policies = Vec::new();
        for _ in 0..3 {
            policies.push(stage::policy(&yeyak, Issuing::Grant, 1).await.id);
            give(&yeyak, policies[policies.len() - 1], member, 30, 1).await;
        }
        set(&yeyak, policies[0], policy::Column::RefundPolicy, "OF_TOMORROW").await;
        set(&yeyak, policies[1], policy::Column::Benefit, Benefit(Term::of("OF_TOMORROW"))).await;
        let offered = async |choice: Choice| {
            let candidates = coupons.candidates(member, member, &choice).await.expect("finds");
            coupons.offer(candidates, cart(20_000), &choice).await
        };

        let best = offered(Choice::Best).await.expect("offers");

        let found: Vec<_> = best.coupons.iter().map(|one| one.saving.clone().map_err(|no| no.reason)).collect();
        assert_eq!(found, [Ok(5_000), Err("UNREADABLE"), Err("UNREADABLE")]);
        assert_eq!((best.best.saving, best.best.is_proven, best.discounts.len()), (5_000, true, 1));
        for unread in &best.coupons[1..] {
            let refused = offered(Choice::These(vec![unread.coupon])).await.expect_err("can't be used");
            assert_eq!(refused.reason(), ErrorReason::CouponNotApplicable);
        }
        let reserve = async |tx: Tx| {
            let held =
                coupon::Entity::update_many().col_expr(coupon::Column::State, Expr::value(State::Reserved.name()));
            Ok(held.filter(coupon::Column::PolicyId.eq(policies[0].0)).exec(&*tx).await.map(drop)?)
        };
        yeyak.db.write(reserve).await.expect("writes");
        assert!(!coupons.holds_first(yeyak.db.read(), member, None).await.expect("is known of all others"));
    }
}
