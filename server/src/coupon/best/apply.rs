//! A chosen set of coupons, applied.

use uuid::Uuid;

use super::judge::judge;
use super::{AT_MOST, Coupon};
use crate::coupon::cart::{Cart, Line};
use crate::coupon::kind::Refusal;

/// What coupons take off a cart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Applied {
    /// In the order in which they apply.
    pub coupons: Vec<AppliedCoupon>,
}

/// What a coupon takes off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppliedCoupon {
    /// The coupon.
    pub coupon: Uuid,
    /// Its policy.
    pub policy: Uuid,
    /// How much together; more than nothing.
    pub saving: i64,
    /// How much off each unit of each line of the cart.
    pub units: Vec<Vec<i64>>,
}

impl Applied {
    /// What all take off together.
    pub fn saving(&self) -> i64 {
        self.coupons.iter().map(|coupon| coupon.saving).sum()
    }
}

/// Why a set of coupons is not a combination.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{refusal}")]
pub struct NotApplicable {
    /// The coupon that is one too many, or does not apply at its turn.
    pub coupon: Uuid,
    /// Why.
    pub refusal: Refusal,
}

impl NotApplicable {
    fn new(coupon: &Coupon, reason: &'static str, text: impl Into<String>) -> Self {
        Self { coupon: coupon.id, refusal: Refusal::new(reason, text) }
    }
}

/// What each unit of a cart costs, line by line.
pub(super) fn units(cart: &Cart) -> Vec<i64> {
    cart.lines().iter().flat_map(Line::units).map(|unit| unit.amount).collect()
}

/// What coupons take off together, in whatever order they are given, or the first that does not apply, and why.
pub fn apply(cart: &Cart, chosen: &[Coupon]) -> Result<Applied, NotApplicable> {
    let mut in_turn: Vec<_> = chosen.iter().collect();
    in_turn.sort_by(|one, other| one.order(other));
    fit_together(&in_turn)?;
    let mut left = units(cart);
    let mut applied = Applied::default();
    for coupon in in_turn {
        let refused = |refusal| NotApplicable { coupon: coupon.id, refusal };
        let judged = judge(cart, coupon).map_err(refused)?;
        let off = judged.off(&left).map_err(refused)?;
        let mut of_units = vec![0; left.len()];
        for (at, off) in judged.at.iter().zip(&off) {
            left[*at] -= off;
            of_units[*at] = *off;
        }
        let units = by_line(cart, &of_units);
        let saving = off.iter().sum();
        applied.coupons.push(AppliedCoupon { coupon: coupon.id, policy: coupon.policy, saving, units });
    }
    Ok(applied)
}

fn by_line(cart: &Cart, units: &[i64]) -> Vec<Vec<i64>> {
    let mut rest = units;
    let line = |line: &Line| {
        let (units, behind) = rest.split_at(line.units().len());
        rest = behind;
        units.to_vec()
    };
    cart.lines().iter().map(line).collect()
}

/// Whether nothing keeps coupons from being used together, whatever the booking.
fn fit_together(coupons: &[&Coupon]) -> Result<(), NotApplicable> {
    if let Some(coupon) = coupons.get(AT_MOST) {
        let text = format!("a booking takes at most {AT_MOST} coupons");
        return Err(NotApplicable::new(coupon, Refusal::TOO_MANY, text));
    }
    for (at, coupon) in coupons.iter().enumerate() {
        if coupon.stacking.exclusive && coupons.len() > 1 {
            return Err(NotApplicable::new(coupon, Refusal::EXCLUSIVE, "is used alone"));
        }
        for before in &coupons[..at] {
            if before.id == coupon.id {
                return Err(NotApplicable::new(coupon, Refusal::SAME_COUPON, "is used once"));
            }
            let group = &coupon.stacking.group;
            if before.stacking.group == *group {
                let text = format!("is of the group {group}, as another one that is used");
                return Err(NotApplicable::new(coupon, Refusal::SAME_GROUP, text));
            }
        }
    }
    Ok(())
}
