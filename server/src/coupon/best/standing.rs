//! What makes one set of coupons better than another.

use super::{AT_MOST, Coupon};

/// Where a coupon stands among all, by its expiry and by its id: equal expiries are equal ranks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Rank {
    pub(super) expiry: usize,
    pub(super) id: usize,
}

/// The rank of each of some coupons.
pub(super) fn ranks(coupons: &[&Coupon]) -> Vec<Rank> {
    let mut expiries: Vec<_> = coupons.iter().map(|coupon| coupon.expiry()).collect();
    expiries.sort_unstable();
    let mut ids: Vec<_> = coupons.iter().map(|coupon| coupon.id).collect();
    ids.sort_unstable();
    let rank = |coupon: &&Coupon| Rank {
        expiry: expiries.partition_point(|expiry| *expiry < coupon.expiry()),
        id: ids.partition_point(|id| *id < coupon.id),
    };
    coupons.iter().map(rank).collect()
}

/// A few ranks in order, which compare as lists of the same length do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub(super) struct Sorted {
    ranks: [usize; AT_MOST],
    count: usize,
}

impl Sorted {
    /// Keeps the lowest [`AT_MOST`] of all that are added.
    pub(super) fn add(&mut self, rank: usize) {
        self.keep_lowest(rank, AT_MOST);
    }

    fn keep_lowest(&mut self, rank: usize, most: usize) {
        let at = self.ranks[..self.count].partition_point(|other| *other <= rank);
        if at >= most {
            return;
        }
        self.count = (self.count + 1).min(most);
        self.ranks[at..self.count].rotate_right(1);
        self.ranks[at] = rank;
    }

    /// The lowest of some ranks.
    pub(super) fn lowest(ranks: impl Iterator<Item = usize>, most: usize) -> Self {
        let mut lowest = Self::default();
        for rank in ranks {
            lowest.keep_lowest(rank, most);
        }
        lowest
    }

    /// With others.
    pub(super) fn and(mut self, others: &Self) -> Self {
        for rank in &others.ranks[..others.count] {
            self.add(*rank);
        }
        self
    }
}

/// What is compared of a set of coupons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    pub(super) saving: i64,
    pub(super) count: usize,
    pub(super) expiries: Sorted,
    pub(super) ids: Sorted,
}

impl Standing {
    /// A coupon more, and what all save together.
    pub(super) fn with(mut self, saving: i64, rank: Rank) -> Self {
        self.saving = saving;
        self.count += 1;
        self.expiries.add(rank.expiry);
        self.ids.add(rank.id);
        self
    }

    /// Whether it is better: by saving, then by count, then by expiries, then by ids.
    pub(super) fn beats(&self, other: &Self) -> bool {
        let key = |one: &Self| (one.count, one.expiries, one.ids);
        self.saving > other.saving || self.saving == other.saving && key(self) < key(other)
    }
}
