//! Lines in Redis: for each room a sorted set of those who wait, one of when they were seen, and one of those who are in.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use fred::types::Value;
use fred::types::scripts::Script;
use uuid::Uuid;

use super::{Crowd, Line, Standing, TURN};
use crate::backend::redis::Redis;
use crate::error::Error;
use crate::kit::clock::Clock;

/// How many are let in by one script at most: more would hold up whoever else asks Redis for something.
const MOST: u32 = 5_000;

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::from_lua(concat!(include_str!("room.lua"), include_str!($file))))
    };
}
static JOIN: LazyLock<Script> = script!("join.lua");
static LOOK: LazyLock<Script> = script!("look.lua");
static ADMIT: LazyLock<Script> = script!("admit.lua");
static LEAVE: LazyLock<Script> = script!("leave.lua");
static COUNT: LazyLock<Script> = script!("count.lua");

/// Lines in Redis.
#[derive(Clone, Debug)]
pub struct RedisLine {
    redis: Redis,
    clock: Arc<dyn Clock>,
    patience: Duration,
}

impl RedisLine {
    /// Over a connection.
    pub fn new(redis: Redis, clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self { redis, clock, patience }
    }

    fn keys(&self, room: &str) -> Vec<String> {
        [":ticket", ":waiting", ":seen", ":admitted"].iter().map(|name| self.redis.key("line", room, name)).collect()
    }

    async fn run(&self, script: &Script, keys: Vec<String>, more: Vec<Value>) -> Result<Value, Error> {
        let mut arguments = vec![self.clock.now().timestamp_micros().into(), micros(self.patience)];
        arguments.extend(more);
        self.redis.run(script, keys, arguments).await
    }

    async fn standing(&self, script: &Script, room: &str, member: Uuid) -> Result<Standing, Error> {
        let told = self.run(script, self.keys(room), vec![text(member)]).await?;
        let (place, number): (i64, i64) = told.convert().map_err(Error::internal)?;
        match (place, DateTime::from_timestamp_micros(number)) {
            (0, _) => Ok(Standing::Absent),
            (1, _) => Ok(Standing::Waiting { ahead: u64::try_from(number).map_err(Error::internal)? }),
            (2, Some(until)) => Ok(Standing::Admitted { until }),
            other => Err(Error::internal(format!("the line answered {other:?}"))),
        }
    }
}

fn text(member: Uuid) -> Value {
    member.as_simple().to_string().into()
}

fn micros(duration: Duration) -> Value {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).into()
}

#[async_trait]
impl Line for RedisLine {
    async fn join(&self, room: &str, member: Uuid) -> Result<Standing, Error> {
        self.standing(&JOIN, room, member).await
    }

    async fn look(&self, room: &str, member: Uuid) -> Result<Standing, Error> {
        self.standing(&LOOK, room, member).await
    }

    async fn admit(&self, room: &str, turn: Uuid, count: u32, stay: Duration) -> Result<Vec<Uuid>, Error> {
        let mut keys = self.keys(room);
        keys.push(self.redis.key("line", room, &format!(":turn:{}", turn.as_simple())));
        let until = self.clock.now() + stay;
        let remembered = i64::try_from(TURN.as_millis()).unwrap_or(i64::MAX);
        let more = vec![i64::from(count.min(MOST)).into(), until.timestamp_micros().into(), remembered.into()];
        let members: Vec<String> = self.run(&ADMIT, keys, more).await?.convert().map_err(Error::internal)?;
        members.iter().map(|member| Uuid::try_parse(member).map_err(Error::internal)).collect()
    }

    async fn leave(&self, room: &str, member: Uuid) -> Result<bool, Error> {
        let told = self.run(&LEAVE, self.keys(room), vec![text(member)]).await?;
        let left: i64 = told.convert().map_err(Error::internal)?;
        Ok(left == 1)
    }

    async fn count(&self, room: &str) -> Result<Crowd, Error> {
        let told = self.run(&COUNT, self.keys(room), Vec::new()).await?;
        let (waiting, admitted): (u64, u64) = told.convert().map_err(Error::internal)?;
        Ok(Crowd { waiting, admitted })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use chrono::TimeDelta;
    use fred::interfaces::KeysInterface;
    use futures::future::join_all;
    use uuid::Uuid;

    use super::super::suite::{self, line_suite};
    use super::super::{Crowd, Line};
    use super::RedisLine;
    use crate::backend::redis::Redis;
    use crate::kit::clock::{ManualClock, Time};

    const PATIENCE: Duration = Duration::from_secs(30);
    const STAY: Duration = Duration::from_secs(10_000);
    const ROOM: &str = "show_1";

    line_suite!(
        needs Redis: suite::Stage::new(|clock, patience| async move { RedisLine::new(Redis::for_test().await, clock, patience) }).await
    );

    async fn line() -> (RedisLine, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Time::from_timestamp(1_900_000_000, 0).expect("an instant")));
        (RedisLine::new(Redis::for_test().await, clock.clone(), PATIENCE), clock)
    }

    async fn join(line: &RedisLine, members: std::ops::Range<u128>) {
        let members: Vec<_> = members.map(Uuid::from_u128).collect();
        for some in members.chunks(500) {
            for joined in join_all(some.iter().map(|member| line.join(ROOM, *member))).await {
                joined.expect("answers");
            }
        }
    }

    /// Guards: a script passes over so many of the silent and no more; they count for nobody all the same.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn a_crowd_that_went_away_is_forgotten_by_and_by_and_counts_for_nothing_at_once() {
        let (line, clock) = line().await;
        join(&line, 1..4_001).await;
        clock.advance(TimeDelta::seconds(31));
        join(&line, 5_000..5_001).await;

        assert_eq!(line.count(ROOM).await.expect("answers"), Crowd { waiting: 1, admitted: 0 });
        let first = line.admit(ROOM, Uuid::from_u128(1), 10, STAY).await.expect("answers");
        let second = line.admit(ROOM, Uuid::from_u128(2), 10, STAY).await.expect("answers");

        assert_eq!((first, second), (vec![], vec![Uuid::from_u128(5_000)]));
    }

    /// Guard: the expiry of each key, never before what is in it is over.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn a_room_that_nobody_comes_to_any_more_is_forgotten() {
        let (line, _) = line().await;
        join(&line, 1..4).await;
        line.admit(ROOM, Uuid::from_u128(1), 1, STAY).await.expect("answers");
        line.admit(ROOM, Uuid::from_u128(2), 1, Duration::from_secs(1)).await.expect("answers");

        for (key, least) in line.keys(ROOM).into_iter().zip([PATIENCE, PATIENCE, PATIENCE, STAY]) {
            let name = key.clone();
            let left: i64 = line.redis.call(|client| async move { client.pttl(key).await }).await.expect("answers");
            let least = i64::try_from(least.as_millis()).expect("small");
            assert!((least..=least + 3_600_000).contains(&left), "{name} has {left} ms left");
        }
    }
}
