//! Random carts and coupons. The tests use this file, and the bench includes it.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::coupon::best::{Coupon, Stacking};
use super::coupon::cart::{Cart, Line, Subject, Unit};
use super::coupon::kind::benefit::{Benefit, OnTotal};
use super::coupon::kind::{Accepts, Kind, Kinds, Meaning, Parameter, Term, Terms, Value, Wording};
use super::kit::clock::Time;
use super::kit::date::{Date, Tz};
use super::kit::id::MemberId;
use super::kit::money::Currency;
use super::kit::violation::Violations;

/// What random coupons are like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flavour {
    /// Everything: groups, exclusive ones, all kinds and conditions.
    Mixed,
    /// All of the same amount, each of its own group: the most ties.
    Equal,
    /// Shares of everything, each of its own group.
    Percents,
    /// Shares and amounts, each of its own group, each with a threshold that a few others can break.
    Thresholds,
    /// Shares of parts that overlap, capped, each of its own group.
    Parts,
}

impl Flavour {
    pub(crate) const ALL: [Self; 5] = [Self::Mixed, Self::Equal, Self::Percents, Self::Thresholds, Self::Parts];
}

/// A booking, and the coupons of who makes it.
pub(crate) struct Sample {
    pub(crate) cart: Cart,
    pub(crate) coupons: Vec<Coupon>,
}

const REGIONS: [&str; 3] = ["SEOUL", "BUSAN", "JEJU"];
const WEEKDAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
const GRADES: [&str; 2] = ["VIP", "R"];

/// The same sample for the same numbers.
pub(crate) fn sample(seed: u64, flavour: Flavour, lines: usize, coupons: usize) -> Sample {
    let mut draw = Draw { rng: StdRng::seed_from_u64(seed), tiny: false };
    // In a third of them amounts are so small that much rounds down to the same.
    draw.tiny = draw.one_in(3);
    let cart = draw.cart(lines);
    let total = cart.total();
    let kinds = Kinds::standard().with(OFF_EVERY);
    let mut all: Vec<Coupon> = Vec::new();
    for at in 0..coupons {
        let stacking = draw.stacking(flavour, at, coupons);
        let wording = draw.wording(flavour, total);
        let twin = all.last().filter(|_| flavour == Flavour::Mixed && draw.one_in(8));
        let (policy, terms, stacking) = match twin {
            Some(twin) => (twin.policy, Arc::clone(&twin.terms), twin.stacking.clone()),
            None => (Uuid::from_u128(draw.rng.random()), Arc::new(read(&kinds, &wording)), stacking),
        };
        let seller = (flavour == Flavour::Mixed && draw.one_in(4)).then(|| draw.seller());
        let seller = twin.map_or(seller, |twin| twin.seller);
        let days = draw.rng.random_range(0..6_i64);
        let expire_time = (!draw.one_in(6)).then(|| now() + chrono::TimeDelta::days(days));
        let id = Uuid::from_u128(draw.rng.random());
        let (zone, budget_left) = (Tz::Asia__Seoul, None);
        all.push(Coupon { id, policy, seller, expire_time, zone, stacking, terms, budget_left });
    }
    Sample { cart, coupons: all }
}

fn read(kinds: &Kinds, wording: &Wording) -> Terms {
    let mut violations = Violations::new();
    let terms = kinds.read("coupon_policy", wording, &mut violations);
    violations.finish(terms).unwrap_or_else(|error| panic!("{wording:?}: {error}"))
}

fn now() -> Time {
    Time::UNIX_EPOCH + chrono::TimeDelta::days(20_000)
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128)
}

/// A kind that only the tests know. What remains to be paid can grow when less is left, which no other kind's does.
pub(crate) const OFF_EVERY: Kind = Kind {
    name: "OFF_EVERY",
    description: "Takes an amount off every full other amount.",
    parameters: &[amount("full", "Of what."), amount("off", "How much; never more than `full`.")],
    meaning: Meaning::Benefit(|values| {
        let full = values.amount("full")?.minor;
        Ok(Benefit::on_total(OffEvery { full, off: values.amount("off")?.minor.min(full) }))
    }),
};

