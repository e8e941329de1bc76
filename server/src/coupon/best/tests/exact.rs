//! The search against all subsets.

use std::cmp::Ordering;
use std::collections::HashMap;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::super::judge::judge;
use super::super::{AT_MOST, Coupon, Limits, apply, best};
use super::sample::{Flavour, Sample, sample};
use crate::coupon::cart::{Cart, Line};
use crate::kit::clock::Time;

/// A set of coupons that is valid, with what is compared of it.
struct Set<'a> {
    saving: i64,
    coupons: Vec<&'a Coupon>,
}

impl Set<'_> {
    fn sorted(&self) -> (Vec<(bool, Option<Time>)>, Vec<Uuid>) {
        let mut expiries: Vec<_> = self.coupons.iter().map(|c| (c.expire_time.is_none(), c.expire_time)).collect();
        let mut ids: Vec<_> = self.coupons.iter().map(|coupon| coupon.id).collect();
        expiries.sort();
        ids.sort();
        (expiries, ids)
    }

    fn beats(&self, other: &Self) -> bool {
        let by_count = self.coupons.len().cmp(&other.coupons.len());
        let order = other.saving.cmp(&self.saving).then(by_count);
        order.then_with(|| self.sorted().cmp(&other.sorted())) == Ordering::Less
    }
}

/// Every valid set, each built from one that is valid without its last coupon: what does not apply at its turn makes every set
/// that begins so invalid.
fn every_set<'a>(cart: &Cart, in_turn: &[&'a Coupon], chosen: &mut Vec<&'a Coupon>, left: &[i64], best: &mut Set<'a>) {
    if chosen.len() == AT_MOST {
        return;
    }
    for (at, coupon) in in_turn.iter().enumerate() {
        let alone = coupon.stacking.exclusive && !chosen.is_empty() || chosen.iter().any(|one| one.stacking.exclusive);
        if alone || chosen.iter().any(|one| one.stacking.group == coupon.stacking.group) {
            continue;
        }
        let Ok(judged) = judge(cart, coupon) else { continue };
        let Ok(off) = judged.off(left) else { continue };
        let mut left = left.to_vec();
        for (at, off) in judged.at.iter().zip(off) {
            left[*at] -= off;
        }
        chosen.push(coupon);
        let set = Set { saving: cart.total() - left.iter().sum::<i64>(), coupons: chosen.clone() };
        if set.beats(best) {
            *best = set;
        }
        every_set(cart, &in_turn[at + 1..], chosen, &left, best);
        chosen.pop();
    }
}

fn by_brute_force<'a>(cart: &Cart, coupons: &'a [Coupon]) -> Set<'a> {
    let mut in_turn: Vec<_> = coupons.iter().collect();
    in_turn.sort_by(|one, other| one.order(other));
    let left: Vec<i64> = cart.lines().iter().flat_map(Line::units).map(|unit| unit.amount).collect();
    let mut best = Set { saving: 0, coupons: Vec::new() };
    every_set(cart, &in_turn, &mut Vec::new(), &left, &mut best);
    best
}

fn ids(coupons: &[&Coupon]) -> Vec<Uuid> {
    coupons.iter().map(|coupon| coupon.id).collect()
}

fn flavours() -> impl Strategy<Value = Flavour> {
    // What is mixed has the most that can go wrong.
    prop_oneof![4 => Just(Flavour::Mixed), 3 => prop::sample::select(Flavour::ALL.as_slice())]
}

/// With budgets of some policies, of which many bear less than their coupons take off alone.
fn with_budgets(Sample { cart, mut coupons }: Sample, seed: u64) -> Sample {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut budgets = HashMap::new();
    for coupon in &mut coupons {
        let budget = rng.random_bool(0.5).then(|| rng.random_range(0..=cart.total() / 3));
        coupon.budget_left = *budgets.entry(coupon.policy).or_insert(budget);
    }
    Sample { cart, coupons }
}

fn some_with_budgets(seed: u64, flavour: Flavour, lines: usize, coupons: usize) -> Sample {
    let sample = sample(seed, flavour, lines, coupons);
    if seed.is_multiple_of(2) { sample } else { with_budgets(sample, seed) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn nothing_is_better_among_all_subsets(
        seed in any::<u64>(), flavour in flavours(), lines in 1..=10_usize,
        coupons in prop_oneof![4 => 0..=7_usize, 1 => 8..=12_usize]
    ) {
        let Sample { cart, coupons } = some_with_budgets(seed, flavour, lines, coupons);

        let found = best(&cart, &coupons, Limits::default());
        let all = by_brute_force(&cart, &coupons);

        let names: Vec<_> = found.applied.coupons.iter().map(|one| one.coupon).collect();
        prop_assert_eq!((found.applied.saving(), names), (all.saving, ids(&all.coupons)));
        prop_assert!(found.is_proven);
        prop_assert_eq!(found.bound, all.saving);
    }
}

proptest! {
    #[test]
    fn a_search_that_is_cut_short_says_what_could_be_missing(
        seed in any::<u64>(), flavour in flavours(), coupons in 1..=10_usize, steps in 0..1_000_u64
    ) {
        let Sample { cart, coupons } = some_with_budgets(seed, flavour, 6, coupons);

        let found = best(&cart, &coupons, Limits { steps });
        let all = by_brute_force(&cart, &coupons);

        prop_assert!(found.applied.saving() <= all.saving && all.saving <= found.bound);
        if found.is_proven {
            let names: Vec<_> = found.applied.coupons.iter().map(|one| one.coupon).collect();
            prop_assert_eq!(names, ids(&all.coupons));
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(
        seed in any::<u64>(), flavour in flavours(), at in any::<prop::sample::Index>()
    ) {
        let Sample { cart, mut coupons } = some_with_budgets(seed, flavour, 5, 10);
        let first = best(&cart, &coupons, Limits::default());

        coupons.rotate_left(at.index(10));
        coupons.swap(0, 9);

        prop_assert_eq!(best(&cart, &coupons, Limits::default()).applied, first.applied);
    }

    #[test]
    fn what_is_taken_off_adds_up_and_leaves_nothing_below_zero(seed in any::<u64>(), flavour in flavours()) {
        let Sample { cart, coupons } = some_with_budgets(seed, flavour, 6, 8);

        let applied = best(&cart, &coupons, Limits::default()).applied;

        for (line, of) in cart.lines().iter().enumerate() {
            for (at, unit) in of.units().iter().enumerate() {
                let off: Vec<_> = applied.coupons.iter().map(|coupon| coupon.units[line][at]).collect();
                prop_assert!(off.iter().all(|off| *off >= 0) && off.iter().sum::<i64>() <= unit.amount);
            }
        }
        for coupon in &applied.coupons {
            let budget = coupons.iter().find(|one| one.id == coupon.coupon).and_then(|one| one.budget_left);
            prop_assert!(budget.is_none_or(|budget| coupon.saving <= budget));
            prop_assert_eq!(coupon.units.iter().flatten().sum::<i64>(), coupon.saving);
        }
        let chosen = applied.coupons.iter().rev().filter_map(|one| coupons.iter().find(|c| c.id == one.coupon));
        let chosen: Vec<_> = chosen.cloned().collect();
        prop_assert_eq!(apply(&cart, &chosen), Ok(applied));
    }
}
