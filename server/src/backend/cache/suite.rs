//! What every cache does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::future::join_all;

use super::{Cache, LARGEST};
use crate::kit::clock::{Clock, ManualClock, Time};

macro_rules! cache_suite {
    ($($make:tt)*) => {
        port_suite! { $($make)* =>
            an_older_value_never_replaces_a_newer_one
            nothing_older_than_what_was_forgotten_comes_back
            a_value_is_gone_once_its_life_is_over
            any_bytes_are_kept_up_to_a_limit
        }
    };
}
pub(super) use cache_suite;

const LIFE: Duration = Duration::from_secs(60);

pub(super) struct Stage {
    cache: Arc<dyn Cache>,
    clock: Arc<ManualClock>,
}

impl Stage {
    pub(super) async fn new<C: Cache, F: Future<Output = C>>(make: impl FnOnce(Arc<dyn Clock>) -> F) -> Self {
        let clock = Arc::new(ManualClock::at(Time::from_timestamp(1_900_000_000, 0).expect("an instant")));
        Self { cache: Arc::new(make(clock.clone()).await), clock }
    }

    async fn put(&self, key: &str, version: i64) {
        self.cache.put(key, version, Bytes::from(version.to_string()), LIFE).await;
    }

    /// The version that is found; its value was put with it.
    async fn version(&self, key: &str) -> Option<i64> {
        let entry = self.cache.get(key).await?;
        assert!(entry.value == entry.version.to_string(), "{entry:?}");
        Some(entry.version)
    }
}

/// Waits until something is so that other threads bring about.
pub(crate) async fn eventually(what: &str, is: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// Guard: the version is compared in the script (in memory, under the key's lock) that writes.
pub(super) async fn an_older_value_never_replaces_a_newer_one(stage: Stage) {
    assert_eq!(stage.version("key").await, None);
    let versions = [3, 17, 1, 50, 49, 2, 50, 48];

    join_all((0..200).map(|at| stage.put("key", versions[at % versions.len()]))).await;

    assert_eq!(stage.version("key").await, Some(50));
    stage.put("key", 4).await;
    assert_eq!(stage.version("key").await, Some(50));
    stage.put("key", 51).await;
    assert_eq!(stage.version("key").await, Some(51));
    assert_eq!(stage.version("another").await, None);
}

/// Guard: the version that was forgotten is kept.
pub(super) async fn nothing_older_than_what_was_forgotten_comes_back(stage: Stage) {
    stage.put("key", 1).await;
    stage.cache.forget("key", 3).await;
    assert_eq!(stage.version("key").await, None);

    stage.put("key", 2).await;
    assert_eq!(stage.version("key").await, None, "it was read before the change");
    stage.put("key", 3).await;
    assert_eq!(stage.version("key").await, Some(3));
    for version in [2, 3] {
        stage.cache.forget("key", version).await;
        assert_eq!(stage.version("key").await, Some(3), "what is kept is not older than {version}");
    }
    stage.cache.forget("unread", 5).await;
    stage.put("unread", 4).await;
    assert_eq!(stage.version("unread").await, None);
}

pub(super) async fn a_value_is_gone_once_its_life_is_over(stage: Stage) {
    stage.put("key", 5).await;
    stage.clock.advance(TimeDelta::milliseconds(59_999));
    assert_eq!(stage.version("key").await, Some(5));
    stage.clock.advance(TimeDelta::milliseconds(1));

    assert_eq!(stage.version("key").await, None);

    stage.put("key", 4).await;
    assert_eq!(stage.version("key").await, Some(4), "what is gone keeps nobody out");
}

pub(super) async fn any_bytes_are_kept_up_to_a_limit(stage: Stage) {
    for (key, value) in
        [("empty", Bytes::new()), ("bytes", Bytes::from_static(b"\n\x00:\xff")), ("large", vec![7; LARGEST].into())]
    {
        stage.cache.put(key, 1, value.clone(), LIFE).await;
        assert_eq!(stage.cache.get(key).await.expect("kept").value, value, "{key}");
    }
    stage.cache.put("larger", 1, vec![7; LARGEST + 1].into(), LIFE).await;
    assert_eq!(stage.cache.get("larger").await, None);
}