const fn amount(name: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, accepts: Accepts::Amount { least: 1 }, required: true, meaning }
}

#[derive(Debug)]
struct OffEvery {
    full: i64,
    off: i64,
}

impl OnTotal for OffEvery {
    fn off(&self, left: i64) -> i64 {
        left / self.full * self.off
    }

    fn is_steady(&self) -> bool {
        false
    }
}

struct Draw {
    rng: StdRng,
    tiny: bool,
}

impl Draw {
    fn one_in(&mut self, of: u32) -> bool {
        self.rng.random_ratio(1, of)
    }

    fn below(&mut self, most: usize) -> usize {
        self.rng.random_range(0..most)
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn seller(&mut self) -> MemberId {
        MemberId(id(self.below(3)))
    }

    fn amount(&mut self) -> i64 {
        if self.tiny { self.rng.random_range(0..12) } else { self.rng.random_range(0..200_i64) * 500 + 37 }
    }

    fn part_of(&mut self, total: i64, percents: std::ops::Range<i64>) -> i64 {
        (total * self.rng.random_range(percents) / 100).max(1)
    }

    fn cart(&mut self, lines: usize) -> Cart {
        let lines = (0..lines).map(|_| self.line()).collect();
        let mut cart = Cart::new(Currency::KRW, now(), lines).expect("small amounts");
        cart.member.first_booking = self.one_in(2);
        cart.member.tier = self.one_in(2).then(|| "GOLD".to_owned());
        cart.payment_method = self.one_in(2).then(|| "CARD".to_owned());
        cart
    }

    fn line(&mut self) -> Line {
        let seller = self.seller();
        let count = self.below(4) + 1;
        match self.below(4) {
            0 => {
                let (performance, grade) = (id(self.below(2)), self.of(&GRADES).to_owned());
                let units = (0..count).map(|_| Unit::piece(self.amount())).collect();
                Line::new(seller, Subject::Seats { performance, grade }, units)
            }
            1 => {
                let (product, category) = (id(self.below(2)), self.of(&["towels", "tea"]).to_owned());
                let units = (0..count).map(|_| Unit::piece(self.amount())).collect();
                Line::new(seller, Subject::Items { product, category }, units)
            }
            _ => self.stay(seller, count),
        }
    }

    fn stay(&mut self, seller: MemberId, count: usize) -> Line {
        let property = self.below(4);
        let region = REGIONS[property % 3].to_owned();
        let first = now().date_naive() + chrono::Days::new(self.rng.random_range(0..7));
        let nights: Vec<(Date, i64)> = first.iter_days().take(count).map(|date| (date, self.amount())).collect();
        let rooms = std::num::NonZeroU16::new(if self.one_in(4) { 2 } else { 1 }).expect("one or two");
        let mut units = Unit::of_rooms(rooms, &nights);
        if self.one_in(4) {
            let date = self.one_in(2).then_some(first);
            units.push(Unit::extra("breakfast", date, self.amount()));
        }
        Line::new(seller, Subject::Nights { property: id(property), region, room_type: id(self.below(3)) }, units)
    }

    fn stacking(&mut self, flavour: Flavour, at: usize, coupons: usize) -> Stacking {
        let mixed = flavour == Flavour::Mixed;
        let group = if mixed && self.one_in(2) { self.below(coupons / 2 + 1) } else { at };
        let priority = if self.one_in(2) { 100 } else { self.rng.random_range(98..103) };
        Stacking { group: format!("g{group}"), exclusive: mixed && self.one_in(8), priority }
    }

    fn wording(&mut self, flavour: Flavour, total: i64) -> Wording {
        let number = Value::Number;
        let percent = self.rng.random_range(1..60);
        match flavour {
            Flavour::Mixed => self.mixed(total),
            Flavour::Equal => {
                let benefit = Term::of("FIXED_AMOUNT").with("amount", Value::won((total / 20).max(1)));
                Wording { benefit, conditions: Vec::new() }
            }
            Flavour::Percents => {
                let benefit = Term::of("PERCENT").with("percent", number(percent));
                Wording { benefit, conditions: Vec::new() }
            }
            Flavour::Thresholds => {
                let least = self.part_of(total, 20..100);
                let benefit = if self.one_in(2) {
                    Term::of("PERCENT").with("percent", number(percent))
                } else {
                    Term::of("FIXED_AMOUNT").with("amount", Value::won(self.part_of(total, 2..25)))
                };
                let conditions = vec![Term::of("MINIMUM_AMOUNT").with("amount", Value::won(least))];
                Wording { benefit, conditions }
            }
            Flavour::Parts => {
                let cap = Value::won(self.part_of(total, 2..20));
                let benefit = Term::of("PERCENT").with("percent", number(percent)).with("cap", cap);
                Wording { benefit, conditions: vec![self.scope()] }
            }
        }
    }

    fn mixed(&mut self, total: i64) -> Wording {
        let (number, won) = (Value::Number, Value::won);
        let percent = number(self.rng.random_range(1..=100));
        let benefit = match self.below(10) {
            0 | 1 => Term::of("FIXED_AMOUNT").with("amount", won(self.part_of(total, 1..40))),
            2 => Term::of("PERCENT").with("percent", percent),
            3 => Term::of("PERCENT").with("percent", percent).with("cap", won(self.part_of(total, 1..30))),
            4 => Term::of("FIXED_PRICE").with("price", won(self.part_of(total, 0..100))),
            5 => Term::of("FREE_NIGHT").with("count", number(self.rng.random_range(1..3))),
            6 => Term::of("NTH_NIGHT").with("every", number(self.rng.random_range(2..4))).with("percent", percent),
            7 => Term::of("BUY_X_GET_Y").with("buy", number(self.rng.random_range(1..4))).with("get", number(1)),
            8 => Term::of("OFF_EVERY")
                .with("full", won(self.part_of(total, 5..50)))
                .with("off", won(self.part_of(total, 1..5))),
            _ => Term::of("FREE_EXTRA").with("extra", Value::Text("breakfast".to_owned())),
        };
        let mut conditions = Vec::new();
        if self.one_in(2) {
            conditions.push(self.scope());
        }
        if self.one_in(3) {
            conditions.push(Term::of("MINIMUM_AMOUNT").with("amount", won(self.part_of(total, 1..90))));
        }
        if self.one_in(6) {
            conditions.push(self.gate());
        }
        Wording { benefit, conditions }
    }

    fn scope(&mut self) -> Term {
        let ids = |prefix, number| Value::texts([super::kit::id::format(prefix, id(number))]);
        let weekdays = &WEEKDAYS[self.below(4)..];
        match self.below(8) {
            0 => Term::of("REGION").with("regions", Value::texts([self.of(&REGIONS)])),
            1 => Term::of("PROPERTY").with("properties", ids("property", self.below(4))),
            2 => Term::of("ROOM_TYPE").with("room_types", ids("roomtype", self.below(3))),
            3 => Term::of("PERFORMANCE").with("performances", ids("performance", self.below(2))),
            4 => Term::of("SEAT_GRADE").with("grades", Value::texts([self.of(&GRADES)])),
            5 => Term::of("PRODUCT").with("products", ids("product", self.below(2))),
            6 => Term::of("STAY_WEEKDAYS").with("weekdays", Value::texts(weekdays.iter().copied())),
            _ => Term::of("MINIMUM_NIGHTS").with("nights", Value::Number(self.rng.random_range(2..4))),
        }
    }

    fn gate(&mut self) -> Term {
        match self.below(3) {
            0 => Term::of("FIRST_BOOKING"),
            1 => Term::of("MEMBER_TIER").with("tiers", Value::texts(["GOLD"])),
            _ => Term::of("PAYMENT_METHOD").with("methods", Value::texts(["CARD"])),
        }
    }
}
