//! What every bus does. It is given as two processes have it, which are one where there is no other.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use uuid::Uuid;

use super::{Bus, Subscription};

macro_rules! bus_suite {
    ($($make:tt)*) => {
        port_suite! { $($make)* =>
            a_change_is_told_to_every_watcher_and_to_nobody_else
            a_change_before_the_watch_is_asked_is_told
        }
    };
}
pub(super) use bus_suite;

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn told(watch: &mut Box<dyn Subscription>) {
    tokio::time::timeout(PATIENCE, watch.changed()).await.expect("it is told");
}

pub(super) async fn a_change_is_told_to_every_watcher_and_to_nobody_else((one, other): (Arc<dyn Bus>, Arc<dyn Bus>)) {
    let (thing, another) = (Uuid::from_u128(7), Uuid::from_u128(8));
    let mut watches: Vec<_> =
        (0..100).map(|at| if at % 2 == 0 { one.subscribe(thing) } else { other.subscribe(thing) }).collect();
    let mut elsewhere = other.subscribe(another);
    // What woke everybody as the two came up.
    _ = elsewhere.changed().now_or_never();

    for _ in 0..3 {
        one.publish(thing);
        join_all(watches.iter_mut().map(told)).await;
    }

    assert!(elsewhere.changed().now_or_never().is_none(), "another thing changed");
    other.publish(another);
    told(&mut elsewhere).await;
}

pub(super) async fn a_change_before_the_watch_is_asked_is_told((one, other): (Arc<dyn Bus>, Arc<dyn Bus>)) {
    let things: Vec<Uuid> = (100..1_100).map(Uuid::from_u128).collect();
    let mut watches: Vec<_> = things.iter().map(|thing| other.subscribe(*thing)).collect();

    things.iter().for_each(|thing| one.publish(*thing));

    join_all(watches.iter_mut().map(told)).await;
}
