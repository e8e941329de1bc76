//! The cache in Redis. One connection asks for values, and is told by Redis when one of those that it was given has changed.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, KeysInterface, TrackingInterface};
use fred::types::Value;
use fred::types::scripts::Script;
use metrics::{counter, describe_counter};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

use super::near::Near;
use super::{Cache, Entry, FORGOTTEN, Kept, LARGEST, expires};
use crate::backend::redis::{Redis, Tasks};
use crate::error::Error;
use crate::kit::clock::Clock;

/// For how long Redis keeps a value beyond its life, since clocks differ a little.
const MARGIN: Duration = Duration::from_secs(10);
/// How long to wait before Redis is asked again to tell of changes.
const AGAIN: Duration = Duration::from_secs(1);
const LOOKS: &str = "yeyak_cache_looks_total";
const LOST: &str = "yeyak_cache_lost_writes_total";

static PUT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("put.lua")));

/// Readings kept in Redis, and at hand in this process.
pub struct RedisCache {
    redis: Redis,
    client: SubscriberClient,
    near: Arc<Near>,
    clock: Arc<dyn Clock>,
    _tasks: Tasks,
}

impl std::fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisCache").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl RedisCache {
    /// Over a connection, and one more that is told of changes.
    pub fn new(redis: Redis, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        describe_counter!(LOOKS, "Looks into the cache, by whether the value was near, in Redis, or nowhere.");
        describe_counter!(LOST, "Values and invalidations that the cache was not reached for.");
        let mut tasks = Tasks::default();
        let client = redis.listener("cache", &mut tasks)?;
        let near = Arc::new(Near::new());
        tasks.add(&tokio::spawn(listen(client.clone(), near.clone())));
        tasks.add(&client.connect());
        Ok(Self { redis, client, near, clock, _tasks: tasks })
    }

    fn key(&self, key: &str) -> String {
        self.redis.key("cache", key, "")
    }

    async fn keep(&self, key: &str, kept: Kept, life: Duration) -> bool {
        let now = self.clock.now().timestamp_millis();
        let milliseconds = i64::try_from((life + MARGIN).as_millis()).unwrap_or(i64::MAX);
        let arguments = vec![kept.version.into(), now.into(), Value::Bytes(encode(&kept)), milliseconds.into()];
        let key = self.key(key);
        // Redis will say so too, in a moment; who has written it must not read what was before, while Redis is told, and behind that
        // what was read of it meanwhile.
        self.near.forget(&key);
        let told = self.redis.run(&PUT, vec![key.clone()], arguments).await;
        self.near.forget(&key);
        if let Err(error) = &told {
            counter!(LOST).increment(1);
            tracing::debug!("the cache was not told of {key}: {error}");
        }
        told.is_ok()
    }

    async fn ask(&self, key: &str) -> Option<Kept> {
        let asked = self.near.ask(key);
        let found = self.redis.guard(self.client.get::<Option<Bytes>, _>(key.to_owned())).await;
        let kept = decode(found.ok()??)?;
        self.near.keep(key, asked, kept.clone());
        Some(kept)
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Option<Entry> {
        let key = self.key(key);
        let now = self.clock.now().timestamp_millis();
        let near = self.client.is_connected().then(|| self.near.get(&key)).flatten();
        let (kept, place) = match near {
            Some(kept) => (Some(kept), "near"),
            None => (self.ask(&key).await, "redis"),
        };
        let found = kept.and_then(|kept| kept.entry_at(now));
        counter!(LOOKS, "found" => if found.is_some() { place } else { "nowhere" }).increment(1);
        found
    }

    async fn put(&self, key: &str, version: i64, value: Bytes, life: Duration) -> bool {
        if value.len() > LARGEST {
            return false;
        }
        let kept = Kept { version, expires: expires(&*self.clock, life), value: Some(value) };
        self.keep(key, kept, life).await
    }

    async fn forget(&self, key: &str, version: i64) -> bool {
        let kept = Kept { version, expires: expires(&*self.clock, FORGOTTEN), value: None };
        self.keep(key, kept, FORGOTTEN).await
    }

    fn is_shared(&self) -> bool {
        true
    }
}

fn encode(kept: &Kept) -> Bytes {
    let kind = if kept.value.is_some() { 'v' } else { 'f' };
    let mut bytes = format!("{}:{}:{kind}\n", kept.version, kept.expires).into_bytes();
    bytes.extend_from_slice(kept.value.as_deref().unwrap_or_default());
    bytes.into()
}

fn decode(bytes: Bytes) -> Option<Kept> {
    let end = bytes.iter().take(64).position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut parts = head.split(':');
    let (version, expires) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let value = (parts.next()? == "v").then(|| bytes.slice(end + 1..));
    Some(Kept { version, expires, value })
}

