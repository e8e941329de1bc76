//! Where the suite plays.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use prost::Message as _;
use prost::Name;
use sea_orm::ConnectionTrait;
use tokio::time::timeout;
use uuid::Uuid;
use yeyak_migrations::{Migrator, MigratorTrait};
use yeyak_proto::yeyak::payment::v1::WebhookReceived;
use yeyak_services::Postgres;

use crate::backend::queue::{Consumer, DatabaseQueue, Delays, Message, Queue};
use crate::harness::Harness;
use crate::kit::Kit;
use crate::kit::caller::Actor;
use crate::kit::clock::{ManualClock, Time};
use crate::kit::outbox::Cause;
use crate::kit::tx::{DatabaseSettings, Db, Tx};

/// How long a test waits for what must come.
pub(in crate::backend::queue) const PATIENCE: Duration = Duration::from_secs(60);

/// Time as the queue of a stage has it.
#[derive(Clone, Debug)]
pub(in crate::backend::queue) enum Elapsed {
    Clock(Arc<ManualClock>, Time),
    Real(std::time::Instant),
}

impl Elapsed {
    pub(in crate::backend::queue) fn now(&self) -> Duration {
        use crate::kit::clock::Clock;
        match self {
            Self::Clock(clock, start) => (clock.now() - *start).to_std().unwrap(),
            Self::Real(start) => start.elapsed(),
        }
    }
}

/// A kind of queue.
pub(in crate::backend::queue) trait Stage {
    fn kit(&self) -> &Kit;

    /// A queue over what the stage keeps, once it can be reached: a second one is as another process.
    async fn open(&self, consumers: &[Arc<dyn Consumer>]) -> Arc<dyn Queue>;

    fn elapsed(&self) -> Elapsed;

    /// Lets a little time pass for the delays of the queue.
    async fn wait(&self);

    fn delays(&self) -> Delays {
        Delays::new(Duration::from_millis(20), Duration::from_millis(80))
    }
}

/// Takes what is due until something holds.
pub(in crate::backend::queue) async fn take_until(
    stage: &impl Stage,
    queue: &dyn Queue,
    consumer: &dyn Consumer,
    holds: impl Fn() -> bool,
) {
    let taking = async {
        while !holds() {
            if queue.consume_due(consumer).await.unwrap() == 0 {
                stage.wait().await;
            }
        }
    };
    timeout(PATIENCE, taking).await.expect("it comes to hold");
}

/// The table, with a clock that stands still.
pub(in crate::backend::queue) struct OnTable {
    kit: Kit,
    clock: Arc<ManualClock>,
    _harness: Harness,
}

impl OnTable {
    pub(in crate::backend::queue) async fn new() -> Self {
        let harness = Harness::new().await;
        let (kit, clock) = (harness.kit.clone(), harness.clock.clone());
        effects(&kit).await;
        Self { kit, clock, _harness: harness }
    }

    pub(in crate::backend::queue) async fn on_postgres() -> Self {
        let harness = Harness::new().await;
        let kit = kit_on_postgres(&harness).await;
        effects(&kit).await;
        Self { kit, clock: harness.clock.clone(), _harness: harness }
    }
}

impl Stage for OnTable {
    fn kit(&self) -> &Kit {
        &self.kit
    }

    async fn open(&self, consumers: &[Arc<dyn Consumer>]) -> Arc<dyn Queue> {
        Arc::new(DatabaseQueue::new(self.kit.clone(), consumers).with_delays(self.delays()))
    }

    fn elapsed(&self) -> Elapsed {
        use crate::kit::clock::Clock;
        Elapsed::Clock(self.clock.clone(), self.clock.now())
    }

    async fn wait(&self) {
        let step = if self.kit.db.is_shared() { TimeDelta::seconds(1) } else { TimeDelta::milliseconds(5) };
        self.clock.advance(step);
    }
}

/// The kit of a harness over a PostgreSQL database of its own.
pub(in crate::backend::queue) async fn kit_on_postgres(harness: &Harness) -> Kit {
    kit_on(harness, &Postgres::shared().create()).await
}

/// A kit over an empty database.
pub(in crate::backend::queue) async fn kit_on(harness: &Harness, url: &str) -> Kit {
    let db = Db::open(&DatabaseSettings::of(url)).await.unwrap();
    Migrator::up(db.schema_connection(), None).await.unwrap();
    let Kit { clock, ids, keys, .. } = harness.kit.clone();
    Kit::new(db, clock, ids, keys)
}

/// Where the consumers of the tests leave their effects.
pub(in crate::backend::queue) async fn effects(kit: &Kit) {
    let table = "CREATE TABLE effect (consumer TEXT, event TEXT)";
    kit.db.schema_connection().execute_unprepared(table).await.unwrap();
}

/// A message about an aggregate.
pub(in crate::backend::queue) fn message(aggregate: u128, version: i64) -> Message {
    let event = WebhookReceived { provider: "test".to_owned(), payment_id: format!("{aggregate}") };
    Message {
        id: Uuid::from_u128((aggregate << 64) + version.unsigned_abs() as u128),
        kind: WebhookReceived::full_name(),
        aggregate: Uuid::from_u128(aggregate),
        version,
        actor: "a test".to_owned(),
        trace: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        payload: event.encode_to_vec(),
        create_time: "2026-03-01T00:00:00Z".parse().unwrap(),
    }
}

/// Messages about as many aggregates.
pub(in crate::backend::queue) fn messages(count: u128) -> Vec<Message> {
    (1..=count).map(|aggregate| message(aggregate, 1)).collect()
}

/// Puts an event into the outbox.
pub(in crate::backend::queue) async fn put(kit: &Kit, aggregate: Uuid, version: i64) {
    let actor = Actor("a test".to_owned());
    let event = WebhookReceived { provider: "test".to_owned(), payment_id: version.to_string() };
    let cause = Cause { aggregate, version, actor: &actor };
    let put = async |tx: Tx| {
        kit.outbox.put(&tx, cause, &event);
        Ok(())
    };
    kit.db.write(put).await.unwrap();
}
