//! What every queue promises, asked of each of them.
//!
//! A stage is a queue of some kind, its kit, and a way to let time pass. The consumer of the tests leaves a row for each
//! effect, in one transaction with its inbox: what is done twice has two rows.

mod probe;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use self::probe::{Probe, only, other};
pub(super) use self::stage::{
    Elapsed, OnTable, PATIENCE, Stage, effects, kit_on, kit_on_postgres, message, messages, put, take_until,
};
use super::{Consumer, TRIES};
use crate::kit::crash::How;

/// The suite on a stage; the second argument is an attribute for each test.
macro_rules! queue_suite {
    ($stage:expr, $attribute:tt) => {
        $crate::backend::queue::suite::queue_suite! { @ $stage, $attribute,
            what_was_published_is_kept_through_a_restart,
            each_consumer_takes_its_events_and_what_nobody_takes_is_passed_over,
            a_message_that_fails_comes_later_and_later_and_is_put_aside,
            what_was_put_aside_is_replayed_or_purged,
            poison_takes_nothing_of_its_batch_with_it,
            the_same_message_twice_is_one_effect,
            a_crash_before_the_acknowledgement_is_one_effect,
            events_of_an_aggregate_come_in_order,
            what_can_not_be_read_is_put_aside_at_once,
            a_consumer_may_never_give_up,
            an_outage_of_the_database_is_no_failure_of_the_message,
            a_panic_is_a_failure_like_any_other,
            a_consumer_that_ends_within_a_batch_loses_nothing,
            many_consumers_of_one_queue_are_one_effect_each,
        }
    };
    (@ $stage:expr, $attribute:tt, $($name:ident,)*) => {
        $(
            #[tokio::test]
            #$attribute
            async fn $name() {
                $crate::backend::queue::suite::$name($stage).await;
            }
        )*
    };
}
pub(super) use queue_suite;

pub(super) async fn what_was_published_is_kept_through_a_restart(stage: impl Stage) {
    let probe = Probe::new(&stage);
    let before = stage.open(&only(&probe)).await;
    before.publish(&messages(3)).await.unwrap();
    drop(before);

    let queue = stage.open(&only(&probe)).await;
    take_until(&stage, &*queue, &*probe, || probe.takes() == 3).await;

    assert_eq!(probe.effects().await, 3);
}

pub(super) async fn each_consumer_takes_its_events_and_what_nobody_takes_is_passed_over(stage: impl Stage) {
    let (one, two) = (Probe::new(&stage), Probe::named(&stage, "two"));
    let of_others = Arc::new(Probe::plain(&stage, "three").taking(other()));
    let all: [Arc<dyn Consumer>; 3] = [one.clone(), two.clone(), of_others.clone()];
    let queue = stage.open(&all).await;
    let nobody = super::Message { kind: "yeyak.test.v1.Unheard".to_owned(), ..message(9, 1) };

    queue.publish(&[message(1, 1), nobody, message(2, 1)]).await.unwrap();
    for probe in [&one, &two, &of_others] {
        queue.consume_due(&**probe).await.unwrap();
    }

    assert_eq!((one.takes(), two.takes(), of_others.takes()), (2, 2, 0));
    let waiting = |listing: super::Listing| listing.queues.iter().map(|depth| depth.waiting_count).sum::<u64>();
    assert_eq!(waiting(queue.list().await.unwrap()), 0);
}

/// Guard: the delays, and the limit of tries.
pub(super) async fn a_message_that_fails_comes_later_and_later_and_is_put_aside(stage: impl Stage) {
    let probe = Probe::new(&stage);
    probe.poison(message(1, 1).id);
    let queue = stage.open(&only(&probe)).await;
    queue.publish(&[message(1, 1)]).await.unwrap();

    take_until(&stage, &*queue, &*probe, || probe.takes() as i64 == TRIES).await;

    let times = probe.times();
    for (failures, pair) in (1..).zip(times.windows(2)) {
        let (waited, delay) = (pair[1] - pair[0], stage.delays().after(failures));
        assert!(waited >= delay, "try {failures} came again after {waited:?} instead of {delay:?}");
    }
    let aside = queue.show(probe.name(), 10).await.unwrap();
    assert_eq!((aside.len(), aside[0].failure_count), (1, TRIES));
    assert_eq!((aside[0].id.clone(), aside[0].kind.clone()), (message(1, 1).id.to_string(), message(1, 1).kind));
    assert!(aside[0].error.contains("poison"), "{aside:?}");
    assert!(aside[0].aside_time.is_some());
    let listing = queue.list().await.unwrap();
    assert_eq!((listing.queues[0].aside_count, listing.delayed_count), (1, 0));
}

