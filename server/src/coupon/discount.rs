//! What a coupon has taken off, line by line: how it is spread, who pays it, and what a cancellation makes of it.
//!
//! It is worked out once, when the booking is made, and stored; refunds read what was stored and work out nothing anew.

use serde::{Deserialize, Serialize};

use crate::kit::money::allocate;

/// Spreads an amount first over lines and then over the units of each, both by largest remainder; no unit gets more than its
/// weight when the amount is no more than all weights together. `line_of` has the line of each unit, those of a line side by
/// side.
pub fn spread(amount: i64, weights: &[i64], line_of: &[usize]) -> Vec<i64> {
    let lines: Vec<i64> = runs(weights, line_of).map(|units| units.iter().sum()).collect();
    let mut parts = Vec::with_capacity(weights.len());
    for (units, part) in runs(weights, line_of).zip(allocate(amount, &lines)) {
        match units {
            [_] => parts.push(part),
            _ => parts.extend(allocate(part, units)),
        }
    }
    parts
}

/// The weights of each line.
fn runs<'a>(weights: &'a [i64], line_of: &'a [usize]) -> impl Iterator<Item = &'a [i64]> {
    let mut rest = weights;
    line_of.chunk_by(|one, next| one == next).map(move |line| {
        let (units, behind) = rest.split_at(line.len());
        rest = behind;
        units
    })
}

/// What a coupon takes off a booking, as it is stored beside the two ids.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Discount {
    /// The lines that it takes something off, in order.
    pub lines: Vec<LineDiscount>,
}

/// What a coupon takes off a line, and who pays it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LineDiscount {
    /// The position of the line.
    pub line: usize,
    /// How much.
    pub amount: i64,
    /// How much of it the line's seller pays; the platform pays the rest.
    pub seller_part: i64,
}

impl LineDiscount {
    /// What the platform pays of it.
    pub fn platform_part(&self) -> i64 {
        self.amount - self.seller_part
    }
}

impl Discount {
    /// What a coupon takes off the units of each line, of which sellers pay a share in hundredths, rounded down line by line.
    pub fn new(units: Vec<Vec<i64>>, seller_share_percent: u8) -> Self {
        let line = |(line, units): (usize, Vec<i64>)| {
            let amount: i64 = units.iter().sum();
            let seller_part = i128::from(amount) * i128::from(seller_share_percent.min(100)) / 100;
            let seller_part = i64::try_from(seller_part).expect("at most all of an amount that fits");
            (amount > 0).then_some(LineDiscount { line, amount, seller_part })
        };
        Self { lines: units.into_iter().enumerate().filter_map(line).collect() }
    }

    /// What it takes off together.
    pub fn amount(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum()
    }

    /// What it takes off a line.
    pub fn of_line(&self, line: usize) -> Option<&LineDiscount> {
        self.lines.iter().find(|one| one.line == line)
    }
}

/// What is paid for the lines of a booking, and what becomes of it as they are cancelled, one after the other.
#[derive(Clone, Debug)]
pub struct Bill {
    lines: Vec<BillLine>,
}

#[derive(Clone, Debug)]
struct BillLine {
    paid: i64,
    seller_part: i64,
    platform_part: i64,
    cancelled: bool,
}

/// Amounts that are no bill.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotABill {
    /// A discount is on a line that is not there.
    #[error("line {0} is not there")]
    NoLine(usize),
    /// The discounts of a line are more than it costs, or an amount is below zero.
    #[error("the discounts of line {0} are not between zero and what it costs")]
    Amounts(usize),
}

/// What the cancellation of a line comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cancelled {
    /// What goes back of what was paid.
    pub refund: i64,
    /// What stays paid.
    pub kept: i64,
    /// What the seller had granted off the line by coupons.
    pub seller_part: i64,
    /// What the platform had granted off the line by coupons.
    pub platform_part: i64,
}

