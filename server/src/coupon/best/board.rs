//! What a search plays on: what is left of the cart, in cells that are as coarse as the coupons allow.
//!
//! Coupons on the whole come last, and ask only how much is left of what they are good for. When none of them is good for a
//! part of a line alone, what each unit of the line has left does not matter: the line is one cell, and one number.

use super::Coupon;
use super::judge::{Judged, judge};
use super::standing::{Rank, ranks};
use crate::coupon::cart::Cart;
use crate::coupon::discount::spread;
use crate::coupon::kind::Benefit;

/// A coupon that may be chosen.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    judged: Judged<'a>,
    pub(super) rank: Rank,
    /// The number of its group.
    pub(super) group: usize,
    /// How much must be left of what it is good for.
    pub(super) least: i64,
    /// How much it may take off.
    budget: i64,
    /// The cells that a coupon on the whole is good for, and the line of each.
    cells: Vec<usize>,
    lines: Vec<usize>,
}

impl<'a> Entry<'a> {
    pub(super) fn coupon(&self) -> &'a Coupon {
        self.judged.coupon
    }

    /// How many lines or units are looked at to work out what it would do.
    pub(super) fn size(&self) -> usize {
        match self.judged.coupon.terms.benefit {
            Benefit::OnTotal(_) => self.cells.len(),
            Benefit::OnUnits(_) => self.judged.at.len(),
        }
    }
}

/// What is left at a point of the search.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Of each unit, until a coupon on the whole is applied: behind it nobody asks.
    units: Vec<i64>,
    cells: Vec<i64>,
    /// Of all.
    pub(super) rest: i64,
}

impl State {
    /// Becomes the same as another, in the memory that it has; without the units, when nobody will ask for them.
    fn copy(&mut self, other: &Self, with_units: bool) {
        if with_units {
            self.units.clone_from(&other.units);
        }
        self.cells.clone_from(&other.cells);
        self.rest = other.rest;
    }
}

/// What a coupon would do now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) entry: usize,
    /// What it takes off, which is more than nothing; where it waits, the most that it can.
    pub(super) saving: i64,
    /// Whether it takes off more than its budget bears: it applies once others have left less.
    pub(super) waits: bool,
    /// What is left of what it is good for.
    total: i64,
}

/// The coupons that may be chosen, in the order in which they apply, and the units that they apply to.
#[derive(Debug)]
pub(super) struct Board<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    cell_of: Vec<usize>,
    mine: Vec<i64>,
    off: Vec<i64>,
}

impl<'a> Board<'a> {
    /// Sets up the coupons that are good for a cart, with all that is left at the start.
    pub(super) fn new(cart: &'a Cart, coupons: &'a [Coupon]) -> (Self, State) {
        let left = super::apply::units(cart);
        let fits = |coupon| judge(cart, coupon).ok().filter(|judged| judged.off_by_terms(&left).is_ok());
        let mut judged: Vec<_> = coupons.iter().filter_map(fits).collect();
        judged.sort_by(|one, other| one.coupon.order(other.coupon));
        let judged = one_of_each_policy(judged);
        let ranks = ranks(&judged.iter().map(|one| one.coupon).collect::<Vec<_>>());
        let cell_of = cells(cart, &judged);
        let mut groups = Vec::new();
        let entry = |(judged, rank): (Judged<'a>, Rank)| {
            let name = &judged.coupon.stacking.group;
            let group = groups.iter().position(|group| *group == name).unwrap_or_else(|| {
                groups.push(name);
                groups.len() - 1
            });
            let mut cells: Vec<_> =
                judged.at.iter().zip(&judged.pieces).map(|(at, of)| (cell_of[*at], of.line)).collect();
            cells.dedup();
            let (cells, lines) = cells.into_iter().unzip();
            let least = judged.coupon.terms.least();
            let budget = judged.coupon.budget_left.unwrap_or(i64::MAX);
            Entry { judged, rank, group, least, budget, cells, lines }
        };
        let entries = judged.into_iter().zip(ranks).map(entry).collect();
        let mut cells = vec![0; cell_of.last().map_or(0, |last| last + 1)];
        for (cell, left) in cell_of.iter().zip(&left) {
            cells[*cell] += left;
        }
        let rest = left.iter().sum();
        (Self { entries, cell_of, mine: Vec::new(), off: Vec::new() }, State { units: left, cells, rest })
    }

