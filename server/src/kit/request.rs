//! What the requests of several domains have in common, read with every violation noted.

use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{Datelike, SubsecRound};
use yeyak_proto::Mutation;
use yeyak_proto::yeyak::common::v1 as common;

use super::clock::Time;
use super::id::NotAnId;
use super::idempotency::RequestKey;
use super::money::{Currency, Money};
use super::violation::Violations;
use crate::error::{Error, EtagMismatch};

/// The years that a `Timestamp` may be of.
const INSTANTS: RangeInclusive<i32> = 1..=9999;

/// The fields that an update names, of those that can be set.
pub fn mask(
    violations: &mut Violations,
    mask: Option<&prost_types::FieldMask>,
    editable: &'static [&'static str],
) -> Vec<&'static str> {
    let paths = mask.map(|mask| &*mask.paths).unwrap_or_default();
    violations.require("update_mask", !paths.is_empty(), "must name at least one field");
    let most = editable.len();
    violations.require("update_mask", paths.len() <= most, format!("must name at most {most} fields, each once"));
    let mut named = Vec::new();
    for (at, path) in paths.iter().take(most).enumerate() {
        match editable.iter().find(|field| *field == path) {
            Some(field) if named.contains(field) => {
                violations.add(format!("update_mask.paths[{at}]"), "must stand there once");
            }
            Some(field) => named.push(*field),
            None => {
                violations.add(format!("update_mask.paths[{at}]"), format!("must be one of {}", editable.join(", ")));
            }
        }
    }
    named
}

/// A list of numbers, each of which means something and stands there once. One that is longer than there are meanings is
/// not looked into.
pub fn distinct<T>(
    violations: &mut Violations,
    field: &str,
    numbers: &[i32],
    (what, most): (&str, usize),
    meaning: impl Fn(i32) -> Option<T>,
) -> Option<Vec<T>> {
    if numbers.len() > most {
        violations.add(field, format!("must be at most {most}, each once"));
        return None;
    }
    let mut all = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        let meant = meaning(*number);
        let field = format!("{field}[{at}]");
        violations.require(&field, meant.is_some(), format!("must be {what}"));
        violations.require(field, !numbers[..at].contains(number), "must stand there once");
        all.extend(meant);
    }
    (all.len() == numbers.len()).then_some(all)
}

/// The id of a request that has nothing else to say, and its key.
pub fn keyed_id<T, M>(message: &M, id: &str) -> Result<(T, RequestKey), Error>
where
    T: FromStr<Err = NotAnId>,
    M: Mutation,
{
    let mut violations = Violations::new();
    let key = RequestKey::of(message, &mut violations);
    let id = violations.id("id", id);
    violations.finish(id.map(|id| (id, key)))
}

/// An etag that an update rests on.
pub fn etag(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Refuses an update that rests on an older version.
pub fn check_etag(id: impl std::fmt::Display, etag: Option<&str>, version: i64) -> Result<(), Error> {
    match etag {
        Some(etag) if etag != version.to_string() => Err(EtagMismatch { id: id.to_string() }.into()),
        _ => Ok(()),
    }
}

/// A known value of an enum, or what it means when it is absent.
pub fn choice<P: TryFrom<i32>, T>(
    violations: &mut Violations,
    field: &str,
    number: i32,
    meaning: impl FnOnce(P) -> Option<T>,
) -> Option<T> {
    let known = P::try_from(number).ok().and_then(meaning);
    violations.require(field, known.is_some(), "must be one of the values of its enum");
    known
}

/// An amount within limits.
pub fn money(
    violations: &mut Violations,
    field: &str,
    money: &common::Money,
    (least, most): (i64, i64),
) -> Option<Money> {
    let currency = violations.take(format!("{field}.currency_code"), money.currency_code.parse::<Currency>());
    let fits = (least..=most).contains(&money.minor_units);
    violations.require(format!("{field}.minor_units"), fits, format!("must be {least} to {most}"));
    currency.filter(|_| fits).map(|currency| Money::new(currency, money.minor_units))
}

/// An instant; none when the field is absent. To the microsecond, as the tables keep it.
pub fn instant(violations: &mut Violations, field: &str, time: Option<&prost_types::Timestamp>) -> Option<Time> {
    let time = time?;
    let nanos = u32::try_from(time.nanos).ok();
    let read = nanos.and_then(|nanos| Time::from_timestamp(time.seconds, nanos)).map(|time| time.trunc_subsecs(6));
    let read = read.filter(|time| INSTANTS.contains(&time.year()));
    violations.require(field, read.is_some(), "must be an instant of the years 1 to 9999");
    read
}
