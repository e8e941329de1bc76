//! What a coupon is judged against: what is booked, unit by unit, and by whom, when, and how it is paid.

use std::num::NonZeroU16;

use uuid::Uuid;

use crate::kit::clock::Time;
use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::money::{Currency, allocate};

/// What is about to be booked.
#[derive(Clone, Debug)]
pub struct Cart {
    currency: Currency,
    lines: Vec<Line>,
    /// When it is booked.
    pub now: Time,
    /// What is known of who books.
    pub member: MemberFacts,
    /// How it is paid, such as `CARD`; absent while that is not chosen.
    pub payment_method: Option<String>,
}

/// What conditions may ask about a member.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MemberFacts {
    /// Whether they have never booked before.
    pub first_booking: bool,
    /// The tier that they are in, if in any.
    pub tier: Option<String>,
    /// Whether what they book has the coupons already: what was asked of them when they booked is not asked again.
    pub has_booked: bool,
}

impl MemberFacts {
    /// Whether it is their first booking, or was when they made it.
    pub fn books_first(&self) -> bool {
        self.first_booking || self.has_booked
    }

    /// Whether they are in one of some tiers, or were in one when they booked.
    pub fn is_in(&self, tiers: &[String]) -> bool {
        self.has_booked || self.tier.as_ref().is_some_and(|tier| tiers.contains(tier))
    }
}

/// One thing that is booked, of one seller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Who sells it.
    pub seller: MemberId,
    /// What it is.
    pub subject: Subject,
    units: Vec<Unit>,
}

/// What a line is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// Nights of a room type.
    Nights {
        /// Where.
        property: Uuid,
        /// In which region, such as `SEOUL`.
        region: String,
        /// In which rooms.
        room_type: Uuid,
    },
    /// Seats of a performance.
    Seats {
        /// Which.
        performance: Uuid,
        /// The grade of the seats, such as `VIP`.
        grade: String,
    },
    /// Items of a shop.
    Items {
        /// Which.
        product: Uuid,
        /// What it is among.
        category: String,
    },
}

/// The least that a discount is kept for: one night of one room, one seat, one item, one extra.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unit {
    /// What it costs, in the currency's minor unit.
    pub amount: i64,
    /// The date on which a night begins; also that of an extra of a night.
    pub date: Option<Date>,
    /// The name of an extra, such as `breakfast`.
    pub extra: Option<String>,
}

impl Unit {
    /// One night of one room.
    pub fn night(date: Date, amount: i64) -> Self {
        Self { amount, date: Some(date), extra: None }
    }

    /// One seat or item.
    pub fn piece(amount: i64) -> Self {
        Self { amount, date: None, extra: None }
    }

    /// An extra, of one night or of the whole line.
    pub fn extra(name: impl Into<String>, date: Option<Date>, amount: i64) -> Self {
        Self { amount, date, extra: Some(name.into()) }
    }

    /// Each night of each of some rooms, from what all rooms cost together in a night.
    pub fn of_rooms(rooms: NonZeroU16, nights: &[(Date, i64)]) -> Vec<Self> {
        let equal = vec![1; usize::from(rooms.get())];
        let night = |(date, price): &(Date, i64)| {
            let date = *date;
            allocate(*price, &equal).into_iter().map(move |amount| Self::night(date, amount))
        };
        nights.iter().flat_map(night).collect()
    }

    /// Whether it is a night.
    pub fn is_night(&self) -> bool {
        self.date.is_some() && self.extra.is_none()
    }
}

impl Line {
    /// Units of a seller's; the nights among them in the order of their dates.
    pub fn new(seller: MemberId, subject: Subject, mut units: Vec<Unit>) -> Self {
        units.sort_by_key(|unit| unit.date);
        Self { seller, subject, units }
    }

    /// In the order of their dates, and those without one first.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Each date that it has a night of, once, in order.
    pub fn nights(&self) -> impl Iterator<Item = Date> {
        let mut last = None;
        let dates = self.units.iter().filter(|unit| unit.is_night()).filter_map(|unit| unit.date);
        dates.filter(move |date| last.replace(*date) != Some(*date))
    }
}

/// Lines whose amounts make no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotACart {
    /// A unit costs less than nothing.
    #[error("must have no amounts below zero")]
    Negative,
    /// The sum does not fit.
    #[error("must cost less than {} together", Cart::LIMIT)]
    TooMuch,
}

impl Cart {
    /// What all units together cost at most; a hundred times it still fits.
    pub const LIMIT: i64 = i64::MAX / 128;

    /// Lines that are booked now, by a member of whom nothing is known, who has not said how they pay.
    pub fn new(currency: Currency, now: Time, lines: Vec<Line>) -> Result<Self, NotACart> {
        let mut total = 0_i64;
        for unit in lines.iter().flat_map(Line::units) {
            if unit.amount < 0 {
                return Err(NotACart::Negative);
            }
            total = total.checked_add(unit.amount).filter(|sum| *sum <= Self::LIMIT).ok_or(NotACart::TooMuch)?;
        }
        Ok(Self { currency, lines, now, member: MemberFacts::default(), payment_method: None })
    }

    /// What its amounts are in.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// What is booked.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What all of it costs without coupons.
    pub fn total(&self) -> i64 {
        self.lines.iter().flat_map(Line::units).map(|unit| unit.amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn line(units: Vec<Unit>) -> Line {
        let (performance, grade) = (Uuid::nil(), String::new());
        Line::new(MemberId(Uuid::nil()), Subject::Seats { performance, grade }, units)
    }

    #[test]
    fn the_price_of_a_night_is_split_over_its_rooms_exactly() {
        let rooms = NonZeroU16::new(3).expect("three");
        let units = Unit::of_rooms(rooms, &[(date("2026-05-02"), 100), (date("2026-05-01"), 10)]);
        let line = line(units);

        let amounts: Vec<_> = line.units().iter().map(|unit| unit.amount).collect();
        assert_eq!(amounts, [4, 3, 3, 34, 33, 33], "in the order of the dates");
        assert_eq!(line.nights().collect::<Vec<_>>(), [date("2026-05-01"), date("2026-05-02")]);
    }

    #[test]
    fn amounts_that_make_no_sense_are_refused() {
        let cart = |amounts: &[i64]| {
            let units = amounts.iter().map(|amount| Unit::piece(*amount)).collect();
            Cart::new(Currency::KRW, Time::UNIX_EPOCH, vec![line(units)]).map(|cart| cart.total())
        };

        assert_eq!(cart(&[1, 2]), Ok(3));
        assert_eq!(cart(&[]), Ok(0));
        assert_eq!(cart(&[1, -1]), Err(NotACart::Negative));
        assert_eq!(cart(&[i64::MAX, i64::MAX]), Err(NotACart::TooMuch));
        assert_eq!(cart(&[Cart::LIMIT, 1]), Err(NotACart::TooMuch));
    }
}
