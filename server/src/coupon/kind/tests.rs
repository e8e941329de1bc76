//! Tests of the kinds.

mod benefits;
mod conditions;
mod contract;
mod reading;

use std::sync::Arc;

use uuid::Uuid;

use super::{Kinds, Refusal, Term, Terms, Value, Wording};
use crate::coupon::best::{Coupon, Stacking, usable};
use crate::coupon::cart::{Cart, Line, Subject, Unit};
use crate::error::Fault;
use crate::kit::clock::Time;
use crate::kit::date::{Date, Tz};
use crate::kit::id::{self, MemberId};
use crate::kit::money::Currency;
use crate::kit::violation::{InvalidFields, Violations};

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn time(text: &str) -> Time {
    text.parse().expect("an instant")
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Night after night from the first of May 2026, a Friday, each at its price.
fn stay(prices: &[i64]) -> Line {
    let nights = date("2026-05-01").iter_days().zip(prices).map(|(date, price)| Unit::night(date, *price));
    let region = "SEOUL".to_owned();
    Line::new(MemberId(uuid(1)), Subject::Nights { property: uuid(2), region, room_type: uuid(3) }, nights.collect())
}

fn seats(prices: &[i64]) -> Line {
    let units = prices.iter().map(|price| Unit::piece(*price)).collect();
    Line::new(MemberId(uuid(1)), Subject::Seats { performance: uuid(4), grade: "VIP".to_owned() }, units)
}

fn items(prices: &[i64]) -> Line {
    let units = prices.iter().map(|price| Unit::piece(*price)).collect();
    Line::new(MemberId(uuid(1)), Subject::Items { product: uuid(5), category: "tea".to_owned() }, units)
}

/// Booked at noon in Seoul on Wednesday, 15 April 2026.
fn cart(lines: &[Line]) -> Cart {
    Cart::new(Currency::KRW, time("2026-04-15T03:00:00Z"), lines.to_vec()).expect("small amounts")
}

fn read(kinds: &Kinds, wording: &Wording) -> Result<Terms, String> {
    let mut violations = Violations::new();
    let terms = kinds.read("coupon_policy", wording, &mut violations);
    violations.finish(terms).map_err(|error| {
        let wrong = error.fault::<InvalidFields>().expect("names what is wrong").violations();
        wrong.into_iter().map(|(field, description)| format!("`{field}` {description}")).collect::<Vec<_>>().join("; ")
    })
}

fn coupon(benefit: Term, conditions: &[Term]) -> Coupon {
    let wording = Wording { benefit, conditions: conditions.to_vec() };
    let terms = read(&Kinds::standard(), &wording).expect("valid terms");
    Coupon {
        id: uuid(6),
        policy: uuid(7),
        seller: None,
        expire_time: None,
        zone: Tz::Asia__Seoul,
        stacking: Stacking::default(),
        terms: Arc::new(terms),
        budget_left: None,
    }
}

/// What a coupon of these terms saves, or the reason why it does not.
fn saving(cart: &Cart, benefit: Term, conditions: &[Term]) -> Result<i64, &'static str> {
    refusal(cart, benefit, conditions).map_err(|refusal| refusal.reason)
}

fn refusal(cart: &Cart, benefit: Term, conditions: &[Term]) -> Result<i64, Refusal> {
    let coupon = coupon(benefit, conditions);
    usable(cart, &[coupon]).pop().expect("one answer for one coupon").outcome
}

fn won(minor: i64) -> Value {
    Value::won(minor)
}

fn percent(percent: i64) -> Term {
    Term::of("PERCENT").with("percent", Value::Number(percent))
}

fn ids(prefix: &'static str, number: u128) -> Value {
    Value::texts([id::format(prefix, uuid(number))])
}

fn day(text: &str) -> Value {
    let sent = crate::kit::date::to_proto(date(text));
    Value::Date { year: sent.year, month: sent.month, day: sent.day }
}