pub(super) async fn what_was_put_aside_is_replayed_or_purged(stage: impl Stage) {
    let probe = Probe::new(&stage);
    let queue = stage.open(&only(&probe)).await;
    let all = messages(4);
    all.iter().for_each(|message| probe.unreadable(message.id));
    queue.publish(&all).await.unwrap();
    take_until(&stage, &*queue, &*probe, || probe.takes() == 4).await;
    probe.heal();

    let name = probe.name();
    let none = queue.replay(name, Some("no-such-id")).await.unwrap();
    let one = queue.replay(name, Some(&all[2].id.to_string())).await.unwrap();
    take_until(&stage, &*queue, &*probe, || probe.takes() == 5).await;
    let shown = queue.show(name, 2).await.unwrap();
    let rest = queue.replay(name, None).await.unwrap();
    take_until(&stage, &*queue, &*probe, || probe.takes() == 8).await;

    assert_eq!((none, one, rest, shown.len()), (0, 1, 3, 2));
    assert_eq!(probe.effects().await, 4);
    probe.unreadable(message(50, 1).id);
    queue.publish(&[message(50, 1)]).await.unwrap();
    take_until(&stage, &*queue, &*probe, || probe.takes() == 9).await;
    assert_eq!(queue.purge(name).await.unwrap(), 1);
    assert_eq!(queue.show(name, 10).await.unwrap(), []);
}

/// Guard: each message is tried alone when its batch failed.
pub(super) async fn poison_takes_nothing_of_its_batch_with_it(stage: impl Stage) {
    let probe = Arc::new(Probe::plain(&stage, "probe").batches_of(10));
    let queue = stage.open(&only(&probe)).await;
    let all = messages(10);
    probe.poison(all[4].id);
    queue.publish(&all).await.unwrap();

    let taken = queue.consume_due(&*probe).await.unwrap();

    assert_eq!((taken, probe.effects().await), (10, 9));
    probe.heal();
    take_until(&stage, &*queue, &*probe, || probe.takes() > 10).await;
    assert_eq!(probe.effects().await, 10);
}

/// Guard: the inbox.
pub(super) async fn the_same_message_twice_is_one_effect(stage: impl Stage) {
    for batch_size in [1, 10] {
        let name = if batch_size == 1 { "alone" } else { "together" };
        let probe = Arc::new(Probe::plain(&stage, name).batches_of(batch_size));
        let queue = stage.open(&only(&probe)).await;
        let all = messages(5);
        for _ in 0..2 {
            queue.publish(&all).await.unwrap();
            assert_eq!(queue.consume_due(&*probe).await.unwrap(), 5);
        }

        assert_eq!((probe.seen(), probe.effects().await), (10, 5), "{name}");
    }
}

/// Guard: the inbox; nothing else knows that the effect was committed.
pub(super) async fn a_crash_before_the_acknowledgement_is_one_effect(stage: impl Stage) {
    let probe = Probe::new(&stage);
    let queue = stage.open(&only(&probe)).await;
    queue.publish(&messages(1)).await.unwrap();
    stage.kit().crash.arm("queue.taken", How::Error);

    assert!(queue.consume_due(&*probe).await.is_err());
    take_until(&stage, &*queue, &*probe, || probe.takes() == 2).await;

    assert_eq!(probe.effects().await, 1);
}

pub(super) async fn events_of_an_aggregate_come_in_order(stage: impl Stage) {
    let probe = Arc::new(Probe::plain(&stage, "probe").batches_of(7));
    let queue = stage.open(&only(&probe)).await;
    let all: Vec<_> = (1..=20).flat_map(|version| (1..=3).map(move |aggregate| message(aggregate, version))).collect();
    for some in all.chunks(25) {
        queue.publish(some).await.unwrap();
    }

    take_until(&stage, &*queue, &*probe, || probe.seen() == 60).await;

    let mut versions: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for taken in probe.taken() {
        versions.entry(taken.aggregate).or_default().push(taken.version);
    }
    assert_eq!(versions.len(), 3);
    assert!(versions.values().all(|versions| versions.iter().copied().eq(1..=20)), "{versions:?}");
}

/// Guard: what can't be read is told from what failed.
pub(super) async fn what_can_not_be_read_is_put_aside_at_once(stage: impl Stage) {
    let probe = Arc::new(Probe::plain(&stage, "probe").for_ever().batches_of(3));
    let queue = stage.open(&only(&probe)).await;
    let all = messages(3);
    probe.unreadable(all[1].id);
    queue.publish(&all).await.unwrap();

    queue.consume_due(&*probe).await.unwrap();

    let aside = queue.show(probe.name(), 10).await.unwrap();
    assert_eq!(aside.iter().map(|aside| aside.id.clone()).collect::<Vec<_>>(), [all[1].id.to_string()]);
    assert_eq!(probe.effects().await, 2);
}

