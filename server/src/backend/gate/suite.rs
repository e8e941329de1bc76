//! What every gate does.

mod rebuild;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use futures::{StreamExt, stream};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use uuid::Uuid;

use super::{
    Accepted, Answer, Changed, Gate, Outcome, Place, Progress, Refused, Remaining, Sale, Settlement, Step, Taker, Terms,
};
use crate::error::ErrorReason;
use crate::kit::clock::Time;

macro_rules! gate_suite {
    ($($make:tt)*) => {
        port_suite! { $($make)* =>
            it_is_closed_until_it_is_opened
            ten_thousand_at_once_get_a_thousand_places_and_each_token_one
            whole_batches_at_once_get_no_place_twice
            refusals_are_told_apart
            a_place_that_was_given_back_is_given_once_more
            it_is_settled_once_every_place_that_it_gave_has_a_row
            a_member_has_as_many_as_the_terms_allow
            newer_terms_are_in_force_once_told
            a_rebuild_knows_what_rows_prove_and_gives_the_rest
            a_rebuild_is_repeatable_and_the_newest_prevails
            what_happens_during_a_rebuild_counts
            an_occupied_place_is_given_to_nobody
            a_place_found_by_another_request_is_that_ones_once_it_is_kept
            newer_terms_do_not_open_a_gate_that_is_rebuilt
            a_free_place_above_a_total_that_has_shrunk_is_not_given
        }
    };
}
pub(super) use gate_suite;

pub(super) use self::rebuild::{
    a_free_place_above_a_total_that_has_shrunk_is_not_given, a_rebuild_is_repeatable_and_the_newest_prevails,
    a_rebuild_knows_what_rows_prove_and_gives_the_rest, an_occupied_place_is_given_to_nobody,
    newer_terms_do_not_open_a_gate_that_is_rebuilt, what_happens_during_a_rebuild_counts,
};

pub(super) const POLICY: Uuid = Uuid::from_u128(0x9011c7);

pub(super) fn terms(total: u64) -> Terms {
    let (start_time, end_time) = (None, None);
    Terms { version: 1, total: Some(total), per_member: 1, start_time, end_time, sale: Sale::Open }
}

pub(super) fn now() -> Time {
    Time::from_timestamp(1_900_000_000, 0).expect("an instant")
}

fn member(number: u128) -> Uuid {
    Uuid::from_u128(0x3e3_0000_0000 + number)
}

fn taker(number: u128) -> Taker {
    Taker { member: member(number), token: Uuid::from_u128(0x70ce_0000_0000 + number) }
}

pub(super) fn again(number: u128, token: u128) -> Taker {
    Taker { member: member(number), token: Uuid::from_u128(token) }
}

pub(super) fn settled(taker: Taker, outcome: Outcome) -> Settlement {
    Settlement { member: taker.member, token: taker.token, outcome }
}

fn accepted(number: u128, place: u64) -> Accepted {
    let Taker { member, token } = taker(number);
    Accepted { member, place: Place { place, ordinal: 1 }, token }
}

async fn open(gate: &Arc<dyn Gate>, terms: &Terms) {
    rebuild(gate, 1, &[], terms).await;
}

async fn rebuild(gate: &Arc<dyn Gate>, epoch: i64, rows: &[Accepted], terms: &Terms) {
    let count = rows.len() as u64;
    for step in [Step::Begin, Step::Accepted(rows), Step::Open { terms, count }] {
        assert_eq!(gate.rebuild(POLICY, epoch, step).await.expect("answers"), Progress::Done, "{step:?}");
    }
}

async fn take(gate: &Arc<dyn Gate>, taker: Taker) -> Answer {
    take_at(gate, taker, now()).await
}

async fn take_at(gate: &Arc<dyn Gate>, taker: Taker, now: Time) -> Answer {
    let answers = asked(gate, &[taker], now).await;
    let [answer] = answers[..] else { panic!("one answer for one taker: {answers:?}") };
    answer
}

