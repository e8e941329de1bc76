//! Many relays on one outbox.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, QuerySelect, TransactionTrait};
use tokio::sync::{Notify, Semaphore};

use super::*;
use yeyak_services::Postgres;

use crate::backend::queue::suite::{kit_on, kit_on_postgres, put};
use crate::backend::queue::{Aside, Consumer, Listing, Operate};
use crate::harness::Harness;
use crate::kit::crash::How;
use crate::kit::outbox::{Column, Entity};

/// A queue that remembers what was published, and publishes no faster than it is told to.
#[derive(Debug)]
struct Pipe {
    published: Mutex<Vec<(Uuid, i64)>>,
    asked: Notify,
    open: Semaphore,
    broken: Mutex<bool>,
}

impl Pipe {
    fn open() -> Arc<Self> {
        Self::with(Semaphore::MAX_PERMITS)
    }

    fn shut() -> Arc<Self> {
        Self::with(0)
    }

    fn with(permits: usize) -> Arc<Self> {
        let (published, broken) = (Mutex::default(), Mutex::default());
        Arc::new(Self { published, asked: Notify::new(), open: Semaphore::new(permits), broken })
    }

    fn published(&self) -> Vec<(Uuid, i64)> {
        self.published.lock().unwrap().clone()
    }
}

#[async_trait]
impl Queue for Pipe {
    async fn publish(&self, messages: &[Message]) -> Result<(), Error> {
        self.asked.notify_one();
        self.open.acquire().await.map_err(Error::internal)?.forget();
        if *self.broken.lock().unwrap() {
            return Err(Error::internal("the pipe is broken"));
        }
        let all = messages.iter().map(|message| (message.aggregate, message.version));
        self.published.lock().unwrap().extend(all);
        Ok(())
    }

    async fn consume(&self, _: Arc<dyn Consumer>, _: CancellationToken) {}

    async fn consume_due(&self, _: &dyn Consumer) -> Result<usize, Error> {
        Ok(0)
    }
}

#[async_trait]
impl Operate for Pipe {
    async fn list(&self) -> Result<Listing, Error> {
        Ok(Listing::default())
    }

    async fn show(&self, _: &str, _: usize) -> Result<Vec<Aside>, Error> {
        Ok(Vec::new())
    }

    async fn replay(&self, _: &str, _: Option<&str>) -> Result<u64, Error> {
        Ok(0)
    }

    async fn purge(&self, _: &str) -> Result<u64, Error> {
        Ok(0)
    }
}

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

/// Guards: the aggregate of a claimed event is passed over, and what is left out keeps what follows it; either is enough.
async fn an_older_event_in_other_hands_keeps_its_aggregate(kit: Kit) {
    let (slow, quick) = (Pipe::shut(), Pipe::open());
    let (first, second) = (Relay::new(kit.clone(), slow.clone()), Relay::new(kit.clone(), quick.clone()));
    put(&kit, ONE, 1).await;
    let publishing = tokio::spawn(async move { first.publish_due().await });
    slow.asked.notified().await;
    put(&kit, ONE, 2).await;
    put(&kit, TWO, 1).await;

    assert_eq!(second.publish_due().await.unwrap(), 1);
    assert_eq!(second.publish_due().await.unwrap(), 0);
    assert_eq!(quick.published(), [(TWO, 1)], "the older event of the aggregate is not published yet");

    slow.open.add_permits(1);
    assert_eq!(publishing.await.unwrap().unwrap(), 1);
    assert_eq!(second.publish_due().await.unwrap(), 1);
    assert_eq!(quick.published(), [(TWO, 1), (ONE, 2)]);
}

/// Guard: a claim goes by the indexes, whatever was known of an outbox that was all but empty: else it takes longer than a statement may.
#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn an_outbox_that_was_all_but_empty_and_fills_at_once_is_published_on_postgres() {
    let (harness, postgres) = (Harness::new().await, Postgres::shared());
    let url = postgres.create();
    let name = url.rsplit('/').next().unwrap();
    // As it does by itself with what it has run a few times.
    postgres.run_sql("postgres", &format!("ALTER DATABASE {name} SET plan_cache_mode = force_generic_plan"));
    let (kit, pipe) = (kit_on(&harness, &url).await, Pipe::open());
    let relay = Relay::new(kit.clone(), pipe.clone());
    for aggregate in 1..=3 {
        put(&kit, Uuid::from_u128(aggregate), 1).await;
    }
    // Looked at while a relay has all of them in hand.
    for known in
        ["UPDATE outbox SET claim_time = '2100-01-01'", "ANALYZE outbox", "UPDATE outbox SET claim_time = NULL"]
    {
        kit.db.schema_connection().execute_unprepared(known).await.unwrap();
    }
    assert_eq!(relay.publish_due().await.unwrap(), 3);
    let fill = "INSERT INTO outbox (id, kind, aggregate, version, actor, trace, payload, create_time) \
                SELECT gen_random_uuid(), 'test', gen_random_uuid(), 1, '', '', '', now() FROM generate_series(1, 30000)";
    kit.db.schema_connection().execute_unprepared(fill).await.unwrap();

    for _ in 0..2 {
        assert_eq!(relay.publish_due().await.unwrap(), 200);
    }
}

