//! What every limit does.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use super::{Limit, Rate, Who};
use crate::kit::clock::{Clock, ManualClock, Time};

macro_rules! rate_suite {
    ($($make:tt)*) => {
        port_suite! { $($make)* =>
            a_burst_is_let_through_and_then_the_wait_is_told
            each_caller_has_a_burst_of_their_own
        }
    };
}
pub(super) use rate_suite;

/// One call a minute, so that none becomes due while a test runs.
pub(super) fn limit(burst: u32) -> Limit {
    Limit { burst: NonZeroU32::new(burst).expect("at least one"), every: Duration::from_secs(60) }
}

pub(super) fn who(number: u128) -> Who {
    Who::Id(Uuid::from_u128(number))
}

pub(super) struct Stage {
    rate: Arc<dyn Rate>,
    clock: Arc<ManualClock>,
}

impl Stage {
    pub(super) async fn new<R: Rate, F: Future<Output = R>>(make: impl FnOnce(Limit, Arc<dyn Clock>) -> F) -> Self {
        let clock = Arc::new(ManualClock::at(Time::from_timestamp(1_900_000_000, 0).expect("an instant")));
        Self { rate: Arc::new(make(limit(5), clock.clone()).await), clock }
    }

    async fn taken(&self, who: Who, calls: usize) -> usize {
        join_all((0..calls).map(|_| self.rate.take(who))).await.iter().filter(|taken| taken.is_ok()).count()
    }
}

pub(super) async fn a_burst_is_let_through_and_then_the_wait_is_told(stage: Stage) {
    assert_eq!(stage.taken(who(1), 50).await, 5);
    assert_eq!(stage.rate.take(who(1)).await, Err(Duration::from_secs(60)));

    stage.clock.advance(TimeDelta::seconds(59));
    assert_eq!(stage.rate.take(who(1)).await, Err(Duration::from_secs(1)));
    stage.clock.advance(TimeDelta::seconds(1));
    assert_eq!(stage.taken(who(1), 10).await, 1);

    stage.clock.advance(TimeDelta::seconds(150));
    assert_eq!(stage.taken(who(1), 10).await, 2, "in two minutes and a half");
    stage.clock.advance(TimeDelta::hours(1));
    stage.rate.tidy();
    assert_eq!(stage.taken(who(1), 10).await, 5, "never more than the burst");
}

pub(super) async fn each_caller_has_a_burst_of_their_own(stage: Stage) {
    let address = |last| Who::Address([127, 0, 0, last].into());
    for who in [who(1), who(2), address(1), address(2), Who::Address(std::net::Ipv6Addr::LOCALHOST.into())] {
        assert_eq!(stage.taken(who, 10).await, 5, "{who}");
    }
}
