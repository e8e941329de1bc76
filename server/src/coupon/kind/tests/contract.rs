//! What every kind of the registry promises, found out with parameters drawn from what it declares.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::benefit::{Benefit, OnTotal, OnUnits, Piece};
use super::super::{Accepts, Condition, Kind, Meaning, Words};
use super::*;

/// A value within the limits of a parameter, mostly near the lower one.
fn value(rng: &mut StdRng, accepts: Accepts) -> Value {
    let mut word = |words: Words| match words {
        Words::Id(prefix) => id::format(prefix, uuid(rng.random_range(1..6))),
        Words::OneOf(words) => words[rng.random_range(0..words.len())].to_owned(),
        Words::Free(_) => ["breakfast", "VIP", "tea", "CARD"][rng.random_range(0..4)].to_owned(),
    };
    match accepts {
        Accepts::Text(words) => Value::Text(word(words)),
        Accepts::Texts(words) => Value::texts([word(words)]),
        Accepts::Number { least, most } => Value::Number(match rng.random_range(0..4) {
            0 => rng.random_range(least..=most),
            _ => rng.random_range(least..=most.min(least + 6)),
        }),
        Accepts::Amount { least } => won(rng.random_range(least..least + 1_500)),
        Accepts::Date => day(&format!("2026-05-{:02}", rng.random_range(1..9))),
    }
}

/// A term of a kind, with each optional parameter or without.
fn term(rng: &mut StdRng, kind: &Kind) -> Term {
    let mut term = Term::of(kind.name);
    for parameter in kind.parameters {
        if parameter.required || rng.random() {
            term = term.with(parameter.name, value(rng, parameter.accepts));
        }
    }
    term
}

