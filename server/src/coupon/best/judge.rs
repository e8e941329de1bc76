//! One coupon and one booking: what it is good for, and what it takes off what is left.

use super::Coupon;
use crate::coupon::cart::Cart;
use crate::coupon::discount::spread;
use crate::coupon::kind::benefit::Piece;
use crate::coupon::kind::{Benefit, Condition, Refusal};
use crate::kit::date::local_date;

/// A coupon, and the units that it is good for.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) coupon: &'a Coupon,
    pub(super) pieces: Vec<Piece<'a>>,
    /// The position of each piece among all units of the cart.
    pub(super) at: Vec<usize>,
}

/// What a coupon is good for in a cart, by all that does not depend on what is left.
pub(super) fn judge<'a>(cart: &'a Cart, coupon: &'a Coupon) -> Result<Judged<'a>, Refusal> {
    if let Some(end) = coupon.expire_time.filter(|end| *end <= cart.now) {
        let end = end.with_timezone(&coupon.zone).format("%Y-%m-%d %H:%M");
        return Err(Refusal::new(Refusal::EXPIRED, format!("was good until {end}")));
    }
    if let Some(currency) = coupon.terms.currency.filter(|currency| *currency != cart.currency()) {
        return Err(Refusal::new(Refusal::OTHER_CURRENCY, format!("is good for bookings in {currency}")));
    }
    let judged = scope(cart, coupon)?;
    let today = local_date(coupon.zone, cart.now);
    for condition in &coupon.terms.conditions {
        if let Condition::Gate(gate) = condition {
            gate.judge(cart, today)?;
        }
    }
    Ok(judged)
}

/// Narrows condition by condition, so that the one that leaves nothing says why.
fn scope<'a>(cart: &'a Cart, coupon: &'a Coupon) -> Result<Judged<'a>, Refusal> {
    let lines = cart.lines().iter().enumerate();
    let units = lines.flat_map(|(line, of)| of.units().iter().map(move |unit| Piece { line, unit }));
    let is_sellers = |piece: &Piece<'_>| coupon.seller.is_none_or(|seller| seller == cart.lines()[piece.line].seller);
    let mut covered: Vec<(usize, Piece<'_>)> = units.enumerate().filter(|(_, piece)| is_sellers(piece)).collect();
    if covered.is_empty() {
        return Err(Refusal::new(Refusal::OUT_OF_SCOPE, "is good for what its own seller sells"));
    }
    for condition in &coupon.terms.conditions {
        let Condition::Scope(scope) = condition else { continue };
        covered.retain(|(_, piece)| scope.covers(&cart.lines()[piece.line], piece.unit));
        if covered.is_empty() {
            return Err(scope.refusal());
        }
    }
    let (at, pieces) = covered.into_iter().unzip();
    Ok(Judged { coupon, pieces, at })
}

impl Judged<'_> {
    /// What it takes off each of its pieces, when so much is left of all units of the cart, as far as its budget bears it.
    pub(super) fn off(&self, left: &[i64]) -> Result<Vec<i64>, Refusal> {
        let off = self.off_by_terms(left)?;
        match self.coupon.budget_left {
            Some(budget) if budget < off.iter().sum::<i64>() => {
                Err(Refusal::new(Refusal::BUDGET_SPENT, "what its policy may take off in all is nearly used up"))
            }
            _ => Ok(off),
        }
    }

    /// The same, whatever its budget bears: behind others it takes off less.
    pub(super) fn off_by_terms(&self, left: &[i64]) -> Result<Vec<i64>, Refusal> {
        let mine: Vec<i64> = self.at.iter().map(|at| left[*at]).collect();
        let total = mine.iter().sum();
        if let Some(threshold) = self.coupon.terms.unmet(total) {
            return Err(threshold.refusal(total));
        }
        let off = match &self.coupon.terms.benefit {
            Benefit::OnUnits(benefit) => {
                let mut off = vec![0; mine.len()];
                benefit.take(&self.pieces, &mine, &mut off);
                off.iter().zip(&mine).map(|(off, left)| (*off).clamp(0, *left)).collect()
            }
            Benefit::OnTotal(benefit) => {
                let line_of: Vec<_> = self.pieces.iter().map(|piece| piece.line).collect();
                spread(benefit.off(total).clamp(0, total), &mine, &line_of)
            }
        };
        if off.iter().all(|off| *off == 0) {
            return Err(Refusal::new(Refusal::NO_SAVING, "takes nothing off"));
        }
        Ok(off)
    }
}
