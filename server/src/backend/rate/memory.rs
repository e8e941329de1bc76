//! The limit of a single process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock as Ticks;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::{Limit, Rate, Who};
use crate::kit::clock::Clock;

/// Counts calls in this process.
#[derive(Debug)]
pub struct MemoryRate {
    counted: RateLimiter<Who, DashMapStateStore<Who>, Wall, NoOpMiddleware<Nanos>>,
    wall: Wall,
}

/// The clock that is passed in.
#[derive(Clone, Debug)]
struct Wall(Arc<dyn Clock>);

impl Ticks for Wall {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let micros = u64::try_from(self.0.now().timestamp_micros()).unwrap_or(0);
        Nanos::from(micros.saturating_mul(1_000))
    }
}

impl MemoryRate {
    /// Counts from nothing.
    pub fn new(limit: Limit, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::with_period(limit.every).unwrap_or(Quota::per_second(limit.burst));
        let wall = Wall(clock);
        Self { counted: RateLimiter::dashmap_with_clock(quota.allow_burst(limit.burst), wall.clone()), wall }
    }

    pub(super) fn take_now(&self, who: Who) -> Result<(), Duration> {
        self.counted.check_key(&who).map_err(|until| until.wait_time_from(self.wall.now()))
    }
}

#[async_trait]
impl Rate for MemoryRate {
    async fn take(&self, who: Who) -> Result<(), Duration> {
        self.take_now(who)
    }

    fn tidy(&self) {
        self.counted.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, rate_suite};
    use super::MemoryRate;

    rate_suite!(suite::Stage::new(|limit, clock| async move { MemoryRate::new(limit, clock) }).await);
}