impl Bill {
    /// Lines that cost so much before the coupons, and what those took off them.
    pub fn new(amounts: &[i64], discounts: &[Discount]) -> Result<Self, NotABill> {
        let line = |amount: &i64| BillLine { paid: *amount, seller_part: 0, platform_part: 0, cancelled: false };
        let mut lines: Vec<_> = amounts.iter().map(line).collect();
        for discount in discounts.iter().flat_map(|discount| &discount.lines) {
            let line = lines.get_mut(discount.line).ok_or(NotABill::NoLine(discount.line))?;
            let fits = 0 <= discount.seller_part && discount.seller_part <= discount.amount;
            line.paid =
                line.paid.checked_sub(discount.amount).filter(|_| fits).ok_or(NotABill::Amounts(discount.line))?;
            line.seller_part += discount.seller_part;
            line.platform_part += discount.platform_part();
        }
        match lines.iter().position(|line| line.paid < 0) {
            Some(line) => Err(NotABill::Amounts(line)),
            None => Ok(Self { lines }),
        }
    }

    /// What is paid for all lines.
    pub fn paid(&self) -> i64 {
        self.lines.iter().map(|line| line.paid).sum()
    }

    /// What is paid for a line.
    pub fn paid_for(&self, line: usize) -> Option<i64> {
        self.lines.get(line).map(|line| line.paid)
    }

