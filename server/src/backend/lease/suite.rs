//! What every lease does.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use super::{Lease, Taken};
use crate::kit::clock::{Clock, ManualClock, Time};

macro_rules! lease_suite {
    ($($make:tt)*) => {
        port_suite! { $($make)* =>
            one_of_many_holds_a_thing_and_the_same_holder_takes_it_twice
            all_are_taken_or_none
            it_ends_at_its_time_and_the_next_has_a_higher_fence
            only_its_holder_extends_or_gives_it_up
        }
    };
}
pub(super) use lease_suite;

const LIFE: Duration = Duration::from_secs(60);

pub(super) struct Stage {
    lease: Arc<dyn Lease>,
    clock: Arc<ManualClock>,
}

impl Stage {
    pub(super) async fn new<L: Lease, F: Future<Output = L>>(make: impl FnOnce(Arc<dyn Clock>) -> F) -> Self {
        let clock = Arc::new(ManualClock::at(Time::from_timestamp(1_900_000_000, 0).expect("an instant")));
        Self { lease: Arc::new(make(clock.clone()).await), clock }
    }

    async fn take(&self, things: &[&str], holder: u128) -> Taken {
        self.lease.take("show_1", things, Uuid::from_u128(holder), LIFE).await.expect("answers")
    }

    async fn fence(&self, things: &[&str], holder: u128) -> i64 {
        match self.take(things, holder).await {
            Taken::Held { fence } => fence,
            Taken::ByOthers(others) => panic!("{others:?} are held by others"),
        }
    }

    async fn extend(&self, things: &[&str], holder: u128) -> bool {
        self.lease.extend("show_1", things, Uuid::from_u128(holder), LIFE).await.expect("answers")
    }

    async fn release(&self, things: &[&str], holder: u128) {
        self.lease.release("show_1", things, Uuid::from_u128(holder)).await.expect("answers");
    }
}

fn by_others(things: &[&str]) -> Taken {
    Taken::ByOthers(things.iter().map(|thing| (*thing).to_owned()).collect())
}

/// Guard: the holder is compared in the same script (in memory, under the same lock) that writes.
pub(super) async fn one_of_many_holds_a_thing_and_the_same_holder_takes_it_twice(stage: Stage) {
    let taken = join_all((1..=200).map(|holder| stage.take(&["A1"], holder))).await;

    let holders: Vec<usize> = (0..200).filter(|at| matches!(taken[*at], Taken::Held { .. })).collect();
    let [holder] = holders[..] else { panic!("{holders:?} hold it") };
    assert_eq!(stage.take(&["A1"], holder as u128 + 1).await, taken[holder], "the same fence");
    let other = stage.lease.take("show_2", &["A1"], Uuid::from_u128(999), LIFE).await.expect("answers");
    assert!(matches!(other, Taken::Held { .. }), "another group has another A1");
}

pub(super) async fn all_are_taken_or_none(stage: Stage) {
    stage.fence(&["A2", "A3"], 1).await;

    assert_eq!(stage.take(&["A1", "A2", "A3", "A4"], 2).await, by_others(&["A2", "A3"]));
    stage.fence(&["A1", "A4"], 3).await;
    // Ever two of these overlap: never are two held, and at least one is.
    let wanted = [["B1", "B2"], ["B2", "B3"], ["B3", "B1"]];
    let taken = join_all((0..3).map(|at| stage.take(&wanted[at], at as u128 + 10))).await;
    assert_eq!(taken.iter().filter(|taken| matches!(taken, Taken::Held { .. })).count(), 1, "{taken:?}");
}

/// Guards: the end in the thing's own value; the fence that grows.
pub(super) async fn it_ends_at_its_time_and_the_next_has_a_higher_fence(stage: Stage) {
    let first = stage.fence(&["A1", "A2"], 1).await;
    stage.clock.advance(TimeDelta::seconds(60) - TimeDelta::microseconds(1));
    assert_eq!(stage.take(&["A1"], 2).await, by_others(&["A1"]));
    stage.clock.advance(TimeDelta::microseconds(1));

    let second = stage.fence(&["A1"], 2).await;

    assert!(second > first, "{second} after {first}");
    assert!(!stage.extend(&["A1", "A2"], 1).await, "one of the two is another's now");
    let third = stage.fence(&["A2", "A3"], 1).await;
    assert!(third > second, "what had ended is taken anew");
}

/// Guard: the holder is compared before anything is written.
pub(super) async fn only_its_holder_extends_or_gives_it_up(stage: Stage) {
    let fence = stage.fence(&["A1", "A2"], 1).await;
    stage.release(&["A1", "A2"], 2).await;
    assert!(!stage.extend(&["A1"], 2).await);
    assert_eq!(stage.take(&["A1", "A2"], 2).await, by_others(&["A1", "A2"]));

    stage.clock.advance(TimeDelta::seconds(50));
    assert!(stage.extend(&["A1", "A2"], 1).await);
    stage.clock.advance(TimeDelta::seconds(50));
    assert_eq!(stage.fence(&["A1", "A2"], 1).await, fence, "it was extended");

    stage.release(&["A2"], 1).await;
    stage.release(&["A2"], 1).await;
    assert!(stage.fence(&["A2"], 2).await > fence);
    assert_eq!(stage.take(&["A1"], 2).await, by_others(&["A1"]));
}

pub(super) async fn the_fence_grows_over<F: Future<Output = ()>>(stage: Stage, forget: impl Fn() -> F) {
    let mut last = 0;
    for holder in 1..=5 {
        stage.clock.advance(TimeDelta::milliseconds(1));
        let fence = stage.fence(&["A1"], holder).await;
        assert!(fence > last, "{fence} after {last}");
        last = fence;
        forget().await;
    }
}
