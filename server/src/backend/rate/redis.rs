//! A limit over all processes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use fred::types::scripts::Script;
use metrics::{counter, describe_counter};

use super::{Limit, MemoryRate, Rate, Who};
use crate::backend::redis::Redis;
use crate::kit::clock::Clock;

/// How long a call may be held up by being counted.
const PATIENCE: Duration = Duration::from_millis(100);
const ALONE: &str = "yeyak_rate_limited_alone_total";

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("take.lua")));

/// Counts calls in Redis; those that this process alone would refuse are refused at once.
#[derive(Debug)]
pub struct RedisRate {
    redis: Redis,
    name: &'static str,
    limit: Limit,
    clock: Arc<dyn Clock>,
    own: MemoryRate,
    /// Whether the last call was counted by this process alone.
    is_alone: AtomicBool,
}

impl RedisRate {
    /// Over a connection.
    pub fn new(redis: Redis, name: &'static str, limit: Limit, clock: Arc<dyn Clock>) -> Self {
        describe_counter!(ALONE, "Calls that were counted by this process alone, since Redis did not answer.");
        let own = MemoryRate::new(limit, clock.clone());
        Self { redis, name, limit, clock, own, is_alone: AtomicBool::new(false) }
    }

    /// How long to wait, as all processes have counted.
    async fn ask(&self, who: Who) -> Result<Duration, ()> {
        let Limit { burst, every } = self.limit;
        let key = self.redis.key("rate", format_args!("{}:{who}", self.name), "");
        let now = self.clock.now().timestamp_micros();
        let every = every.as_secs_f64() * 1e6;
        let arguments = vec![now.into(), every.into(), i64::from(burst.get()).into()];
        let asked = self.redis.run_soon(&TAKE, vec![key], arguments, PATIENCE).await;
        let told = asked.map_err(|error| tracing::debug!("calls can't be counted in Redis: {error}"))?;
        told.convert().map(Duration::from_micros).map_err(|_| ())
    }
}

#[async_trait]
impl Rate for RedisRate {
    async fn take(&self, who: Who) -> Result<(), Duration> {
        self.own.take_now(who)?;
        let asked = self.ask(who).await;
        let was_alone = self.is_alone.swap(asked.is_err(), Ordering::Relaxed);
        match asked {
            Ok(wait) => {
                if was_alone {
                    tracing::info!("calls of each {} are limited over all processes again", self.name);
                }
                if wait.is_zero() { Ok(()) } else { Err(wait) }
            }
            Err(()) => {
                counter!(ALONE, "limit" => self.name).increment(1);
                if !was_alone {
                    tracing::warn!(
                        "Redis does not answer: calls of each {} are limited in this process alone",
                        self.name
                    );
                }
                Ok(())
            }
        }
    }

    fn tidy(&self) {
        self.own.tidy();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use futures::future::join_all;

    use super::super::suite::{self, limit, rate_suite, who};
    use super::super::{Rate, Who};
    use super::RedisRate;
    use crate::backend::cache::suite::eventually;
    use crate::backend::redis::Redis;
    use crate::kit::clock::SystemClock;

    rate_suite!(
        needs Redis: suite::Stage::new(|limit, clock| async move {
            RedisRate::new(Redis::for_test().await, "member", limit, clock)
        })
        .await
    );

    fn process(redis: &Redis, burst: u32) -> RedisRate {
        RedisRate::new(redis.clone(), "member", limit(burst), Arc::new(SystemClock))
    }

    async fn taken(rate: &RedisRate, who: Who, calls: u32) -> usize {
        join_all((0..calls).map(|_| rate.take(who))).await.iter().filter(|taken| taken.is_ok()).count()
    }

    /// Guard: what Redis has counted for all.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn three_processes_let_through_as_many_as_one() {
        let redis = Redis::for_test().await;
        let processes = [process(&redis, 30), process(&redis, 30), process(&redis, 30)];

        let taken = join_all(processes.iter().map(|rate| taken(rate, who(1), 25))).await;

        assert_eq!(taken.iter().sum::<usize>(), 30, "{taken:?}");
        assert!(processes[0].take(who(2)).await.is_ok(), "others are not held up");
    }

    /// Guards: this process's own count comes first; without Redis it is the only one.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn a_flood_is_refused_without_redis_and_so_is_one_while_redis_is_away() {
        let mut server = yeyak_services::Redis::start();
        let redis = Redis::for_test_at(&server.url()).await;
        let rate = process(&redis, 10);
        assert_eq!(taken(&rate, who(1), 1_000).await, 10);
        let told = server.ask(&["INFO", "commandstats"]);
        let scripts = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let calls: u32 = scripts.and_then(|rest| rest.split(',').next()?.parse().ok()).expect("some were run");
        assert!(calls <= 20, "{calls} scripts for 1,000 calls");

        server.kill();
        let began = Instant::now();
        assert_eq!(taken(&rate, who(2), 1_000).await, 10, "the same limit, alone");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

        server.start_again();
        eventually("it counts in Redis again", async || {
            _ = rate.take(who(rand::random())).await;
            !rate.is_alone.load(std::sync::atomic::Ordering::Relaxed)
        })
        .await;
        let other = process(&redis, 10);
        assert_eq!(taken(&rate, who(3), 8).await + taken(&other, who(3), 8).await, 10);
    }
}
