//! Queues: events on their way from the outbox to those who act on them.
//!
//! Guarantees of every queue: what `publish` took is kept through a crash; each message reaches each of its consumers at
//! least once; a message whose consumer fails comes again, later and later, and is put aside after [`TRIES`], where an
//! operator finds it. A message that fails takes nothing with it of those that came together with it.

mod database;
mod delay;
mod measure;
mod rabbit;
mod relay;
#[cfg(test)]
mod suite;
mod take;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use lapin::uri::AMQPUri;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::database::DatabaseQueue;
pub use self::delay::Delays;
pub use self::measure::Measure;
pub use self::rabbit::RabbitQueue;
pub use self::relay::Relay;
use crate::error::{Error, ErrorReason, Fault};
use crate::kit::Kit;
use crate::kit::clock::Time;

/// How often a message is given to a consumer that fails before it is put aside.
pub const TRIES: i64 = 12;

/// An event on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The event's own id: what consumers remember.
    pub id: Uuid,
    /// The full name of the protobuf message that `payload` is.
    pub kind: String,
    /// What changed.
    pub aggregate: Uuid,
    /// The version of what changed.
    pub version: i64,
    /// Who changed it.
    pub actor: String,
    /// The trace it happened in.
    pub trace: String,
    /// The event.
    pub payload: Vec<u8>,
    /// When it happened.
    pub create_time: Time,
}

impl Message {
    /// The event; what can't be read is put aside at once, since it never will be.
    pub fn event<E: prost::Message + Default>(&self) -> Result<E, Error> {
        let unreadable = |error| Unreadable { what: self.kind.clone(), why: format!("{error}") };
        E::decode(&*self.payload).map_err(|error| unreadable(error).into())
    }
}

/// A message can't be read, now or ever.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} can't be read: {why}")]
pub struct Unreadable {
    /// Which kind of message, or what about it.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Fault for Unreadable {
    fn reason(&self) -> ErrorReason {
        ErrorReason::MalformedMessage
    }
}

/// Acts on events.
#[async_trait]
pub trait Consumer: Debug + Send + Sync + 'static {
    /// Its name, which its queue and its inbox go by.
    fn name(&self) -> &'static str;

    /// The full names of the events that it takes.
    fn kinds(&self) -> Vec<String>;

    /// Acts on an event. It comes at least once: what must not happen twice records it in the inbox, in its own transaction.
    async fn take(&self, message: &Message) -> Result<(), Error>;

    /// How many messages it takes together at most; more than one come by [`Self::take_batch`].
    fn batch_size(&self) -> usize {
        1
    }

    /// Acts on messages that came together. When it fails, each comes alone, those too that it has acted on, which the inbox knows.
    /// For few transactions over many, with [`crate::kit::inbox::first_of`].
    async fn take_batch(&self, messages: &[Message]) -> Result<(), Error> {
        for message in messages {
            self.take(message).await?;
        }
        Ok(())
    }

    /// Whether its messages come again for ever, since none may be lost to an outage, however long. One that can't be read
    /// is put aside all the same.
    fn never_gives_up(&self) -> bool {
        false
    }
}

/// Carries events.
#[async_trait]
pub trait Queue: Operate {
    /// Takes messages for all consumers of their kinds, in this order; once it answers, they are kept. When it fails, some of
    /// them may have been taken. A message that nobody takes is passed over.
    async fn publish(&self, messages: &[Message]) -> Result<(), Error>;

    /// Gives the messages of a consumer to it, until it is told to stop; what was begun is finished.
    async fn consume(&self, consumer: Arc<dyn Consumer>, stop: CancellationToken);

    /// Gives what is due to a consumer, once; how many messages there were.
    async fn consume_due(&self, consumer: &dyn Consumer) -> Result<usize, Error>;

    /// Whether it can be reached, and each change of that; none where it always can.
    fn reach(&self) -> Option<watch::Receiver<bool>> {
        None
    }
}

/// What an operator sees and does.
#[async_trait]
pub trait Operate: Debug + Send + Sync + 'static {
    /// How much is in each queue.
    async fn list(&self) -> Result<Listing, Error>;

    /// What was put aside for a consumer: the oldest ones, `limit` at most.
    async fn show(&self, consumer: &str, limit: usize) -> Result<Vec<Aside>, Error>;

    /// Gives messages that were put aside to their consumer again, as if they had never failed: all, or one by its id. How
    /// many there were.
    async fn replay(&self, consumer: &str, id: Option<&str>) -> Result<u64, Error>;

    /// Deletes what was put aside for a consumer; how many messages there were.
    async fn purge(&self, consumer: &str) -> Result<u64, Error>;
}

/// How much is in each queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The queue of each consumer.
    pub queues: Vec<Depth>,
    /// Messages of all consumers that have failed and come again later.
    pub delayed_count: u64,
}

/// How much is in the queue of a consumer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Depth {
    /// Whose queue it is.
    pub consumer: String,
    /// Messages that wait to be taken.
    pub waiting_count: u64,
    /// Messages that were put aside.
    pub aside_count: u64,
}

/// A message that was put aside. One that can't be read shows as much as can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Aside {
    /// The event's id.
    pub id: String,
    /// The kind of event.
    pub kind: String,
    /// What changed, as a UUID.
    pub aggregate: String,
    /// How often the consumer failed.
    pub failure_count: i64,
    /// Why it failed at last.
    pub error: String,
    /// When the event happened.
    pub create_time: Option<Time>,
    /// When it was put aside.
    pub aside_time: Option<Time>,
}

/// The queue that the configuration names: RabbitMQ by its URL, or else the table.
pub fn open(
    kit: &Kit,
    url: Option<&str>,
    prefix: &str,
    consumers: &[Arc<dyn Consumer>],
) -> Result<Arc<dyn Queue>, Error> {
    match url {
        None | Some("" | "database") => Ok(Arc::new(DatabaseQueue::new(kit.clone(), consumers))),
        Some(url) => {
            let uri: AMQPUri = url.parse().map_err(|_| Error::internal("`queue` is not a URL of RabbitMQ"))?;
            Ok(Arc::new(RabbitQueue::open(kit.clone(), uri, prefix, Delays::default(), consumers)))
        }
    }
}
