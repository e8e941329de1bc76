//! What a rebuild makes of a gate.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::super::{Accepted, Changed, Gate, Outcome, Place, Progress, Refused, Remaining, Sale, Step, Taker, Terms};
use super::{POLICY, accepted, now, open, places, rebuild, settled, take, taker, terms};

/// Guard: the gaps between the accepted places, and nothing but them, are free.
pub(in crate::backend::gate) async fn a_rebuild_knows_what_rows_prove_and_gives_the_rest(gate: Arc<dyn Gate>) {
    open(&gate, &terms(2_000)).await;
    gate.take(POLICY, &(5_000..6_000).map(taker).collect::<Vec<_>>(), now()).await.expect("answers");
    // Every third of 1,500 places has a row.
    let rows: Vec<Accepted> =
        (1..=500).map(|number| accepted(number, u64::try_from(number).expect("small") * 3)).collect();

    rebuild(&gate, 2, &rows, &terms(2_000)).await;

    let left = gate.remaining(POLICY).await.expect("answers");
    assert_eq!(left, Some(Remaining { epoch: 2, version: 1, left: Some(1_500), taken: 500, kept: 500 }));
    for row in [&rows[0], &rows[499]] {
        assert_eq!(take(&gate, Taker { member: row.member, token: row.token }).await, Ok(row.place));
        let other = Taker { member: row.member, token: Uuid::from_u128(5) };
        assert_eq!(take(&gate, other).await, Err(Refused::AlreadyYours(row.place)));
    }
    let others: Vec<_> = (10_000..12_000).map(taker).collect();
    let given = places(gate.take(POLICY, &others, now()).await.expect("answers").each);
    let proven: BTreeSet<u64> = rows.iter().map(|row| row.place.place).collect();
    let unique: BTreeSet<u64> = given.iter().copied().collect();
    assert_eq!(given.len(), 1_500);
    assert_eq!(unique.union(&proven).copied().collect::<BTreeSet<_>>(), (1..=2_000).collect());
}

/// Guards: the epoch; the count of rows.
pub(in crate::backend::gate) async fn a_rebuild_is_repeatable_and_the_newest_prevails(gate: Arc<dyn Gate>) {
    let rows = [accepted(1, 2), accepted(2, 3)];
    let terms = terms(4);
    let step = |epoch, step| {
        let gate = gate.clone();
        async move { gate.rebuild(POLICY, epoch, step).await.expect("answers") }
    };
    let opening = |count| Step::Open { terms: &terms, count };

    for each in [Step::Begin, Step::Begin, Step::Accepted(&rows), Step::Begin, Step::Accepted(&rows)] {
        assert_eq!(step(5, each).await, Progress::Done, "{each:?}");
    }
    assert_eq!(step(5, opening(3)).await, Progress::Superseded, "a row is missing");
    assert_eq!(take(&gate, taker(9)).await, Err(Refused::Closed));
    for each in [Step::Begin, Step::Accepted(&rows), opening(2)] {
        assert_eq!(step(4, each).await, Progress::Superseded, "an older attempt: {each:?}");
    }
    for each in [opening(2), opening(2)] {
        assert_eq!(step(5, each).await, Progress::Done, "{each:?}");
    }
    take(&gate, taker(9)).await.expect("open");
    // A step that was carried out late, once more, forgets nothing.
    for each in [Step::Begin, Step::Accepted(&rows)] {
        assert_eq!(step(5, each).await, Progress::Superseded, "{each:?}");
    }
    let left = gate.remaining(POLICY).await.expect("answers");
    assert_eq!(left, Some(Remaining { epoch: 5, version: 1, left: Some(1), taken: 3, kept: 2 }));
    assert_eq!(step(6, Step::Begin).await, Progress::Done);
    assert_eq!(take(&gate, taker(10)).await, Err(Refused::Closed), "closed while it is rebuilt");
}

