//! Leases in Redis: a key for each thing, which ends some time after the lease, since clocks differ a little.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use fred::types::Value;
use fred::types::scripts::Script;
use uuid::Uuid;

use super::{Lease, Taken};
use crate::backend::redis::Redis;
use crate::error::Error;
use crate::kit::clock::Clock;

/// For how long a key outlives its lease.
const MARGIN: Duration = Duration::from_secs(10);

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("take.lua")));
static EXTEND: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("extend.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("release.lua")));

/// Leases in Redis.
#[derive(Clone, Debug)]
pub struct RedisLease {
    redis: Redis,
    clock: Arc<dyn Clock>,
}

impl RedisLease {
    /// Over a connection.
    pub fn new(redis: Redis, clock: Arc<dyn Clock>) -> Self {
        Self { redis, clock }
    }

    fn keys(&self, group: &str, things: &[&str]) -> Vec<String> {
        things.iter().map(|thing| self.redis.key("lease", group, &format!(":{thing}"))).collect()
    }

    fn arguments(&self, holder: Uuid, life: Duration) -> Vec<Value> {
        let number = |count: u128| Value::from(i64::try_from(count).unwrap_or(i64::MAX));
        let kept = (life + MARGIN).as_millis();
        let now = self.clock.now().timestamp_micros();
        vec![now.into(), number(life.as_micros()), holder.as_simple().to_string().into(), number(kept)]
    }
}

#[async_trait]
impl Lease for RedisLease {
    async fn take(&self, group: &str, things: &[&str], holder: Uuid, life: Duration) -> Result<Taken, Error> {
        let mut keys = vec![self.redis.key("lease", group, "")];
        keys.extend(self.keys(group, things));
        let told = self.redis.run(&TAKE, keys, self.arguments(holder, life)).await?;
        let told: Vec<i64> = told.convert().map_err(Error::internal)?;
        match told[..] {
            [0, ref others @ ..] => {
                let name =
                    |at: &i64| usize::try_from(*at).ok().and_then(|at| things.get(at)).map(|thing| (*thing).to_owned());
                Ok(Taken::ByOthers(others.iter().filter_map(name).collect()))
            }
            [fence] => Ok(Taken::Held { fence }),
            _ => Err(Error::internal("the lease answered in other words")),
        }
    }

    async fn extend(&self, group: &str, things: &[&str], holder: Uuid, life: Duration) -> Result<bool, Error> {
        let told = self.redis.run(&EXTEND, self.keys(group, things), self.arguments(holder, life)).await?;
        let told: i64 = told.convert().map_err(Error::internal)?;
        Ok(told == 1)
    }

    async fn release(&self, group: &str, things: &[&str], holder: Uuid) -> Result<(), Error> {
        let holder = holder.as_simple().to_string().into();
        self.redis.run(&RELEASE, self.keys(group, things), vec![holder]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, lease_suite};
    use super::RedisLease;
    use crate::backend::redis::Redis;

    lease_suite!(
        needs Redis: suite::Stage::new(|clock| async { RedisLease::new(Redis::for_test().await, clock) }).await
    );

    /// Guard: the fence is no less than the time.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn a_fence_grows_though_redis_forgot_the_last_one() {
        let redis = yeyak_services::Redis::start();
        let connection = Redis::for_test_at(&redis.url()).await;
        let stage = suite::Stage::new(|clock| async { RedisLease::new(connection, clock) }).await;
        suite::the_fence_grows_over(stage, || async {
            redis.ask(&["FLUSHALL"]);
        })
        .await;
    }
}
