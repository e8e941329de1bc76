//! What the connection promises, whatever Redis does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::InfoKind;
use tonic_types::StatusExt;
use uuid::Uuid;
use yeyak_services::{Cluster, Redis as Server, Sentinel};

use super::{PATIENCE, Redis, check};
use crate::backend::cache::suite::eventually;
use crate::backend::gate::{Step, Taker, Terms};
use crate::backend::rate::{Limit, Who};
use crate::backend::{bus, cache, gate, lease, line, rate};
use crate::error::{Error, ErrorReason};
use crate::kit::clock::{Clock, SystemClock};

const MINUTE: Duration = Duration::from_secs(60);

impl Redis {
    /// The one of this test run, with a prefix of its own.
    pub(crate) async fn for_test() -> Self {
        Self::for_test_at(&Server::shared().url()).await
    }

    /// Over another, once it stands.
    pub(crate) async fn for_test_at(url: &str) -> Self {
        let redis = Self::open(url, &yeyak_services::unique("test")).expect("a URL");
        eventually("it is connected", async || redis.set("ready").await.is_ok()).await;
        redis
    }

    pub(crate) async fn set(&self, value: &str) -> Result<(), Error> {
        let (key, value) = (self.key("test", "", "key"), value.to_owned());
        self.call(|client| async move { client.set(key, value, None, None, false).await }).await
    }

    async fn get(&self) -> Result<Option<String>, Error> {
        let key = self.key("test", "", "key");
        self.call(|client| async move { client.get(key).await }).await
    }
}

#[test]
fn what_redis_refuses_while_it_is_full_or_can_not_save_is_no_mistake_of_ours() {
    use fred::error::{Error, ErrorKind};
    let is_ours = |told: &'static str| super::is_ours(&Error::new(ErrorKind::Unknown, told));

    assert!(!is_ours("OOM command not allowed when used memory > 'maxmemory'."));
    assert!(!is_ours("MISCONF Redis is configured to save RDB snapshots, but it can't persist to disk."));
    assert!(is_ours("ERR user_script:1: attempt to index a nil value"));
}

#[test]
fn a_url_that_can_not_be_is_refused_with_a_reason_and_without_its_password() {
    for (url, told) in [
        ("http://secret@host", "must begin with"),
        ("secret", "must begin with"),
        ("redis://user:secret@host:notaport", "is no URL"),
        ("redis-sentinel://:secret@host:26379", "sentinelServiceName"),
    ] {
        let refused = check(url).expect_err(url);
        assert!(refused.contains(told), "{url}: {refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    for url in [
        "redis://127.0.0.1:6379",
        "rediss://user:secret@redis.example.kr:6380/2",
        "redis-sentinel://a:26379?sentinelServiceName=main&node=b:26379",
        "redis-cluster://a:7001?node=b:7002",
    ] {
        assert_eq!(check(url), Ok(()), "{url}");
    }
}

#[tokio::test]
#[ignore = "needs Redis: .ci/run"]
async fn it_starts_while_redis_is_away_and_finds_it_when_it_comes() {
    let mut server = Server::start();
    server.kill();
    let redis = Redis::open(&server.url(), "test").expect("a URL");
    let refused = redis.set("early").await.expect_err("nobody is there");
    assert_eq!(refused.reason(), ErrorReason::DependencyUnavailable);

    server.start_again();

    eventually("it is found", async || redis.set("late").await.is_ok()).await;
    assert_eq!(redis.get().await.expect("answers").as_deref(), Some("late"));
}

/// Guards: the time limit of a call; the breaker, without which each call would wait for it.
#[tokio::test]
#[ignore = "needs Redis: .ci/run"]
async fn calls_are_answered_in_time_while_redis_hangs_and_soon_at_once() {
    let server = Server::start();
    let redis = Redis::for_test_at(&server.url()).await;
    server.hang();
    let mut longest = Duration::ZERO;
    let began = Instant::now();
    loop {
        let called = Instant::now();
        let calls = (0..20).map(|_| redis.set("hung"));
        assert!(futures::future::join_all(calls).await.iter().all(Result::is_err));
        longest = longest.max(called.elapsed());
        if called.elapsed() < Duration::from_millis(5) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "calls are never refused at once");
    }
    assert!(longest < PATIENCE + Duration::from_millis(500), "{longest:?}");

    server.go_on();
    eventually("it goes on", async || redis.set("on").await.is_ok()).await;
}

