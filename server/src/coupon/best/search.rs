//! Branch and bound over the order in which coupons apply: each set is built on by one that applies later, as long as it can
//! still become the best.

use super::board::{Board, Choice, State};
use super::bound::{Outlook, outlook};
use super::standing::{Sorted, Standing};
use super::{AT_MOST, Coupon, Limits};
use crate::coupon::cart::Cart;

/// What a search has found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) coupons: Vec<Coupon>,
    pub(super) saving: i64,
    pub(super) is_proven: bool,
    pub(super) bound: i64,
}

/// Looks for the best set.
pub(super) fn search(cart: &Cart, candidates: &[Coupon], limits: Limits) -> Found {
    let (board, start) = Board::new(cart, candidates);
    let mut search = Search::new(board, limits);
    search.run(start);
    let coupons = search.best_set.iter().map(|entry| search.board.entries[*entry].coupon().clone()).collect();
    let saving = search.best.saving;
    let bound = search.passed.map_or(saving, |passed| passed.max(saving));
    Found { coupons, saving, is_proven: search.passed.is_none(), bound }
}

struct Search<'a> {
    board: Board<'a>,
    /// By how many coupons are chosen.
    frames: Vec<Frame>,
    chosen: Vec<usize>,
    best: Standing,
    best_set: Vec<usize>,
    steps_left: u64,
    /// What sets that were passed over for lack of time could save at most.
    passed: Option<i64>,
}

/// A set that is built on.
#[derive(Debug, Default)]
struct Frame {
    standing: Standing,
    state: State,
    /// What may be chosen next.
    choices: Vec<Choice>,
    branches: Vec<Branch>,
}

/// A choice, and what can become of it.
#[derive(Clone, Copy, Debug)]
struct Branch {
    /// Its position among the choices.
    at: usize,
    /// The set with it.
    standing: Standing,
    outlook: Outlook,
}

impl Branch {
    fn bound(&self) -> i64 {
        self.standing.saving + self.outlook.most()
    }
}

impl<'a> Search<'a> {
    fn new(board: Board<'a>, limits: Limits) -> Self {
        let frames = (0..=AT_MOST).map(|_| Frame::default()).collect();
        let (best, best_set) = (Standing::default(), Vec::new());
        Self { board, frames, chosen: Vec::new(), best, best_set, steps_left: limits.steps, passed: None }
    }

    fn run(&mut self, start: State) {
        let mut root = std::mem::take(&mut self.frames[0]);
        for entry in 0..self.board.entries.len() {
            let Some(choice) = self.board.choice(&start, entry) else { continue };
            if self.board.entries[entry].coupon().stacking.exclusive {
                // Nothing goes before it: one that waits does so for ever.
                self.offer(&root, choice);
            } else {
                root.choices.push(choice);
            }
        }
        root.state = start;
        self.frames[0] = root;
        self.build(0);
    }

    /// Builds on the set of a frame.
    fn build(&mut self, depth: usize) {
        let mut frame = std::mem::take(&mut self.frames[depth]);
        for choice in &frame.choices {
            self.offer(&frame, *choice);
        }
        if depth + 1 < AT_MOST {
            self.branch(&mut frame, AT_MOST - depth - 1);
            for branch in &frame.branches {
                if self.may_win(&frame, branch) {
                    self.follow(&frame, branch, depth);
                }
            }
        }
        self.frames[depth] = frame;
    }

    /// The set with a choice more, if it applies and is the best so far.
    fn offer(&mut self, frame: &Frame, choice: Choice) {
        let saving = frame.standing.saving + choice.saving;
        if choice.waits || saving < self.best.saving {
            return;
        }
        let standing = frame.standing.with(saving, self.board.entries[choice.entry].rank);
        if standing.beats(&self.best) {
            self.best = standing;
            self.best_set.clone_from(&self.chosen);
            self.best_set.push(choice.entry);
        }
    }

    /// What can become of each choice, the most promising first, so that the best is found early.
    fn branch(&mut self, frame: &mut Frame, slots: usize) {
        let choices = frame.choices.len() as u64;
        self.steps_left = self.steps_left.saturating_sub(choices * choices / 2 * slots as u64);
        frame.branches.clear();
        for (at, choice) in frame.choices.iter().enumerate().filter(|(_, choice)| !choice.waits) {
            let entry = &self.board.entries[choice.entry];
            let standing = frame.standing.with(frame.standing.saving + choice.saving, entry.rank);
            let outlook = outlook(&self.board, self.behind(frame, at), frame.state.rest - choice.saving, slots);
            frame.branches.push(Branch { at, standing, outlook });
        }
        frame.branches.sort_by_key(|branch| std::cmp::Reverse(branch.bound()));
    }

    /// What may be chosen behind a choice.
    fn behind(&self, frame: &Frame, at: usize) -> impl Iterator<Item = Choice> {
        let entries = &self.board.entries;
        let group = entries[frame.choices[at].entry].group;
        frame.choices[at + 1..].iter().copied().filter(move |choice| entries[choice.entry].group != group)
    }

    /// Whether something better than the best so far can become of a branch; of as good a saving, by fewer coupons, or by ones
    /// that rank before.
    fn may_win(&self, frame: &Frame, branch: &Branch) -> bool {
        if branch.bound() != self.best.saving {
            return branch.bound() > self.best.saving;
        }
        let Some(more) = branch.outlook.least_count(self.best.saving - branch.standing.saving) else { return false };
        let count = branch.standing.count + more;
        if more == 0 || count != self.best.count {
            // With none more it was offered already.
            return more > 0 && count < self.best.count;
        }
        let ranks = || self.behind(frame, branch.at).map(|choice| self.board.entries[choice.entry].rank);
        let expiries = branch.standing.expiries.and(&Sorted::lowest(ranks().map(|rank| rank.expiry), more));
        let ids = branch.standing.ids.and(&Sorted::lowest(ranks().map(|rank| rank.id), more));
        (expiries, ids) < (self.best.expiries, self.best.ids)
    }

    fn follow(&mut self, frame: &Frame, branch: &Branch, depth: usize) {
        if self.steps_left == 0 {
            self.passed = self.passed.max(Some(branch.bound()));
            return;
        }
        let choice = frame.choices[branch.at];
        let mut next = std::mem::take(&mut self.frames[depth + 1]);
        next.standing = branch.standing;
        self.board.play(&frame.state, choice, &mut next.state);
        next.choices.clear();
        let group = self.board.entries[choice.entry].group;
        for behind in &frame.choices[branch.at + 1..] {
            let entry = &self.board.entries[behind.entry];
            if entry.group != group {
                self.steps_left = self.steps_left.saturating_sub(entry.size() as u64);
                next.choices.extend(self.board.choice(&next.state, behind.entry));
            }
        }
        self.frames[depth + 1] = next;
        self.chosen.push(choice.entry);
        self.build(depth + 1);
        self.chosen.pop();
    }
}
