//! The nights of one month as one text.
//!
//! A month of a rate plan is `90000,90000,,120000`: the price of each day from the first, nothing where there is none, and
//! nothing behind the last. A month of a room type is `,,C,a2r10`: what is set for each day, by letter: `C` closed, `A` closed to
//! arrival, `D` closed to departure, `a` least nights on arrival, `t` least nights through, `m` most nights, `r` rooms for sale.
//!
//! One row a month rather than one a night: starting, a server reads the nights of a whole year of 300 properties, some 650,000
//! prices, out of 22,000 rows in a tenth of the time that as many rows would take; a price is still read and repaired with plain
//! SQL, on either database, and an edit of a month is one write.

use std::num::NonZeroU16;

use chrono::Datelike;

use crate::kit::date::Date;
use crate::stay::model::{Rate, Restrictions};

/// What is set for a night of a room type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NightRules {
    /// What the calendar allows.
    pub restrictions: Restrictions,
    /// How many rooms are for sale; none follows the room type.
    pub room_count: Option<u16>,
}

/// What a night of a month holds.
pub(in crate::stay) trait Cell: Copy + Default + PartialEq {
    fn write(&self, text: &mut String);
    fn read(text: &str) -> Option<Self>;
}

impl Cell for Option<Rate> {
    fn write(&self, text: &mut String) {
        if let Some(rate) = self {
            text.push_str(&rate.minor().to_string());
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        Some(Some(Rate::new(text.parse().ok()?).ok()?))
    }
}

impl Cell for NightRules {
    fn write(&self, text: &mut String) {
        let Restrictions { closed, closed_to_arrival, closed_to_departure, .. } = self.restrictions;
        let flags = [(closed, 'C'), (closed_to_arrival, 'A'), (closed_to_departure, 'D')];
        text.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, letter)| letter));
        let Restrictions { min_stay_arrival, min_stay_through, max_stay, .. } = self.restrictions;
        for (limit, letter) in [(min_stay_arrival, 'a'), (min_stay_through, 't'), (max_stay, 'm')] {
            if let Some(limit) = limit {
                text.push_str(&format!("{letter}{limit}"));
            }
        }
        if let Some(rooms) = self.room_count {
            text.push_str(&format!("r{rooms}"));
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut rules = Self::default();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number = rest[..digits].parse::<u16>().ok();
            rest = &rest[digits..];
            let restrictions = &mut rules.restrictions;
            match letter {
                'C' => restrictions.closed = true,
                'A' => restrictions.closed_to_arrival = true,
                'D' => restrictions.closed_to_departure = true,
                'a' => restrictions.min_stay_arrival = NonZeroU16::new(number?),
                't' => restrictions.min_stay_through = NonZeroU16::new(number?),
                'm' => restrictions.max_stay = NonZeroU16::new(number?),
                'r' => rules.room_count = Some(number?),
                _ => return None,
            }
        }
        Some(rules)
    }
}

/// The nights of a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::stay) struct Month<C>([C; 31]);

impl<C: Cell> Default for Month<C> {
    fn default() -> Self {
        Self([C::default(); 31])
    }
}

impl<C: Cell> Month<C> {
    /// What a column holds, if it is a month.
    pub(in crate::stay) fn read(text: &str) -> Option<Self> {
        let mut month = Self::default();
        for (at, cell) in cells(text).enumerate() {
            *month.0.get_mut(at)? = cell?;
        }
        Some(month)
    }

    /// The month as its column has it; nothing behind the last night for which something is set.
    pub(in crate::stay) fn write(&self) -> String {
        let mut text = String::new();
        let set = self.0.iter().rposition(|cell| *cell != C::default()).map_or(0, |last| last + 1);
        for (at, cell) in self.0[..set].iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            cell.write(&mut text);
        }
        text
    }

    /// What is set for a date of the month.
    pub(in crate::stay) fn day(&self, date: Date) -> C {
        self.0[day(date)]
    }

    /// Where a date of the month can be set.
    pub(in crate::stay) fn day_mut(&mut self, date: Date) -> &mut C {
        &mut self.0[day(date)]
    }
}

/// The cells of a column, from the first day of its month; `None` is one that can't be read.
pub(in crate::stay) fn cells<C: Cell>(text: &str) -> impl Iterator<Item = Option<C>> {
    text.split(',').map(C::read)
}

/// The month of a date, which its first day stands for.
pub(in crate::stay) fn month_of(date: Date) -> Date {
    date.with_day(1).expect("every month has a first day")
}

fn day(date: Date) -> usize {
    usize::try_from(date.day0()).expect("at most 30")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit() -> impl Strategy<Value = Option<NonZeroU16>> {
        (0..400_u16).prop_map(NonZeroU16::new)
    }

    prop_compose! {
        fn rules()(flags: [bool; 3], limits in (limit(), limit(), limit()), room_count in prop::option::of(0..10_001_u16)) -> NightRules {
            let restrictions = Restrictions {
                closed: flags[0],
                closed_to_arrival: flags[1],
                closed_to_departure: flags[2],
                min_stay_arrival: limits.0,
                min_stay_through: limits.1,
                max_stay: limits.2,
            };
            NightRules { restrictions, room_count }
        }
    }

    proptest! {
        #[test]
        fn a_month_reads_back(nights in prop::collection::vec(rules(), 31), prices in prop::collection::vec(0..Rate::LIMIT.cast_signed(), 31)) {
            let rules = Month(nights.try_into().expect("31"));
            prop_assert_eq!(Month::read(&rules.write()), Some(rules));
            let prices: Vec<_> = prices.into_iter().map(|price| Rate::new(price).ok()).collect();
            let prices = Month(prices.try_into().expect("31"));
            prop_assert_eq!(Month::read(&prices.write()), Some(prices));
        }
    }

    #[test]
    fn a_month_is_text_that_people_can_read() {
        let date = |day| Date::from_ymd_opt(2026, 2, day).expect("a date");
        let mut prices = Month::default();
        *prices.day_mut(date(1)) = Rate::new(90_000).ok();
        *prices.day_mut(date(3)) = Rate::new(120_000).ok();
        assert_eq!(prices.write(), "90000,,120000");
        let mut rules = Month::<NightRules>::default();
        rules.day_mut(date(2)).restrictions.closed_to_arrival = true;
        rules.day_mut(date(2)).restrictions.min_stay_through = NonZeroU16::new(2);
        rules.day_mut(date(2)).room_count = Some(0);
        assert_eq!(rules.write(), ",At2r0");
        assert_eq!(Month::<NightRules>::default().write(), "");
        assert_eq!(Month::<Option<Rate>>::read("9,x"), None);
        assert_eq!(Month::<NightRules>::read("a"), None);
    }
}