    /// Cancels a line, of whose price a percentage goes back, rounded down. Absent when it is not there or was cancelled
    /// before.
    ///
    /// The other lines keep their discounts, whether or not the coupon's conditions would still hold: what was agreed for them
    /// does not change.
    pub fn cancel(&mut self, line: usize, percent: u8) -> Option<Cancelled> {
        let line = self.lines.get_mut(line).filter(|line| !line.cancelled)?;
        line.cancelled = true;
        let refund = i128::from(line.paid) * i128::from(percent.min(100)) / 100;
        let refund = i64::try_from(refund).expect("at most all of an amount that fits");
        let (seller_part, platform_part) = (line.seller_part, line.platform_part);
        Some(Cancelled { refund, kept: line.paid - refund, seller_part, platform_part })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn discount(units: &[&[i64]], seller_share_percent: u8) -> Discount {
        let units = units.iter().map(|line| line.to_vec()).collect();
        Discount::new(units, seller_share_percent)
    }

    #[test]
    fn an_amount_is_spread_over_lines_first() {
        // 100 over lines of 200 and 100 is 67 and 33; over all three units at once it would be 34, 33 and 33.
        assert_eq!(spread(100, &[100, 100, 100], &[0, 0, 1]), [34, 33, 33]);
        assert_eq!(spread(1, &[1, 1, 1, 3], &[0, 0, 0, 2]), [1, 0, 0, 0], "the first of equal remainders");
        assert_eq!(spread(6, &[1, 2, 3], &[4, 5, 5]), [1, 2, 3], "all of it");
        assert_eq!(spread(0, &[], &[]), [0; 0]);
    }

    #[test]
    fn the_seller_pays_its_share_of_each_line_rounded_down() {
        let discount = discount(&[&[5, 0], &[0, 0], &[7]], 50);

        let parts: Vec<_> =
            discount.lines.iter().map(|l| (l.line, l.amount, l.seller_part, l.platform_part())).collect();
        assert_eq!(parts, [(0, 5, 2, 3), (2, 7, 3, 4)], "a line that it takes nothing off is not kept");
        assert_eq!(discount.amount(), 12);
    }

    #[test]
    fn a_discount_reads_back_as_it_was_stored() {
        let discount = discount(&[&[5, 0], &[7]], 30);

        let stored = serde_json::to_string(&discount).expect("plain data");

        assert_eq!(serde_json::from_str::<Discount>(&stored).expect("as stored"), discount);
    }

    #[test]
    fn discounts_that_do_not_fit_their_lines_are_refused() {
        let bill =
            |amounts: &[i64], units: &[&[i64]]| Bill::new(amounts, &[discount(units, 0)]).map(|bill| bill.paid());

        assert_eq!(bill(&[5, 7], &[&[5], &[0]]), Ok(7));
        assert_eq!(bill(&[5], &[&[6]]), Err(NotABill::Amounts(0)));
        assert_eq!(bill(&[5], &[&[0], &[6]]), Err(NotABill::NoLine(1)));
    }

    #[test]
    fn a_line_is_cancelled_once() {
        let mut bill = Bill::new(&[10_000], &[discount(&[&[1_001]], 50)]).expect("a bill");

        let refund = Cancelled { refund: 8_099, kept: 900, seller_part: 500, platform_part: 501 };
        assert_eq!(bill.cancel(0, 90), Some(refund), "90 percent of 8,999");
        assert_eq!(bill.cancel(0, 90), None);
        assert_eq!(bill.cancel(1, 90), None);
    }

    /// Lines of units with two coupons on them, the percentage that each line's cancellation refunds, and an order of the
    /// lines.
    fn booking() -> impl Strategy<Value = (Vec<i64>, Vec<Discount>, Vec<u8>, Vec<usize>)> {
        let units = prop::collection::vec((0..1_000_000_i64, 0..=100_i64, 0..=100_i64), 1..4);
        let lines = prop::collection::vec((units, 0..=100_u8), 1..8);
        (lines, 0..=100_u8).prop_flat_map(|(lines, share)| {
            let amounts = lines.iter().map(|(units, _)| units.iter().map(|unit| unit.0).sum()).collect::<Vec<_>>();
            let off = |part: fn(&(i64, i64, i64)) -> i64| {
                let units = lines.iter().map(|(units, _)| units.iter().map(part).collect()).collect();
                Discount::new(units, share)
            };
            let first = off(|unit| unit.0 * unit.1 / 100);
            let second = off(|unit| (unit.0 - unit.0 * unit.1 / 100) * unit.2 / 100);
            let percents = lines.iter().map(|line| line.1).collect::<Vec<_>>();
            let order = Just((0..lines.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(amounts), Just(vec![first, second]), Just(percents), order)
        })
    }

    proptest! {
        #[test]
        fn lines_cancelled_in_any_order_refund_the_same((amounts, discounts, percents, order) in booking()) {
            let bill = Bill::new(&amounts, &discounts).expect("a bill");
            let cancel = |order: &[usize], percents: &[u8]| {
                let mut bill = bill.clone();
                order.iter().map(|line| bill.cancel(*line, percents[*line]).expect("once each")).collect::<Vec<_>>()
            };
            let in_turn: Vec<_> = (0..amounts.len()).collect();
            let total = |all: &[Cancelled]| all.iter().map(|one| one.refund).sum::<i64>();

            let cancelled = cancel(&order, &percents);

            prop_assert_eq!(total(&cancelled), total(&cancel(&in_turn, &percents)));
            prop_assert!(total(&cancelled) <= bill.paid());
            prop_assert!(cancelled.iter().all(|one| one.refund >= 0 && one.kept >= 0));
            prop_assert_eq!(total(&cancel(&order, &vec![100; order.len()])), bill.paid(), "all of it, and no more");
            let granted: i64 = cancelled.iter().map(|one| one.seller_part + one.platform_part).sum();
            prop_assert_eq!(granted, discounts.iter().map(Discount::amount).sum::<i64>());
        }

        #[test]
        fn a_spread_adds_up_and_no_unit_gets_more_than_it_weighs(
            units in prop::collection::vec((0..10_000_i64, any::<bool>()), 1..30), share in 0..=1000_i64
        ) {
            let weights: Vec<_> = units.iter().map(|unit| unit.0).collect();
            let mut line = 0;
            let line_of: Vec<_> = units.iter().map(|unit| { line += usize::from(unit.1); line }).collect();
            let amount = weights.iter().sum::<i64>() * share / 1000;

            let parts = spread(amount, &weights, &line_of);

            prop_assert_eq!(parts.iter().sum::<i64>(), amount);
            prop_assert!(parts.iter().zip(&weights).all(|(part, weight)| (0..=*weight).contains(part)));
        }
    }
}
