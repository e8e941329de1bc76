//! Queues in RabbitMQ: a quorum queue for each consumer, bound by the kinds of events that it takes.
//!
//! - What was published is confirmed by the broker, or stays in the outbox.
//! - A message that fails is published again to a queue of its delay, whose end leads back to the consumer; then the first
//!   one is acknowledged. Between the two a crash makes a second copy, which the inbox of the consumer knows.
//! - Who takes messages has a connection apart from what is published: a broker short of memory stops listening to the latter.
//! - A connection that is lost is made again, for ever; so is the topology, which may have been lost with the broker.

mod consume;
mod link;
mod operate;
mod publish;
mod settle;
#[cfg(test)]
mod tests;
mod topology;
mod wire;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lapin::Channel;
use lapin::uri::AMQPUri;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use self::link::{Link, Purpose};
use self::publish::{Letter, confirmed, send};
use self::topology::Topology;
use super::{Consumer, Delays, Message, Queue};
use crate::error::Error;
use crate::kit::Kit;

/// Queues in RabbitMQ.
pub struct RabbitQueue {
    kit: Kit,
    delays: Delays,
    topology: Arc<Topology>,
    publishing: Link,
    taking: Link,
    /// The channel of the last publication, while it has done no wrong.
    publisher: Mutex<Option<Channel>>,
    /// The channel of the last messages that were sent on, likewise.
    forwarder: Mutex<Option<Channel>>,
}

impl RabbitQueue {
    /// Queues for these consumers, under names that begin with a prefix. It is opened at once, and connected as soon as the
    /// broker can be reached.
    pub fn open(kit: Kit, uri: AMQPUri, prefix: &str, delays: Delays, consumers: &[Arc<dyn Consumer>]) -> Self {
        let topology = Arc::new(Topology::new(prefix, &delays, consumers));
        let publishing = Link::open(uri.clone(), topology.clone(), Purpose::Publishing);
        let taking = Link::open(uri, topology.clone(), Purpose::Taking);
        let (publisher, forwarder) = (Mutex::new(None), Mutex::new(None));
        Self { kit, delays, topology, publishing, taking, publisher, forwarder }
    }

    async fn send_letters(&self, letters: &[Letter]) -> Result<(), Error> {
        // One after the other: two batches side by side on one channel would mix the order of an aggregate's events.
        let mut publisher = self.publisher.lock().await;
        self.send_over(&mut publisher, letters).await
    }

    /// Sends letters that need no order, so that no consumer waits for another, nor for the relay.
    async fn send_aside(&self, letters: &[Letter]) -> Result<(), Error> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut channel = self.forwarder.lock().await.take();
        let sent = self.send_over(&mut channel, letters).await;
        if channel.is_some() {
            *self.forwarder.lock().await = channel;
        }
        sent
    }

    /// Sends letters over the channel that was kept, or a new one, which is kept when it has done no wrong.
    async fn send_over(&self, kept: &mut Option<Channel>, letters: &[Letter]) -> Result<(), Error> {
        let channel = match kept.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => confirmed(self.publishing.channel().await?).await?,
        };
        let sent = send(&channel, letters).await;
        match &sent {
            Ok(()) => *kept = Some(channel),
            // Perhaps a queue was deleted; what is missing is made again before the next try.
            Err(_) => self.publishing.declare_again(),
        }
        sent
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, messages: &[Message]) -> Result<(), Error> {
        let letters: Vec<_> = messages.iter().map(|message| Letter::of(message, &self.topology)).collect();
        if letters.is_empty() { Ok(()) } else { self.send_letters(&letters).await }
    }

    async fn consume(&self, consumer: Arc<dyn Consumer>, stop: CancellationToken) {
        self.consume_until(&*consumer, &stop).await;
    }

    async fn consume_due(&self, consumer: &dyn Consumer) -> Result<usize, Error> {
        self.consume_once(consumer).await
    }

    fn reach(&self) -> Option<watch::Receiver<bool>> {
        Some(self.publishing.reach())
    }
}

impl fmt::Debug for RabbitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitQueue").field("topology", &self.topology).finish_non_exhaustive()
    }
}