pub(in crate::backend::gate) async fn what_happens_during_a_rebuild_counts(gate: Arc<dyn Gate>) {
    open(&gate, &terms(10)).await;
    let rows = [accepted(1, 1), accepted(2, 2), accepted(3, 3)];
    let step = |step| {
        let gate = gate.clone();
        async move { assert_eq!(gate.rebuild(POLICY, 2, step).await.expect("answers"), Progress::Done) }
    };
    let release = |number| {
        let gate = gate.clone();
        async move { gate.settle(POLICY, &[settled(taker(number), Outcome::Released)]).await.expect("answers") }
    };

    step(Step::Begin).await;
    step(Step::Accepted(&rows[..1])).await;
    // Cancelled after the rows were read: one that the rebuild has come to, one that it has not.
    release(1).await;
    gate.settle(POLICY, &[settled(taker(3), Outcome::TakenBack)]).await.expect("answers");
    let paused = Terms { version: 2, sale: Sale::Paused, ..terms(10) };
    assert_eq!(gate.change(POLICY, &paused).await.expect("answers"), Changed::Closed);
    step(Step::Accepted(&rows[1..])).await;
    let lacking = [taker(5).member];
    step(Step::TakenBack(&lacking)).await;
    step(Step::Open { terms: &terms(10), count: 3 }).await;

    assert_eq!(take(&gate, taker(4)).await, Err(Refused::Paused), "the newer terms prevail");
    let left = gate.remaining(POLICY).await.expect("answers");
    assert_eq!(left, Some(Remaining { epoch: 2, version: 2, left: Some(9), taken: 1, kept: 1 }));
    for (number, is_complete) in [(2, true), (3, false), (5, false)] {
        let answers = gate.take(POLICY, &[taker(number)], now()).await.expect("answers");
        assert_eq!(answers.is_complete, is_complete, "a row of {number} has lost its place");
    }
}

pub(in crate::backend::gate) async fn an_occupied_place_is_given_to_nobody(gate: Arc<dyn Gate>) {
    open(&gate, &terms(2)).await;
    take(&gate, taker(1)).await.expect("place 1");

    gate.settle(POLICY, &[settled(taker(1), Outcome::Occupied)]).await.expect("answers");

    assert_eq!(take(&gate, taker(1)).await, Ok(Place { place: 2, ordinal: 1 }), "the member takes another");
    assert_eq!(take(&gate, taker(2)).await, Err(Refused::SoldOut));
}

/// Guard: the state of the gate, which is closed from the first step of a rebuild to the last, whatever it is told.
pub(in crate::backend::gate) async fn newer_terms_do_not_open_a_gate_that_is_rebuilt(gate: Arc<dyn Gate>) {
    open(&gate, &terms(10)).await;
    let rows = [accepted(2, 1)];
    let step = |step| {
        let gate = gate.clone();
        async move { assert_eq!(gate.rebuild(POLICY, 2, step).await.expect("answers"), Progress::Done) }
    };

    step(Step::Begin).await;
    let newer = Terms { version: 2, ..terms(2) };
    assert_eq!(gate.change(POLICY, &newer).await.expect("answers"), Changed::Closed);

    assert_eq!(take(&gate, taker(1)).await, Err(Refused::Closed));
    assert_eq!(gate.remaining(POLICY).await.expect("answers"), None);
    step(Step::Accepted(&rows)).await;
    assert_eq!(take(&gate, taker(1)).await, Err(Refused::Closed));
    step(Step::Open { terms: &terms(10), count: 1 }).await;
    assert_eq!(take(&gate, taker(1)).await, Ok(Place { place: 2, ordinal: 1 }));
    assert_eq!(take(&gate, taker(3)).await, Err(Refused::SoldOut));
}

/// Guard: the total, which a place that was given back is held against too.
pub(in crate::backend::gate) async fn a_free_place_above_a_total_that_has_shrunk_is_not_given(gate: Arc<dyn Gate>) {
    let rows = [accepted(1, 1), accepted(2, 9)];
    let step = |step| {
        let gate = gate.clone();
        async move { assert_eq!(gate.rebuild(POLICY, 1, step).await.expect("answers"), Progress::Done) }
    };
    step(Step::Begin).await;
    // The highest place is given back, and then the total lowered below it, behind the reading of the rows.
    gate.settle(POLICY, &[settled(taker(2), Outcome::Released)]).await.expect("answers");
    step(Step::Accepted(&rows)).await;
    step(Step::Open { terms: &terms(3), count: 2 }).await;

    let given = places(gate.take(POLICY, &(10..20).map(taker).collect::<Vec<_>>(), now()).await.expect("answers").each);

    assert_eq!(given.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([2, 3]));
}