/// What a term of a kind means. Parameters that do not fit each other are drawn again.
fn terms(rng: &mut StdRng, kinds: &Kinds, kind: &Kind) -> Result<Terms, String> {
    let mut last = Err("nothing was drawn".to_owned());
    for _ in 0..100 {
        let term = term(rng, kind);
        let wording = match kind.meaning {
            Meaning::Benefit(_) => Wording { benefit: term, conditions: Vec::new() },
            Meaning::Condition(_) => Wording { benefit: percent(10), conditions: vec![term] },
        };
        last = read(kinds, &wording);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn random_lines(rng: &mut StdRng) -> Vec<Line> {
    let mut prices = |most| (0..rng.random_range(1..most)).map(|_| rng.random_range(0..1_000)).collect::<Vec<i64>>();
    let (first, second, third) = (stay(&prices(8)), seats(&prices(5)), stay(&prices(4)));
    let mut units = third.units().to_vec();
    units.push(Unit::extra("breakfast", Some(date("2026-05-01")), rng.random_range(0..1_000)));
    vec![first, second, items(&[700, 1]), Line::new(third.seller, third.subject, units)]
}

/// The same lines, with less to pay for some units.
fn shrunk(rng: &mut StdRng, lines: &[Line]) -> Vec<Line> {
    let mut less = |unit: &Unit| {
        let amount = if rng.random() { unit.amount } else { rng.random_range(0..=unit.amount) };
        Unit { amount, ..unit.clone() }
    };
    let line = |line: &Line| Line::new(line.seller, line.subject.clone(), line.units().iter().map(&mut less).collect());
    lines.iter().map(line).collect()
}

fn off(benefit: &Benefit, lines: &[Line]) -> Result<i64, String> {
    let lines = lines.iter().enumerate();
    let pieces: Vec<_> = lines.flat_map(|(line, of)| of.units().iter().map(move |unit| Piece { line, unit })).collect();
    let left: Vec<_> = pieces.iter().map(|piece| piece.unit.amount).collect();
    let total = left.iter().sum();
    match benefit {
        Benefit::OnTotal(benefit) => {
            let off = benefit.off(total);
            if !(0..=total).contains(&off) {
                return Err(format!("takes {off} off {total}"));
            }
            Ok(off)
        }
        Benefit::OnUnits(benefit) => {
            let mut off = vec![0; left.len()];
            benefit.take(&pieces, &left, &mut off);
            if off.iter().zip(&left).any(|(off, left)| !(0..=*left).contains(off)) {
                return Err(format!("takes {off:?} off {left:?}"));
            }
            Ok(off.iter().sum())
        }
    }
}

/// Whether a benefit keeps its promises as what is left shrinks.
fn keeps_its_promises(benefit: &Benefit, more: &[Line], less: &[Line]) -> Result<(), String> {
    let (off_more, off_less) = (off(benefit, more)?, off(benefit, less)?);
    if off_less > off_more {
        return Err(format!("takes {off_less} off less, and {off_more} off more"));
    }
    let total = |lines: &[Line]| lines.iter().flat_map(Line::units).map(|unit| unit.amount).sum::<i64>();
    let steady = matches!(benefit, Benefit::OnTotal(benefit) if benefit.is_steady());
    if steady && total(less) - off_less > total(more) - off_more {
        return Err("leaves more to pay when less is left, and says that it never does".to_owned());
    }
    Ok(())
}

/// Whether a condition judges the same, however much is left.
fn is_blind_to_amounts(condition: &Condition, more: &[Line], less: &[Line]) -> bool {
    match condition {
        Condition::Threshold(threshold) => threshold.least() > 0,
        Condition::Gate(gate) => {
            let judge = |lines: &[Line]| gate.judge(&cart(lines), date("2026-04-15")).is_ok();
            judge(more) == judge(less)
        }
        Condition::Scope(scope) => more.iter().zip(less).all(|(more, less)| {
            let mut units = more.units().iter().zip(less.units());
            units.all(|(one, other)| scope.covers(more, one) == scope.covers(less, other))
        }),
    }
}

fn check(seed: u64, kinds: &Kinds, kind: &Kind) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let terms = terms(&mut rng, kinds, kind)?;
    let more = random_lines(&mut rng);
    let less = shrunk(&mut rng, &more);
    keeps_its_promises(&terms.benefit, &more, &less).map_err(|found| format!("{:?} {found}", terms.benefit))?;
    let blind = terms.conditions.iter().all(|condition| is_blind_to_amounts(condition, &more, &less));
    if blind { Ok(()) } else { Err(format!("{:?} judges by amounts", terms.conditions)) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_kind_keeps_its_promises(seed in any::<u64>()) {
        let kinds = Kinds::standard();
        for kind in kinds.iter() {
            prop_assert_eq!(check(seed, &kinds, kind), Ok(()), "{}", kind.name);
        }
    }
}

/// Takes off what is over the last full 100.
#[derive(Debug)]
struct Remainder;

impl OnTotal for Remainder {
    fn off(&self, left: i64) -> i64 {
        left % 100
    }

    fn is_steady(&self) -> bool {
        false
    }
}

/// Takes 60 off every full 100, and says that it is steady.
#[derive(Debug)]
struct Steps;

impl OnTotal for Steps {
    fn off(&self, left: i64) -> i64 {
        left / 100 * 60
    }

    fn is_steady(&self) -> bool {
        true
    }
}

/// Takes off the cheapest unit that is not free already.
#[derive(Debug)]
struct CheapestPaid;

impl OnUnits for CheapestPaid {
    fn take(&self, _: &[Piece<'_>], left: &[i64], off: &mut [i64]) {
        if let Some(at) = (0..left.len()).filter(|at| left[*at] > 0).min_by_key(|at| left[*at]) {
            off[at] = left[at];
        }
    }
}

/// Takes off a won more than there is.
#[derive(Debug)]
struct TooMuch;

impl OnTotal for TooMuch {
    fn off(&self, left: i64) -> i64 {
        left + 1
    }

    fn is_steady(&self) -> bool {
        true
    }
}

#[test]
fn kinds_that_break_their_promises_are_found() {
    let kind = |name, read| Kind { name, description: "", parameters: &[], meaning: Meaning::Benefit(read) };
    let broken = [
        kind("REMAINDER", |_| Ok(Benefit::on_total(Remainder))),
        kind("STEPS", |_| Ok(Benefit::on_total(Steps))),
        kind("CHEAPEST_PAID", |_| Ok(Benefit::on_units(CheapestPaid))),
        kind("TOO_MUCH", |_| Ok(Benefit::on_total(TooMuch))),
    ];
    for kind in broken {
        let kinds = Kinds::standard().with(kind);
        let found = (0..1000).any(|seed| check(seed, &kinds, &kind).is_err());
        assert!(found, "{}", kind.name);
    }
}