/// Guard: `never_gives_up`.
pub(super) async fn a_consumer_may_never_give_up(stage: impl Stage) {
    let probe = Arc::new(Probe::plain(&stage, "probe").for_ever());
    let queue = stage.open(&only(&probe)).await;
    probe.poison(message(1, 1).id);
    queue.publish(&[message(1, 1)]).await.unwrap();

    take_until(&stage, &*queue, &*probe, || probe.takes() as i64 == TRIES + 2).await;
    probe.heal();
    take_until(&stage, &*queue, &*probe, || probe.takes() as i64 == TRIES + 3).await;

    assert_eq!(probe.effects().await, 1);
    assert_eq!(queue.show(probe.name(), 10).await.unwrap(), []);
}

/// Guard: an outage is not counted.
pub(super) async fn an_outage_of_the_database_is_no_failure_of_the_message(stage: impl Stage) {
    let probe = Probe::new(&stage);
    let queue = stage.open(&only(&probe)).await;
    probe.without_database(message(1, 1).id);
    queue.publish(&[message(1, 1)]).await.unwrap();

    take_until(&stage, &*queue, &*probe, || probe.takes() as i64 == TRIES + 2).await;
    probe.heal();
    take_until(&stage, &*queue, &*probe, || probe.takes() as i64 == TRIES + 3).await;

    assert_eq!(probe.effects().await, 1);
}

/// Guard: the panic is caught.
pub(super) async fn a_panic_is_a_failure_like_any_other(stage: impl Stage) {
    let probe = Probe::new(&stage);
    let queue = stage.open(&only(&probe)).await;
    let all = messages(3);
    probe.panics(all[0].id);
    queue.publish(&all).await.unwrap();

    assert_eq!(queue.consume_due(&*probe).await.unwrap(), 3);

    assert_eq!(probe.effects().await, 2);
    probe.heal();
    take_until(&stage, &*queue, &*probe, || probe.takes() == 4).await;
    assert_eq!(probe.effects().await, 3);
}

/// Guard: what was not acknowledged comes again; and the inbox, for what was committed before the end.
pub(super) async fn a_consumer_that_ends_within_a_batch_loses_nothing(stage: impl Stage) {
    let probe = Arc::new(Probe::plain(&stage, "probe").batches_of(4));
    let queue = stage.open(&only(&probe)).await;
    let held = probe.hold_after_effect();
    queue.publish(&messages(12)).await.unwrap();

    let first = tokio::spawn({
        let (queue, probe) = (queue.clone(), probe.clone());
        async move { queue.consume(probe, CancellationToken::new()).await }
    });
    held.notified().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    probe.heal();
    let first = probe.seen();
    assert_eq!(probe.effects().await, first as i64, "the first batch was committed");
    take_until(&stage, &*queue, &*probe, || probe.seen() == first + 12).await;

    assert_eq!(probe.effects().await, 12);
}

/// Guard: the inbox, for messages that two of them take.
pub(super) async fn many_consumers_of_one_queue_are_one_effect_each(stage: impl Stage) {
    let probe = Arc::new(Probe::plain(&stage, "probe").batches_of(5));
    let consumers = only(&probe);
    let stop = CancellationToken::new();
    let queues = join_all((0..4).map(|_| stage.open(&consumers))).await;
    let consuming = queues.iter().map(|queue| {
        let (queue, probe, stop) = (queue.clone(), probe.clone(), stop.clone());
        tokio::spawn(async move { queue.consume(probe, stop).await })
    });
    let consuming: Vec<_> = consuming.collect();

    for (queue, some) in queues.iter().cycle().zip(messages(200).chunks(20)) {
        queue.publish(some).await.unwrap();
    }
    probe.until(|| probe.different() == 200).await;
    stop.cancel();
    for one in consuming {
        one.await.unwrap();
    }

    assert_eq!(probe.effects().await, 200);
    let done = async {
        loop {
            let listing = queues[0].list().await.unwrap();
            // A broker may count what was acknowledged a moment longer.
            match (listing.queues[0].waiting_count, listing.queues[0].aside_count) {
                (0, aside) => return aside,
                _ => stage.wait().await,
            }
        }
    };
    assert_eq!(timeout(PATIENCE, done).await.expect("all were acknowledged"), 0);
}
