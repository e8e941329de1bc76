//! Queues: events on their way from the outbox to those who act on them.
//!
//! Guarantees of every queue: what `publish` took is kept through a crash; each message reaches each of its consumers at
//! least once; a message whose consumer fails comes again, later and later, and is put aside after [`TRIES`].

mod database;
mod relay;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::database::DatabaseQueue;
pub use self::relay::Relay;
use crate::error::Error;
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

/// Acts on events.
#[async_trait]
pub trait Consumer: Debug + Send + Sync + 'static {
    /// Its name, which its queue and its inbox go by.
    fn name(&self) -> &'static str;

    /// The full names of the events that it takes.
    fn kinds(&self) -> Vec<String>;

    /// Acts on an event. It comes at least once: what must not happen twice records it in the inbox, in its own transaction.
    async fn take(&self, message: &Message) -> Result<(), Error>;
}

/// Carries events.
#[async_trait]
pub trait Queue: Debug + Send + Sync + 'static {
    /// Takes messages for all consumers of their kinds; once it answers, they are kept.
    async fn publish(&self, messages: &[Message]) -> Result<(), Error>;

    /// Gives the messages of a consumer to it, until it is told to stop.
    async fn consume(&self, consumer: Arc<dyn Consumer>, stop: CancellationToken);

    /// Gives what is due to a consumer, once; how many messages there were.
    async fn consume_due(&self, consumer: &dyn Consumer) -> Result<usize, Error>;
}

/// How long a message waits before it comes again: 1 s, doubling to 10 minutes.
pub(crate) fn retry_delay(failures: i64) -> Duration {
    let doublings = u32::try_from(failures.clamp(1, 12) - 1).unwrap_or(0);
    Duration::from_secs(1_u64 << doublings).min(Duration::from_secs(600))
}