/// Guard: what is left out keeps what follows it. The other relay has not committed its claim, so nobody can see it.
#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn an_older_event_that_another_relay_is_about_to_claim_keeps_its_aggregate_on_postgres() {
    let harness = Harness::new().await;
    let (kit, pipe) = (kit_on_postgres(&harness).await, Pipe::open());
    for (aggregate, version) in [(ONE, 1), (ONE, 2), (TWO, 1)] {
        put(&kit, aggregate, version).await;
    }
    let claiming = kit.db.schema_connection().begin().await.unwrap();
    let older = Entity::find().filter(Column::Aggregate.eq(ONE)).filter(Column::Version.eq(1));
    assert!(older.lock_exclusive().one(&claiming).await.unwrap().is_some());

    let relay = Relay::new(kit, pipe.clone());
    assert_eq!(relay.publish_due().await.unwrap(), 1);
    assert_eq!(pipe.published(), [(TWO, 1)]);

    claiming.rollback().await.unwrap();
    assert_eq!(relay.publish_due().await.unwrap(), 2);
    assert_eq!(pipe.published(), [(TWO, 1), (ONE, 1), (ONE, 2)]);
}

/// Guard: the claim, and what keeps an aggregate; each relay alone would be right.
async fn many_relays_publish_each_event_once_and_in_order(kit: Kit) {
    for version in 1..=20 {
        for aggregate in 1..=20 {
            put(&kit, Uuid::from_u128(aggregate), version).await;
        }
    }
    let pipe = Pipe::open();
    let relays = (0..6).map(|_| {
        let relay = Relay::new(kit.clone(), pipe.clone());
        tokio::spawn(async move {
            while is_waiting(&relay.kit).await {
                relay.publish_due().await.unwrap();
            }
        })
    });
    for relay in relays.collect::<Vec<_>>() {
        relay.await.unwrap();
    }

    let mut versions: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for (aggregate, version) in pipe.published() {
        versions.entry(aggregate).or_default().push(version);
    }
    assert_eq!(versions.len(), 20);
    assert!(versions.values().all(|versions| versions.iter().copied().eq(1..=20)), "{versions:?}");
}

#[tokio::test]
async fn an_older_event_in_the_hands_of_another_relay_keeps_its_aggregate() {
    an_older_event_in_other_hands_keeps_its_aggregate(Harness::new().await.kit.clone()).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn an_older_event_in_the_hands_of_another_relay_keeps_its_aggregate_on_postgres() {
    let harness = Harness::new().await;
    an_older_event_in_other_hands_keeps_its_aggregate(kit_on_postgres(&harness).await).await;
}

#[tokio::test]
async fn many_relays_publish_each_event_once() {
    let harness = Harness::new().await;
    many_relays_publish_each_event_once_and_in_order(harness.kit.clone()).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn many_relays_publish_each_event_once_on_postgres() {
    let harness = Harness::new().await;
    many_relays_publish_each_event_once_and_in_order(kit_on_postgres(&harness).await).await;
}

/// Guard: the first versions are claimed first. Ids of one moment are in no order, as those of processes whose clocks differ.
#[tokio::test]
async fn a_backlog_whose_ids_run_against_its_versions_moves_on() {
    let harness = Harness::new().await;
    let pipe = Pipe::open();
    for version in 1..=400 {
        for aggregate in [ONE, TWO, Uuid::from_u128(3)] {
            put(&harness.kit, aggregate, version).await;
        }
    }
    let relay = Relay::new(harness.kit.clone(), pipe.clone());

    while relay.publish_due().await.unwrap() > 0 {}

    let published = pipe.published();
    let versions = published.iter().filter(|(aggregate, _)| *aggregate == TWO).map(|(_, version)| *version);
    assert!(versions.eq(1..=400));
    assert_eq!(published.len(), 1200);
}

/// Guard: the claim's end.
#[tokio::test]
async fn what_a_relay_that_died_had_in_hand_is_taken_over() {
    let harness = Harness::new().await;
    let (kit, shut, pipe) = (harness.kit.clone(), Pipe::shut(), Pipe::open());
    put(&kit, ONE, 1).await;
    let dying = Relay::new(kit.clone(), shut.clone());
    let publishing = tokio::spawn(async move { dying.publish_due().await });
    shut.asked.notified().await;
    publishing.abort();
    assert!(publishing.await.unwrap_err().is_cancelled());

    let relay = Relay::new(kit, pipe.clone());
    assert_eq!(relay.publish_due().await.unwrap(), 0);
    harness.clock.advance(TimeDelta::seconds(30));
    assert_eq!(relay.publish_due().await.unwrap(), 1);

    assert_eq!(pipe.published(), [(ONE, 1)]);
}

/// Guard: a claim is given up when the queue refuses.
#[tokio::test]
async fn what_could_not_be_published_is_free_at_once() {
    let harness = Harness::new().await;
    let pipe = Pipe::open();
    put(&harness.kit, ONE, 1).await;
    let relay = Relay::new(harness.kit.clone(), pipe.clone());
    *pipe.broken.lock().unwrap() = true;
    assert!(relay.publish_due().await.is_err());
    *pipe.broken.lock().unwrap() = false;

    assert_eq!(relay.publish_due().await.unwrap(), 1);
}

/// Guard: rows are deleted after the queue took them, never before.
#[tokio::test]
async fn a_crash_behind_the_publication_publishes_again() {
    let harness = Harness::new().await;
    let pipe = Pipe::open();
    put(&harness.kit, ONE, 1).await;
    let relay = Relay::new(harness.kit.clone(), pipe.clone());
    harness.kit.crash.arm("relay.published", How::Error);
    assert!(relay.publish_due().await.is_err());
    harness.clock.advance(TimeDelta::seconds(30));

    assert_eq!(relay.publish_due().await.unwrap(), 1);

    assert_eq!(pipe.published(), [(ONE, 1), (ONE, 1)]);
}

async fn is_waiting(kit: &Kit) -> bool {
    Entity::find().one(kit.db.read()).await.unwrap().is_some()
}