/// Guard: the word of the sentinels. The old master takes writes for some ten seconds more, and loses them.
#[tokio::test]
#[ignore = "needs Redis: .ci/run"]
async fn a_planned_failover_is_followed_at_once() {
    let sentinel = Sentinel::start();
    let redis = Redis::for_test_at(&sentinel.url()).await;
    let port = sentinel.master_port();
    sentinel.fail_over();
    sentinel.wait_for_master_other_than(port);

    let began = Instant::now();
    let led = format!("tcp_port:{}", sentinel.master_port());
    eventually("the new master is asked", async || {
        let asked = redis.call(|client| async move { client.info::<String>(Some(InfoKind::Server)).await }).await;
        asked.is_ok_and(|told| told.contains(&led))
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(3), "after {:?}", began.elapsed());
}

/// Guard: the time limit of a call. What can't be asked is told as such, with when to come back; nothing is restarted.
#[tokio::test]
#[ignore = "needs Redis: .ci/run"]
async fn who_asks_while_redis_is_away_is_told_in_time_and_goes_on_when_it_is_back() {
    let mut server = Server::start();
    let redis = Redis::for_test_at(&server.url()).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (gate, lease) = (gate::open(Some(&redis)), lease::open(Some(&redis), clock.clone()));
    let line = line::open(Some(&redis), clock.clone(), MINUTE);
    let id = Uuid::from_u128(1);
    let takers = [Taker { member: id, token: id }];
    line.join("show_1", id).await.expect("answers");
    server.kill();

    for _ in 0..20 {
        let asked = Instant::now();
        let refused = [
            gate.take(id, &takers, clock.now()).await.expect_err("away"),
            gate.remaining(id).await.expect_err("away"),
            lease.take("show_1", &["A1"], id, MINUTE).await.expect_err("away"),
            line.look("show_1", id).await.expect_err("away"),
        ];
        assert!(asked.elapsed() < PATIENCE * 4, "{:?}", asked.elapsed());
        for error in refused {
            let status = tonic::Status::from(error);
            assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
            assert!(status.get_details_retry_info().is_some(), "{status:?}");
        }
    }

    server.start_again();
    eventually("it answers", async || gate.take(id, &takers, clock.now()).await.is_ok()).await;
    let answers = gate.take(id, &takers, clock.now()).await.expect("answers");
    assert_eq!(answers.each, [Err(gate::Refused::Closed)], "it has lost its memory");
    assert_eq!(line.look("show_1", id).await.expect("answers"), line::Standing::Absent);
}

/// Guard: what one script needs bears one tag.
#[tokio::test]
#[ignore = "needs Redis: .ci/run"]
async fn every_script_reaches_its_keys_in_a_cluster() {
    let cluster = Cluster::start();
    let redis = Redis::for_test_at(&cluster.url()).await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (gate, lease) = (gate::open(Some(&redis)), lease::open(Some(&redis), clock.clone()));
    let line = line::open(Some(&redis), clock.clone(), MINUTE);
    let cache = cache::open(Some(&redis), clock.clone()).expect("a cache");
    let (bus, other) = (bus::open(Some(&redis)).expect("a bus"), bus::open(Some(&redis)).expect("a bus"));
    let rate = rate::open(Some(&redis), "member", Limit::per_second(1, 1), clock.clone());

    // Enough of each that every node has some.
    for number in 1..=30 {
        let (id, name) = (Uuid::from_u128(number), format!("show_{number}"));
        let terms = Terms {
            version: 1,
            total: Some(1),
            per_member: 1,
            start_time: None,
            end_time: None,
            sale: gate::Sale::Open,
        };
        for step in [Step::Begin, Step::Accepted(&[]), Step::Open { terms: &terms, count: 0 }] {
            gate.rebuild(id, 1, step).await.expect("answers");
        }
        let taken = gate.take(id, &[Taker { member: id, token: id }], clock.now()).await.expect("answers");
        assert_eq!(taken.each.first().and_then(|answer| answer.ok()).map(|place| place.place), Some(1));
        let things = ["A1", "A2", "A3"];
        assert!(matches!(lease.take(&name, &things, id, MINUTE).await.expect("answers"), lease::Taken::Held { .. }));
        assert!(lease.extend(&name, &things, id, MINUTE).await.expect("answers"));
        lease.release(&name, &things, id).await.expect("answers");
        line.join(&name, id).await.expect("answers");
        assert_eq!(line.admit(&name, id, 1, MINUTE).await.expect("answers"), [id]);
        cache.put(&name, 1, "value".into(), MINUTE).await;
        assert_eq!(cache.get(&name).await.map(|entry| entry.value), Some("value".into()));
        cache.put(&name, 2, "newer".into(), MINUTE).await;
        assert_eq!(cache.get(&name).await.map(|entry| entry.version), Some(2));
        assert!(rate.take(Who::Id(id)).await.is_ok());
    }
    let mut watch = other.subscribe(Uuid::from_u128(1));
    eventually("the bus is heard", async || {
        bus.publish(Uuid::from_u128(1));
        true
    })
    .await;
    tokio::time::timeout(MINUTE, watch.changed()).await.expect("it is told");
}
