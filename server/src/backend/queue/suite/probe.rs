//! The consumer of the tests.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use prost::Name;
use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;
use yeyak_proto::yeyak::payment::v1::{Payment, WebhookReceived};

use super::stage::{PATIENCE, Stage};
use crate::backend::queue::{Consumer, Message, Unreadable};
use crate::error::{Error, Unavailable};
use crate::kit::{Kit, inbox};

/// A kind of event that no test publishes.
pub(in crate::backend::queue) fn other() -> String {
    Payment::full_name()
}

/// A probe as the only consumer of a queue.
pub(in crate::backend::queue) fn only(probe: &Arc<Probe>) -> [Arc<dyn Consumer>; 1] {
    [probe.clone()]
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Poison,
    Unreadable,
    NoDatabase,
    Panic,
}

/// Remembers what it took, leaves a row for each effect, and fails on what it is told to fail on.
#[derive(Debug)]
pub(in crate::backend::queue) struct Probe {
    kinds: Vec<String>,
    batch_size: usize,
    never_gives_up: bool,
    name: &'static str,
    kit: Kit,
    clock: super::stage::Elapsed,
    troubles: Mutex<HashMap<Uuid, Trouble>>,
    held: Mutex<Option<Arc<Notify>>>,
    log: Mutex<Log>,
    took: Notify,
}

#[derive(Debug, Default)]
struct Log {
    /// Those that came alone, with the time.
    alone: Vec<(Message, Duration)>,
    /// Those that came in a batch.
    together: Vec<Message>,
}

impl Probe {
    pub(in crate::backend::queue) fn new(stage: &impl Stage) -> Arc<Self> {
        Self::named(stage, "probe")
    }

    pub(in crate::backend::queue) fn named(stage: &impl Stage, name: &'static str) -> Arc<Self> {
        Arc::new(Self::plain(stage, name))
    }

    pub(in crate::backend::queue) fn plain(stage: &impl Stage, name: &'static str) -> Self {
        Self {
            kinds: vec![WebhookReceived::full_name()],
            batch_size: 1,
            never_gives_up: false,
            name,
            kit: stage.kit().clone(),
            clock: stage.elapsed(),
            troubles: Mutex::default(),
            held: Mutex::default(),
            log: Mutex::default(),
            took: Notify::new(),
        }
    }

    pub(in crate::backend::queue) fn batches_of(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    pub(in crate::backend::queue) fn for_ever(self) -> Self {
        Self { never_gives_up: true, ..self }
    }

    pub(in crate::backend::queue) fn taking(self, kind: String) -> Self {
        Self { kinds: vec![kind], ..self }
    }

    pub(in crate::backend::queue) fn poison(&self, id: Uuid) {
        self.trouble(id, Trouble::Poison);
    }

    pub(in crate::backend::queue) fn unreadable(&self, id: Uuid) {
        self.trouble(id, Trouble::Unreadable);
    }

    pub(in crate::backend::queue) fn without_database(&self, id: Uuid) {
        self.trouble(id, Trouble::NoDatabase);
    }

    pub(in crate::backend::queue) fn panics(&self, id: Uuid) {
        self.trouble(id, Trouble::Panic);
    }

    fn trouble(&self, id: Uuid, trouble: Trouble) {
        self.troubles.lock().unwrap().insert(id, trouble);
    }

    pub(in crate::backend::queue) fn heal(&self) {
        self.troubles.lock().unwrap().clear();
        *self.held.lock().unwrap() = None;
    }

    /// Makes it stay, once the effect of a batch is committed, until it is dropped; told when it has come there.
    pub(in crate::backend::queue) fn hold_after_effect(&self) -> Arc<Notify> {
        let held = Arc::new(Notify::new());
        *self.held.lock().unwrap() = Some(held.clone());
        held
    }

    /// How many messages came alone.
    pub(in crate::backend::queue) fn takes(&self) -> usize {
        self.log.lock().unwrap().alone.len()
    }

    /// Every message that came, in order of batches and then of those alone.
    pub(in crate::backend::queue) fn taken(&self) -> Vec<Message> {
        let log = self.log.lock().unwrap();
        log.together.iter().chain(log.alone.iter().map(|(message, _)| message)).cloned().collect()
    }

    /// How many messages came.
    pub(in crate::backend::queue) fn seen(&self) -> usize {
        self.taken().len()
    }

    /// How many different messages came.
    pub(in crate::backend::queue) fn different(&self) -> usize {
        self.taken().iter().map(|message| message.id).collect::<HashSet<_>>().len()
    }

    /// When those came that came alone.
    pub(in crate::backend::queue) fn times(&self) -> Vec<Duration> {
        self.log.lock().unwrap().alone.iter().map(|(_, time)| *time).collect()
    }

    /// Waits until something holds of what it took.
    pub(in crate::backend::queue) async fn until(&self, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                self.took.notified().await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("the messages come in time");
    }

    /// How many effects there are.
    pub(in crate::backend::queue) async fn effects(&self) -> i64 {
        let sql = format!("SELECT count(*) AS effects FROM effect WHERE consumer = '{}'", self.name);
        let statement = Statement::from_string(self.kit.db.backend(), sql);
        let row = self.kit.db.read().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get("", "effects").unwrap()
    }

    fn troubled(&self, message: &Message) -> Result<(), Error> {
        let trouble = self.troubles.lock().unwrap().get(&message.id).copied();
        match trouble {
            None => Ok(()),
            Some(Trouble::Poison) => Err(Error::internal("poison")),
            Some(Trouble::Unreadable) => {
                Err(Unreadable { what: message.kind.clone(), why: "it is torn".into() }.into())
            }
            Some(Trouble::NoDatabase) => Err(Unavailable { what: "the database" }.into()),
            Some(Trouble::Panic) => panic!("told to"),
        }
    }

    async fn act(&self, ids: &[Uuid]) -> Result<(), Error> {
        let now = self.kit.clock.now();
        self.kit
            .db
            .write(async |tx| {
                let new = match ids {
                    [id] => HashSet::from_iter(inbox::first(&tx, self.name, *id, now).await?.then_some(*id)),
                    ids => inbox::first_of(&tx, self.name, ids, now).await?,
                };
                for id in new {
                    let sql = format!("INSERT INTO effect VALUES ('{}', '{id}')", self.name);
                    tx.execute_unprepared(&sql).await?;
                }
                Ok(())
            })
            .await
    }

    async fn stay(&self) {
        let held = self.held.lock().unwrap().clone();
        if let Some(held) = held {
            held.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Consumer for Probe {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kinds(&self) -> Vec<String> {
        self.kinds.clone()
    }

    async fn take(&self, message: &Message) -> Result<(), Error> {
        let outcome = async {
            self.troubled(message)?;
            self.act(&[message.id]).await
        };
        // Logged first: a panic is a take too.
        self.log.lock().unwrap().alone.push((message.clone(), self.clock.now()));
        let outcome = outcome.await;
        self.took.notify_one();
        self.stay().await;
        outcome
    }

    fn batch_size(&self) -> usize {
        self.batch_size
    }

    async fn take_batch(&self, messages: &[Message]) -> Result<(), Error> {
        for message in messages {
            self.troubled(message)?;
        }
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        self.act(&ids).await?;
        self.log.lock().unwrap().together.extend_from_slice(messages);
        self.took.notify_one();
        self.stay().await;
        Ok(())
    }

    fn never_gives_up(&self) -> bool {
        self.never_gives_up
    }
}