    /// What a coupon would do, unless it does not apply, nor will.
    pub(super) fn choice(&mut self, state: &State, entry: usize) -> Option<Choice> {
        let judged = &self.entries[entry].judged;
        let terms = &judged.coupon.terms;
        let (total, saving) = match &terms.benefit {
            Benefit::OnTotal(benefit) => {
                let total = self.entries[entry].cells.iter().map(|cell| state.cells[*cell]).sum();
                (total, benefit.off(total).clamp(0, total))
            }
            Benefit::OnUnits(_) => {
                let total = judged.at.iter().map(|at| state.units[*at]).sum();
                (total, self.take(state, entry))
            }
        };
        let Entry { least, budget, .. } = self.entries[entry];
        let (waits, saving) = (budget < saving, saving.min(budget));
        (saving > 0 && least <= total).then_some(Choice { entry, saving, waits, total })
    }

    /// What a coupon on units takes off; how much off each stays in `off`.
    fn take(&mut self, state: &State, entry: usize) -> i64 {
        let judged = &self.entries[entry].judged;
        let Benefit::OnUnits(benefit) = &judged.coupon.terms.benefit else { return 0 };
        self.mine.clear();
        self.mine.extend(judged.at.iter().map(|at| state.units[*at]));
        self.off.clear();
        self.off.resize(self.mine.len(), 0);
        benefit.take(&judged.pieces, &self.mine, &mut self.off);
        let mut saving = 0;
        for (off, left) in self.off.iter_mut().zip(&self.mine) {
            *off = (*off).clamp(0, *left);
            saving += *off;
        }
        saving
    }

    /// What is left of one state when a coupon is applied, written over another.
    pub(super) fn play(&mut self, before: &State, choice: Choice, state: &mut State) {
        let entry = &self.entries[choice.entry];
        let on_total = matches!(entry.judged.coupon.terms.benefit, Benefit::OnTotal(_));
        state.copy(before, !on_total);
        state.rest -= choice.saving;
        if on_total {
            let weights: Vec<_> = entry.cells.iter().map(|cell| state.cells[*cell]).collect();
            for (cell, off) in entry.cells.iter().zip(spread(choice.saving, &weights, &entry.lines)) {
                state.cells[*cell] -= off;
            }
            return;
        }
        self.take(state, choice.entry);
        for (at, off) in self.entries[choice.entry].judged.at.iter().zip(&self.off) {
            state.units[*at] -= off;
            state.cells[self.cell_of[*at]] -= off;
        }
    }

    /// The most that a choice can take off later, when so much is left of all. What remains then never grows with less left.
    pub(super) fn later(&self, choice: Choice, rest: i64) -> i64 {
        let entry = &self.entries[choice.entry];
        match &entry.judged.coupon.terms.benefit {
            Benefit::OnTotal(benefit) if benefit.is_steady() => {
                let total = choice.total.min(rest);
                benefit.off(total).clamp(0, total).min(entry.budget)
            }
            _ => choice.saving.min(rest),
        }
    }
}

/// Of coupons of one policy, which are never used together and do the same, only the one that is to be used first can be among
/// the best.
fn one_of_each_policy(in_turn: Vec<Judged<'_>>) -> Vec<Judged<'_>> {
    let mut kept: Vec<Judged<'_>> = Vec::new();
    for judged in in_turn {
        match kept.last_mut().filter(|last| last.coupon.policy == judged.coupon.policy) {
            Some(last) if judged.coupon.expiry() < last.coupon.expiry() => *last = judged,
            Some(_) => {}
            None => kept.push(judged),
        }
    }
    kept
}

/// The cell of each unit: one for a line, or one for each unit of a line of which a coupon on the whole is good for a part.
fn cells(cart: &Cart, judged: &[Judged<'_>]) -> Vec<usize> {
    let mut is_split = vec![false; cart.lines().len()];
    let on_total = judged.iter().filter(|one| matches!(one.coupon.terms.benefit, Benefit::OnTotal(_)));
    for line in on_total.flat_map(|one| one.pieces.chunk_by(|one, next| one.line == next.line)) {
        let at = line[0].line;
        is_split[at] |= line.len() < cart.lines()[at].units().len();
    }
    let (mut cell_of, mut next) = (Vec::new(), 0);
    for (line, is_split) in cart.lines().iter().zip(is_split) {
        let count = line.units().len();
        let step = usize::from(is_split);
        cell_of.extend((0..count).map(|at| next + at * step));
        next += if is_split { count } else { count.min(1) };
    }
    cell_of
}
