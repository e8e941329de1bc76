//! The most that more coupons can save: never too little, or the search would pass over the best.

use super::AT_MOST;
use super::board::{Board, Choice};

/// The most that one, two, … more coupons can take off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// By how many more; none takes off nothing.
    most: [i64; AT_MOST],
    /// How many more there can be.
    count: usize,
}

impl Outlook {
    /// The most that any number of them can.
    pub(super) fn most(&self) -> i64 {
        self.most[self.count]
    }

    /// How many it takes at least to take off so much.
    pub(super) fn least_count(&self, saving: i64) -> Option<usize> {
        self.most[..=self.count].iter().position(|most| *most >= saving)
    }
}

/// What up to `slots` of some choices can take off `rest`, which is what is left of all.
///
/// Two bounds, of which the lower counts. What each takes off now is the most that it can later: so the sum of the largest, one
/// of each group, is one bound. The other follows the order in which they apply: what a share of the whole takes off shrinks
/// with what those before it have left, whichever they are.
pub(super) fn outlook(board: &Board<'_>, choices: impl Iterator<Item = Choice>, rest: i64, slots: usize) -> Outlook {
    let mut tops = Tops::default();
    // The least that is left behind so many.
    let mut left = [i64::MAX; AT_MOST];
    left[0] = rest;
    let mut count = 0;
    for choice in choices {
        let entry = &board.entries[choice.entry];
        tops.add(choice.saving, entry.group, slots);
        count = (count + 1).min(slots);
        for more in (1..=count).rev() {
            // Where it applied, no less was left than it asks for.
            let before = left[more - 1].max(entry.least);
            left[more] = left[more].min(before - board.later(choice, before));
        }
    }
    let mut most = [0; AT_MOST];
    for more in 1..=count {
        let sum: i64 = tops.largest[..tops.count.min(more)].iter().map(|top| top.0).sum();
        most[more] = sum.min(rest - left[more]).max(most[more - 1]);
    }
    Outlook { most, count }
}

/// The largest savings, one of each group, the largest first.
#[derive(Default)]
struct Tops {
    largest: [(i64, usize); AT_MOST],
    count: usize,
}

impl Tops {
    fn add(&mut self, saving: i64, group: usize, most: usize) {
        let largest = &mut self.largest;
        if let Some(at) = largest[..self.count].iter().position(|(_, other)| *other == group) {
            if largest[at].0 >= saving {
                return;
            }
            largest[at..self.count].rotate_left(1);
            self.count -= 1;
        }
        let at = largest[..self.count].partition_point(|(other, _)| *other >= saving);
        if at < most {
            self.count = (self.count + 1).min(most);
            largest[at..self.count].rotate_right(1);
            largest[at] = (saving, group);
        }
    }
}
