//! The kinds of benefits and conditions that policies are made of.
//!
//! A kind is one file, with a `KIND`, and one line in [`Kinds::standard`]; nothing else names it. Promises:
//! - what a kind asks for is declared: checked, described and listed from one place;
//! - every violation is named with its path in the request;
//! - what is stored of a policy is what was said, without the space around words, and it is read again by the same rules.

pub mod benefit;
pub mod condition;
mod convert;
mod parameter;
mod refusal;
mod term;
#[cfg(test)]
mod tests;

pub use self::benefit::Benefit;
pub use self::condition::Condition;
use self::condition::Threshold;
pub use self::parameter::{Accepts, Misfit, Parameter, Values, Words};
pub use self::refusal::Refusal;
pub use self::term::{Argument, Term, Value, Wording};
use crate::kit::money::Currency;
use crate::kit::violation::Violations;

/// A kind of benefit or condition.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Such as `PERCENT`; stays the same for ever.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    /// What it asks for.
    pub parameters: &'static [Parameter],
    /// How what was given becomes what it means.
    pub meaning: Meaning,
}

/// How what was given becomes what it means; called with values within their limits.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// It takes something off.
    Benefit(fn(&Values) -> Result<Benefit, Misfit>),
    /// It says what a booking must be like.
    Condition(fn(&Values) -> Result<Condition, Misfit>),
}

impl Meaning {
    fn is_benefit(&self) -> bool {
        matches!(self, Self::Benefit(_))
    }
}

/// What a policy means.
#[derive(Debug)]
pub struct Terms {
    /// What its coupons take off.
    pub benefit: Benefit,
    /// What must all hold.
    pub conditions: Vec<Condition>,
    /// What its amounts are in; absent when it has none, and is good for bookings in any currency.
    pub currency: Option<Currency>,
}

impl Terms {
    /// How much must be left of what the coupon is good for, by all conditions.
    pub fn least(&self) -> i64 {
        let least = |condition: &Condition| match condition {
            Condition::Threshold(threshold) => threshold.least(),
            Condition::Scope(_) | Condition::Gate(_) => 0,
        };
        self.conditions.iter().map(least).max().unwrap_or(0)
    }

    /// The first condition on amounts that does not hold when so much is left of what the coupon is good for.
    pub fn unmet(&self, left: i64) -> Option<&dyn Threshold> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Threshold(threshold) if left < threshold.least() => Some(&**threshold),
            _ => None,
        })
    }
}

/// The kinds that there are.
#[derive(Clone, Debug)]
pub struct Kinds {
    all: Vec<Kind>,
}

impl Kinds {
    /// How many conditions a policy may have.
    pub const CONDITION_LIMIT: usize = 10;

    /// Those that Yeyak comes with.
    pub fn standard() -> Self {
        let all = vec![
            benefit::fixed_amount::KIND,
            benefit::percent::KIND,
            benefit::fixed_price::KIND,
            benefit::free_night::KIND,
            benefit::nth_night::KIND,
            benefit::buy_x_get_y::KIND,
            benefit::free_extra::KIND,
            condition::property::KIND,
            condition::region::KIND,
            condition::room_type::KIND,
            condition::performance::KIND,
            condition::seat_grade::KIND,
            condition::product::KIND,
            condition::category::KIND,
            condition::minimum_amount::KIND,
            condition::minimum_nights::KIND,
            condition::booking_dates::KIND,
            condition::stay_dates::KIND,
            condition::booking_weekdays::KIND,
            condition::stay_weekdays::KIND,
            condition::first_booking::KIND,
            condition::payment_method::KIND,
            condition::member_tier::KIND,
        ];
        Self { all }
    }

    /// And one more, which takes the place of one with the same name.
    pub fn with(mut self, kind: Kind) -> Self {
        self.all.retain(|other| other.name != kind.name);
        self.all.push(kind);
        self
    }

    /// All of them, benefits first where nobody added any.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.all.iter()
    }

    /// What a policy means, with all that is wrong noted at its path below that of the policy, such as
    /// `coupon_policy.conditions[2].parameters[0].number`. Absent only when something was noted.
    pub fn read(&self, path: &str, wording: &Wording, violations: &mut Violations) -> Option<Terms> {
        let mut currency = None;
        let benefit = self.term(&format!("{path}.benefit"), &wording.benefit, true, &mut currency, violations);
        let many = wording.conditions.len() <= Self::CONDITION_LIMIT;
        violations.require(format!("{path}.conditions"), many, format!("must be at most {}", Self::CONDITION_LIMIT));
        let mut conditions = Vec::new();
        // What is behind the limit is noted once, not term by term.
        for (at, term) in wording.conditions.iter().take(Self::CONDITION_LIMIT).enumerate() {
            let path = format!("{path}.conditions[{at}]");
            match self.term(&path, term, false, &mut currency, violations) {
                Some(Meant::Condition(condition)) => conditions.push(condition),
                Some(Meant::Benefit(_)) | None => {}
            }
        }
        let complete = conditions.len() == wording.conditions.len();
        match benefit {
            Some(Meant::Benefit(benefit)) if complete => Some(Terms { benefit, conditions, currency }),
            _ => None,
        }
    }

    fn term(
        &self,
        path: &str,
        term: &Term,
        is_benefit: bool,
        currency: &mut Option<Currency>,
        violations: &mut Violations,
    ) -> Option<Meant> {
        let mut fitting = self.all.iter().filter(|kind| kind.meaning.is_benefit() == is_benefit);
        let Some(kind) = fitting.clone().find(|kind| kind.name == term.kind) else {
            let names: Vec<_> = fitting.by_ref().map(|kind| kind.name).collect();
            violations.add(format!("{path}.kind"), format!("must be one of {}", names.join(", ")));
            return None;
        };
        let values = Values::read(kind.parameters, path, &term.parameters, violations)?;
        let same = same_currency(path, &values, currency, violations);
        let meant = match kind.meaning {
            Meaning::Benefit(read) => read(&values).map(Meant::Benefit),
            Meaning::Condition(read) => read(&values).map(Meant::Condition),
        };
        let note = |Misfit { parameter, description }| match values.place(parameter) {
            Some((at, field)) => violations.add(format!("{path}.parameters[{at}].{field}"), description),
            None => violations.add(format!("{path}.parameters"), format!("`{parameter}` {description}")),
        };
        meant.map_err(note).ok().filter(|_| same)
    }
}

enum Meant {
    Benefit(Benefit),
    Condition(Condition),
}

/// A policy is in one currency: one that needs 10 USD to take off 1,000 KRW would be good for nothing.
fn same_currency(path: &str, values: &Values, currency: &mut Option<Currency>, violations: &mut Violations) -> bool {
    let mut same = true;
    for (at, other) in values.currencies() {
        let first = *currency.get_or_insert(other);
        let path = format!("{path}.parameters[{at}].amount.currency_code");
        violations.require(path, first == other, format!("must be {first}, as the amounts before it"));
        same &= first == other;
    }
    same
}
