//! What every line does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use super::{Crowd, Line, Standing};
use crate::kit::clock::{Clock, ManualClock, Time};

macro_rules! line_suite {
    ($($make:tt)*) => {
        port_suite! { $($make)* =>
            who_comes_first_is_let_in_first
            a_member_has_one_place_however_often_they_join
            a_turn_lets_in_the_same_ones_however_often_it_is_repeated
            turns_at_once_let_nobody_in_twice
            the_silent_have_left
            who_was_let_in_is_in_until_they_leave_or_their_time_is_over
        }
    };
}
pub(super) use line_suite;

const PATIENCE: Duration = Duration::from_secs(30);
const STAY: Duration = Duration::from_secs(300);
const ROOM: &str = "show_1";

pub(super) struct Stage {
    line: Arc<dyn Line>,
    clock: Arc<ManualClock>,
}

impl Stage {
    pub(super) async fn new<L: Line, F: Future<Output = L>>(make: impl FnOnce(Arc<dyn Clock>, Duration) -> F) -> Self {
        let clock = Arc::new(ManualClock::at(Time::from_timestamp(1_900_000_000, 0).expect("an instant")));
        Self { line: Arc::new(make(clock.clone(), PATIENCE).await), clock }
    }

    async fn join(&self, member: u128) -> Standing {
        self.line.join(ROOM, Uuid::from_u128(member)).await.expect("answers")
    }

    async fn look(&self, member: u128) -> Standing {
        self.line.look(ROOM, Uuid::from_u128(member)).await.expect("answers")
    }

    async fn admit(&self, turn: u128, count: u32) -> Vec<u128> {
        let members = self.line.admit(ROOM, Uuid::from_u128(turn), count, STAY).await.expect("answers");
        members.iter().map(Uuid::as_u128).collect()
    }

    async fn leave(&self, member: u128) -> bool {
        self.line.leave(ROOM, Uuid::from_u128(member)).await.expect("answers")
    }

    async fn count(&self) -> (u64, u64) {
        let Crowd { waiting, admitted } = self.line.count(ROOM).await.expect("answers");
        (waiting, admitted)
    }
}

fn waiting(ahead: u64) -> Standing {
    Standing::Waiting { ahead }
}

pub(super) async fn who_comes_first_is_let_in_first(stage: Stage) {
    for member in 1..=5 {
        assert_eq!(stage.join(member).await, waiting(u64::try_from(member).expect("small") - 1));
    }

    assert_eq!(stage.admit(1, 2).await, [1, 2]);

    assert_eq!(stage.look(3).await, waiting(0));
    assert!(stage.leave(3).await);
    assert_eq!(stage.look(5).await, waiting(1), "who is before has left");
    assert_eq!(stage.admit(2, 10).await, [4, 5]);
    assert_eq!(stage.admit(3, 10).await, [0_u128; 0]);
    let elsewhere = stage.line.look("show_2", Uuid::from_u128(5)).await.expect("answers");
    assert_eq!(elsewhere, Standing::Absent);
}

/// Guard: who stands in the line or in the room is given no new ticket.
pub(super) async fn a_member_has_one_place_however_often_they_join(stage: Stage) {
    stage.join(1).await;
    stage.join(2).await;

    join_all((0..100).map(|call| stage.join(call % 10 + 1))).await;

    assert_eq!(stage.count().await, (10, 0));
    assert_eq!(stage.look(1).await, waiting(0));
    assert_eq!(stage.look(2).await, waiting(1));
    stage.admit(1, 1).await;
    assert!(matches!(stage.join(1).await, Standing::Admitted { .. }), "who is in does not wait again");
    assert_eq!(stage.count().await, (9, 1));
}

/// Guard: the answer to a turn is kept under its token.
pub(super) async fn a_turn_lets_in_the_same_ones_however_often_it_is_repeated(stage: Stage) {
    join_all((1..=20).map(|member| stage.join(member))).await;

    let turns = join_all((0..10).map(|_| stage.admit(7, 3))).await;

    assert!(turns.iter().all(|turn| *turn == turns[0] && turn.len() == 3), "{turns:?}");
    assert_eq!(stage.count().await, (17, 3));
    assert_ne!(stage.admit(8, 3).await, turns[0]);
}

/// Guard: one script (in memory, one lock) takes from the line and lets in.
pub(super) async fn turns_at_once_let_nobody_in_twice(stage: Stage) {
    join_all((1..=100).map(|member| stage.join(member))).await;

    let turns = join_all((0..30).map(|turn| stage.admit(turn, 4))).await;

    let members: Vec<u128> = turns.into_iter().flatten().collect();
    assert_eq!(members.len(), 100);
    assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), (1..=100).collect());
    assert_eq!(stage.count().await, (0, 100));
}

/// Guard: when a member was seen is looked at as they are let in.
pub(super) async fn the_silent_have_left(stage: Stage) {
    for member in 1..=4 {
        stage.join(member).await;
    }
    stage.clock.advance(TimeDelta::seconds(20));
    stage.look(2).await;
    stage.join(4).await;
    stage.clock.advance(TimeDelta::seconds(10));

    assert_eq!(stage.look(3).await, Standing::Absent);
    assert_eq!(stage.look(4).await, waiting(1), "behind the second alone");
    assert_eq!(stage.join(1).await, waiting(2), "at the end");
    assert_eq!(stage.admit(1, 10).await, [2, 4, 1]);
    assert_eq!(stage.count().await, (0, 3));
}

pub(super) async fn who_was_let_in_is_in_until_they_leave_or_their_time_is_over(stage: Stage) {
    for member in 1..=3 {
        stage.join(member).await;
    }
    stage.admit(1, 2).await;
    let until = stage.clock.now() + TimeDelta::seconds(300);

    stage.clock.advance(TimeDelta::seconds(299));
    assert_eq!(stage.look(1).await, Standing::Admitted { until }, "without a sign of life");
    assert!(stage.leave(2).await);
    assert!(!stage.leave(2).await, "once");
    assert_eq!(stage.look(2).await, Standing::Absent);
    stage.clock.advance(TimeDelta::seconds(1));
    assert_eq!(stage.look(1).await, Standing::Absent);
    assert_eq!(stage.count().await, (0, 0));
}