/// The answers; a call whose answer did not come in time, as on a machine under load, is repeated as callers do.
async fn asked(gate: &Arc<dyn Gate>, takers: &[Taker], now: Time) -> Vec<Answer> {
    for _ in 0..100 {
        match gate.take(POLICY, takers, now).await {
            Ok(answers) => return answers.each,
            Err(error) => assert_eq!(error.reason(), ErrorReason::DependencyUnavailable, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the gate never answers");
}

fn places(answers: impl IntoIterator<Item = Answer>) -> Vec<u64> {
    answers.into_iter().filter_map(Result::ok).map(|place| place.place).collect()
}

pub(super) async fn it_is_closed_until_it_is_opened(gate: Arc<dyn Gate>) {
    assert_eq!(take(&gate, taker(1)).await, Err(Refused::Closed));
    assert_eq!(gate.change(POLICY, &terms(5)).await.expect("answers"), Changed::Closed);
    assert_eq!(gate.remaining(POLICY).await.expect("answers"), None);
    gate.settle(POLICY, &[settled(taker(1), Outcome::Released)]).await.expect("answers");

    open(&gate, &terms(1)).await;

    assert_eq!(take(&gate, taker(1)).await, Ok(Place { place: 1, ordinal: 1 }));
    let left = gate.remaining(POLICY).await.expect("answers");
    assert_eq!(left, Some(Remaining { epoch: 1, version: 1, left: Some(0), taken: 1, kept: 0 }));
}

/// Guards: one script for the decision and its write (in memory, the lock); the token in the member's field.
pub(super) async fn ten_thousand_at_once_get_a_thousand_places_and_each_token_one(gate: Arc<dyn Gate>) {
    open(&gate, &terms(1_000)).await;
    let mut calls: Vec<u128> = (0..10_000).chain(0..10_000).collect();
    calls.shuffle(&mut StdRng::seed_from_u64(1));

    let all: Vec<(u128, Answer)> = stream::iter(calls)
        .map(|number| {
            let gate = gate.clone();
            async move { (number, tokio::spawn(async move { take(&gate, taker(number)).await }).await.expect("ends")) }
        })
        .buffer_unordered(500)
        .collect()
        .await;

    let mut of_member: HashMap<u128, BTreeSet<u64>> = HashMap::new();
    for (number, answer) in &all {
        match answer {
            Ok(place) => _ = of_member.entry(*number).or_default().insert(place.place),
            Err(refused) => assert_eq!(*refused, Refused::SoldOut),
        }
    }
    assert!(of_member.values().all(|places| places.len() == 1), "a token was given two places");
    let given: BTreeSet<u64> = of_member.values().flatten().copied().collect();
    assert_eq!(of_member.len(), 1_000);
    assert_eq!(given, (1..=1_000).collect());
}

/// Guard: one script for the whole batch.
pub(super) async fn whole_batches_at_once_get_no_place_twice(gate: Arc<dyn Gate>) {
    open(&gate, &terms(3_000)).await;
    // Each batch names its first member twice, by one token; and reaches over what one script takes care of.
    let batch = |number: u128| -> Vec<Taker> {
        let first = number * 1_000;
        (first..first + 1_000).chain([first]).map(taker).collect()
    };

    let batches = join_all((0..5).map(|number| {
        let (gate, takers) = (gate.clone(), batch(number));
        tokio::spawn(async move { asked(&gate, &takers, now()).await })
    }))
    .await;

    let batches: Vec<Vec<Answer>> = batches.into_iter().map(|batch| batch.expect("ends")).collect();
    for batch in &batches {
        assert_eq!(batch.len(), 1_001);
        assert_eq!(batch[0], batch[1_000], "one token, one answer");
    }
    let given = places(batches.into_iter().flat_map(|batch| batch.into_iter().take(1_000)));
    assert_eq!(given.iter().copied().collect::<BTreeSet<_>>(), (1..=3_000).collect());
    assert_eq!(given.len(), 3_000);
}

pub(super) async fn refusals_are_told_apart(gate: Arc<dyn Gate>) {
    let hour = TimeDelta::hours(1);
    let window = Terms { start_time: Some(now()), end_time: Some(now() + hour), ..terms(2) };
    open(&gate, &window).await;

    assert_eq!(take_at(&gate, taker(1), now() - TimeDelta::milliseconds(1)).await, Err(Refused::NotStarted));
    let first = take_at(&gate, taker(1), now()).await.expect("the window is half-open");
    assert_eq!(take_at(&gate, taker(2), now() + hour).await, Err(Refused::Ended));
    assert_eq!(take(&gate, again(1, 77)).await, Err(Refused::AlreadyYours(first)));
    assert_eq!(take_at(&gate, taker(1), now() + hour).await, Ok(first), "what was given stays given");
    gate.change(POLICY, &Terms { version: 2, sale: Sale::Paused, ..window }).await.expect("answers");
    assert_eq!(take(&gate, taker(2)).await, Err(Refused::Paused));
    gate.change(POLICY, &Terms { version: 3, ..window }).await.expect("answers");
    take(&gate, taker(2)).await.expect("the last one");
    assert_eq!(take(&gate, taker(3)).await, Err(Refused::SoldOut));
    gate.change(POLICY, &Terms { version: 4, sale: Sale::Ended, ..window }).await.expect("answers");
    assert_eq!(take(&gate, taker(3)).await, Err(Refused::Ended));
}

/// Guard: what was given back is no longer the member's.
pub(super) async fn a_place_that_was_given_back_is_given_once_more(gate: Arc<dyn Gate>) {
    open(&gate, &terms(2)).await;
    let back = take(&gate, taker(1)).await.expect("a place");
    take(&gate, taker(2)).await.expect("the other");
    let released = settled(taker(1), Outcome::Released);

    let release = || async { gate.settle(POLICY, &[released, released]).await.expect("answers") };
    join_all((0..20).map(|_| release())).await;

    let next = join_all((10..20).map(|number| take(&gate, taker(number)))).await;
    assert_eq!(places(next.clone()), [back.place], "{next:?}");
    // The one who gave it back may come again, and finds it gone.
    release().await;
    assert_eq!(take(&gate, taker(1)).await, Err(Refused::SoldOut));
    let left = gate.remaining(POLICY).await.expect("answers").expect("open");
    assert_eq!((left.left, left.taken), (Some(0), 2));

    // What was kept, counted once, can be taken back too: a cancelled issue, whose row alone knows of it from then on.
    let kept = settled(taker(2), Outcome::Kept);
    gate.settle(POLICY, &[kept, kept, settled(taker(2), Outcome::Unknown)]).await.expect("answers");
    assert_eq!(gate.remaining(POLICY).await.expect("answers").expect("open").kept, 1);
    let other = taker(10 + next.iter().position(Result::is_ok).expect("one of them") as u128);
    gate.settle(POLICY, &[settled(other, Outcome::Kept)]).await.expect("answers");
    assert!(gate.take(POLICY, &[other], now()).await.expect("answers").is_complete);
    gate.settle(POLICY, &[settled(taker(2), Outcome::TakenBack)]).await.expect("answers");
    let left = gate.remaining(POLICY).await.expect("answers").expect("open");
    assert_eq!((left.left, left.taken, left.kept), (Some(1), 1, 1));
    assert!(gate.take(POLICY, &[other], now()).await.expect("answers").is_complete, "of others all is known");
    let theirs = again(2, 77);
    assert!(!gate.take(POLICY, &[other, theirs], now()).await.expect("answers").is_complete);
}

/// Guard: what is told is so behind the takers, whose places have no rows yet.
pub(super) async fn it_is_settled_once_every_place_that_it_gave_has_a_row(gate: Arc<dyn Gate>) {
    open(&gate, &terms(2)).await;
    let asked = async |number| {
        let answers = gate.take(POLICY, &[taker(number)], now()).await.expect("answers");
        (answers.each[0].is_ok(), answers.is_settled)
    };
    let settle = async |number, outcome| {
        gate.settle(POLICY, &[settled(taker(number), outcome)]).await.expect("answers");
    };

    assert_eq!((asked(1).await, asked(2).await, asked(3).await), ((true, false), (true, false), (false, false)));
    settle(1, Outcome::Kept).await;
    assert_eq!(asked(1).await, (true, false), "the second has no row yet");
    settle(2, Outcome::Released).await;
    assert_eq!((asked(1).await, asked(3).await, asked(4).await), ((true, true), (true, false), (false, false)));
    settle(3, Outcome::Kept).await;
    assert_eq!(asked(4).await, (false, true), "none is left, and none will be given back");
}

/// Guard: the token is changed with the place, without which nobody could give it back.
pub(super) async fn a_place_found_by_another_request_is_that_ones_once_it_is_kept(gate: Arc<dyn Gate>) {
    open(&gate, &terms(1)).await;
    let (lost, next) = (again(1, 1), again(1, 2));
    let place = take(&gate, lost).await.expect("a place, of which nobody hears");
    assert_eq!(take(&gate, next).await, Err(Refused::AlreadyYours(place)));

    let kept = settled(next, Outcome::KeptAs(place.place));
    gate.settle(POLICY, &[kept, kept]).await.expect("answers");

    assert_eq!(gate.remaining(POLICY).await.expect("answers").expect("open").kept, 1);
    assert_eq!(take(&gate, next).await, Ok(place));
    gate.settle(POLICY, &[settled(lost, Outcome::Released)]).await.expect("answers");
    assert_eq!(take(&gate, taker(2)).await, Err(Refused::SoldOut), "it is not that request's any more");
    gate.settle(POLICY, &[settled(next, Outcome::Released)]).await.expect("answers");
    assert_eq!(take(&gate, taker(2)).await, Ok(place));
}

/// Guards: the count of the member's places; the token by which one is given back.
pub(super) async fn a_member_has_as_many_as_the_terms_allow(gate: Arc<dyn Gate>) {
    open(&gate, &Terms { per_member: 3, total: None, ..terms(0) }).await;

    let answers = join_all((0..20).map(|token| take(&gate, again(1, token)))).await;

    let ordinals: BTreeSet<u32> = answers.iter().filter_map(|answer| answer.ok()).map(|place| place.ordinal).collect();
    assert_eq!(ordinals, BTreeSet::from([1, 2, 3]));
    assert_eq!(places(answers.clone()).len(), 3);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Refused::OverLimit(Some(_))))).count(), 17);
    // An ordinal that was given back is given again.
    let second = answers.iter().position(|answer| answer.is_ok_and(|place| place.ordinal == 2)).expect("one of three");
    gate.settle(POLICY, &[settled(again(1, second as u128), Outcome::Released)]).await.expect("answers");
    assert_eq!(take(&gate, again(1, 99)).await.expect("a place").ordinal, 2);
    // Giving it back once more does not give back what was taken since.
    gate.settle(POLICY, &[settled(again(1, second as u128), Outcome::Released)]).await.expect("answers");
    assert!(matches!(take(&gate, again(1, 100)).await, Err(Refused::OverLimit(_))));
    assert_eq!(gate.remaining(POLICY).await.expect("answers").expect("open").left, None, "there is no end of them");
}

/// Guards: the version in the change; the highest place that was given.
pub(super) async fn newer_terms_are_in_force_once_told(gate: Arc<dyn Gate>) {
    open(&gate, &terms(10)).await;
    gate.take(POLICY, &(0..6).map(taker).collect::<Vec<_>>(), now()).await.expect("answers");
    let gate = &gate;
    let change = |terms: Terms| async move { gate.change(POLICY, &terms).await.expect("answers") };

    assert_eq!(change(Terms { version: 2, ..terms(5) }).await, Changed::TotalTooSmall(6));
    assert_eq!(change(Terms { version: 3, ..terms(6) }).await, Changed::InForce);
    assert_eq!(take(gate, taker(7)).await, Err(Refused::SoldOut));
    assert_eq!(change(Terms { version: 2, ..terms(100) }).await, Changed::InForce, "newer ones are");
    assert_eq!(take(gate, taker(7)).await, Err(Refused::SoldOut));
    assert_eq!(change(Terms { version: 4, ..terms(7) }).await, Changed::InForce);
    assert_eq!(take(gate, taker(7)).await.map(|place| place.place), Ok(7));
    assert_eq!(gate.remaining(POLICY).await.expect("answers").expect("open").version, 4);
}
