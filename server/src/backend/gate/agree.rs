//! Two gates that are asked the same answer the same.

use std::sync::Arc;

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::suite::{POLICY, again, now, settled};
use super::{Accepted, Gate, Outcome, Place, Sale, Step, Taker, Terms};

/// Asks two gates the same, at random, and compares every answer.
pub(super) async fn they_agree(one: Arc<dyn Gate>, other: Arc<dyn Gate>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut epoch, mut version) = (0, 0);
    let any = |rng: &mut StdRng| again(rng.random_range(0..40), rng.random_range(0..60));
    for step in 0..1_500 {
        let told = |what: String| format!("seed {seed}, step {step}: {what}");
        let at = now() + TimeDelta::seconds(rng.random_range(0..100));
        match rng.random_range(0..100) {
            0..55 => {
                let takers: Vec<Taker> = (0..rng.random_range(1..8)).map(|_| any(&mut rng)).collect();
                let answers = one.take(POLICY, &takers, at).await.expect("answers");
                assert_eq!(
                    answers,
                    other.take(POLICY, &takers, at).await.expect("answers"),
                    "{}",
                    told(format!("{takers:?}"))
                );
            }
            55..85 => {
                let outcome = match rng.random_range(0..8) {
                    0..2 => Outcome::Kept,
                    2 => Outcome::KeptAs(rng.random_range(1..20)),
                    3..5 => Outcome::Released,
                    5 => Outcome::TakenBack,
                    6 => Outcome::Occupied,
                    _ => Outcome::Unknown,
                };
                let settlement = [settled(any(&mut rng), outcome)];
                one.settle(POLICY, &settlement).await.expect("answers");
                other.settle(POLICY, &settlement).await.expect("answers");
            }
            85..95 => {
                version += rng.random_range(0..3);
                let terms = any_terms(&mut rng, version);
                let changed = one.change(POLICY, &terms).await.expect("answers");
                assert_eq!(
                    changed,
                    other.change(POLICY, &terms).await.expect("answers"),
                    "{}",
                    told(format!("{terms:?}"))
                );
            }
            _ => {
                epoch += rng.random_range(0..3);
                let mut rows: Vec<Accepted> = Vec::new();
                for place in 1..rng.random_range(2..30) {
                    let Taker { member, token } = any(&mut rng);
                    let is_theirs = rows.iter().any(|row| row.member == member);
                    if rng.random_bool(0.6) && !is_theirs {
                        rows.push(Accepted { member, place: Place { place, ordinal: 1 }, token });
                    }
                }
                let terms = any_terms(&mut rng, version);
                let open = Step::Open { terms: &terms, count: rows.len() as u64 };
                let lacking: Vec<_> = (0..rng.random_range(0..3)).map(|_| any(&mut rng).member).collect();
                let steps = [Step::Begin, Step::Accepted(&rows), Step::TakenBack(&lacking), open];
                for step in steps.into_iter().take(rng.random_range(1..=5)) {
                    let progress = one.rebuild(POLICY, epoch, step).await.expect("answers");
                    let same = other.rebuild(POLICY, epoch, step).await.expect("answers");
                    assert_eq!(progress, same, "{}", told(format!("{step:?}")));
                }
            }
        }
        let remaining = one.remaining(POLICY).await.expect("answers");
        assert_eq!(remaining, other.remaining(POLICY).await.expect("answers"), "{}", told("remaining".to_owned()));
    }
}

fn any_terms(rng: &mut StdRng, version: i64) -> Terms {
    let time = |rng: &mut StdRng| rng.random_bool(0.3).then(|| now() + TimeDelta::seconds(rng.random_range(0..100)));
    Terms {
        version,
        total: rng.random_bool(0.9).then(|| rng.random_range(0..40)),
        per_member: rng.random_range(1..4),
        start_time: time(rng),
        end_time: time(rng),
        sale: [Sale::Open, Sale::Open, Sale::Open, Sale::Paused, Sale::Ended][rng.random_range(0..5)],
    }
}