/// Follows what Redis says of changes. After each new connection it must be asked to, and whatever it said meanwhile was missed.
async fn listen(client: SubscriberClient, near: Arc<Near>) {
    let mut connected = client.reconnect_rx();
    let mut errors = client.error_rx();
    let mut changes = client.invalidation_rx();
    let mut again = interval(AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            change = changes.recv() => match change {
                // No keys: all of them.
                Ok(change) if change.keys.is_empty() => near.forget_all(near.is_told() && client.is_connected()),
                Ok(change) => change.keys.iter().filter_map(|key| key.as_str()).for_each(|key| near.forget(key)),
                Err(RecvError::Lagged(_)) => near.forget_all(near.is_told() && client.is_connected()),
                Err(RecvError::Closed) => return,
            },
            error = errors.recv() => {
                if matches!(error, Err(RecvError::Closed)) {
                    return;
                }
                near.forget_all(near.is_told() && client.is_connected());
            }
            server = connected.recv() => {
                if matches!(server, Err(RecvError::Closed)) {
                    return;
                }
                near.forget_all(false);
                match track(&client).await {
                    Ok(()) => near.forget_all(true),
                    Err(error) => tracing::warn!("Redis does not tell of changes, so nothing is cached near: {error}"),
                }
            }
            _ = again.tick(), if !near.is_told() && client.is_connected() => match track(&client).await {
                Ok(()) => {
                    tracing::info!("Redis tells of changes now");
                    near.forget_all(true);
                }
                Err(error) => tracing::debug!("Redis still does not tell of changes: {error}"),
            },
        }
    }
}

/// Asks to be told of whatever was read over this connection.
async fn track(client: &SubscriberClient) -> Result<(), fred::error::Error> {
    client.start_tracking(Vec::<String>::new(), false, false, false, false).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::suite::{self, cache_suite, eventually};
    use super::super::{Cache, Entry};
    use super::{RedisCache, decode, encode};
    use crate::backend::cache::Kept;
    use crate::backend::redis::Redis;
    use crate::kit::clock::{Clock, SystemClock};

    const LIFE: Duration = Duration::from_secs(600);

    cache_suite!(
        needs Redis: suite::Stage::new(|clock| async { cache(&Redis::for_test().await, clock).await }).await
    );

    async fn cache(redis: &Redis, clock: Arc<dyn Clock>) -> RedisCache {
        let cache = RedisCache::new(redis.clone(), clock).expect("a cache");
        eventually("it is told of changes", async || cache.near.is_told()).await;
        cache
    }

    async fn is_at(cache: &RedisCache, version: i64) -> bool {
        cache.get("key").await.is_some_and(|entry| entry.version == version)
    }

    #[test]
    fn what_is_kept_is_read_again() {
        for value in [None, Some("".into()), Some("a:b\nc".into())] {
            let kept = Kept { version: -3, expires: 1_900_000_000_000, value };
            assert_eq!(decode(encode(&kept)), Some(kept));
        }
        assert_eq!(decode("nonsense".into()), None);
    }

    /// Guard: the connection that values are read by is told when they change.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn what_another_process_puts_is_seen_though_an_older_value_is_near() {
        let redis = Redis::for_test().await;
        let (one, other) = (cache(&redis, Arc::new(SystemClock)).await, cache(&redis, Arc::new(SystemClock)).await);
        one.put("key", 1, "old".into(), LIFE).await;
        assert!(is_at(&other, 1).await);
        let key = other.key("key");
        assert!(other.near.get(&key).is_some(), "it is at hand");

        one.put("key", 2, "new".into(), LIFE).await;
        eventually("the new value is seen", async || is_at(&other, 2).await).await;
        one.forget("key", 3).await;
        eventually("it is forgotten", async || other.get("key").await.is_none()).await;
        other.put("key", 2, "late".into(), LIFE).await;
        assert_eq!(other.get("key").await, None, "read before it was forgotten");
    }

    /// Guards: a lost connection empties what is near; a new one is told of changes again.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn it_finds_nothing_while_redis_is_away_and_goes_on_when_it_is_back() {
        let mut server = yeyak_services::Redis::start();
        let redis = Redis::for_test_at(&server.url()).await;
        let (one, other) = (cache(&redis, Arc::new(SystemClock)).await, cache(&redis, Arc::new(SystemClock)).await);
        one.put("key", 1, "before".into(), LIFE).await;
        assert!(is_at(&one, 1).await && is_at(&one, 1).await);
        server.ask(&["FLUSHALL"]);
        eventually("the flush is told", async || one.get("key").await.is_none()).await;
        one.put("key", 2, "again".into(), LIFE).await;
        assert!(is_at(&one, 2).await);

        server.kill();
        eventually("it finds nothing", async || one.get("key").await.is_none()).await;
        let began = std::time::Instant::now();
        one.put("key", 3, "lost".into(), LIFE).await;
        assert_eq!(one.get("key").await, None);
        assert!(began.elapsed() < Duration::from_secs(3), "nobody waits long: {:?}", began.elapsed());

        server.start_again();
        eventually("it keeps again", async || {
            one.put("key", 4, "back".into(), LIFE).await;
            is_at(&one, 4).await
        })
        .await;
        eventually("it is told again", async || one.near.is_told() && other.near.is_told()).await;
        assert!(is_at(&one, 4).await);
        other.put("key", 5, "newer".into(), LIFE).await;
        eventually("the new value is seen", async || is_at(&one, 5).await).await;
        assert_eq!(other.get("key").await, Some(Entry { version: 5, value: "newer".into() }));
    }
}
