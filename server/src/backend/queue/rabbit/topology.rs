//! Exchanges and queues, and how they are bound. Declared at each connection; what is there already is left as it is.
//!
//! ```text
//! PREFIX.events          direct exchange, by the kind of event, to the queue of each consumer that takes it
//! PREFIX.CONSUMER        its queue
//! PREFIX.CONSUMER.dead   what was put aside
//! PREFIX.delay.1000ms    exchange and queue: what comes in under the name of a consumer's queue goes there 1000 ms later
//! ```

use std::sync::Arc;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use crate::backend::queue::{Consumer, Delays};

/// How often the broker itself gives a message to consumers that end with their process; what fails is counted by ours.
const DELIVERIES: i64 = 20;
/// More than will ever be; RabbitMQ 4 would otherwise limit deliveries by itself.
const NO_LIMIT: i64 = i32::MAX as i64;

/// The exchanges and queues under a prefix.
#[derive(Debug)]
pub(super) struct Topology {
    prefix: String,
    queues: Vec<Subscription>,
    delays: Vec<u128>,
}

/// What a consumer takes.
#[derive(Debug)]
struct Subscription {
    consumer: &'static str,
    kinds: Vec<String>,
    never_gives_up: bool,
}

impl Topology {
    pub(super) fn new(prefix: &str, delays: &Delays, consumers: &[Arc<dyn Consumer>]) -> Self {
        let subscription = |consumer: &Arc<dyn Consumer>| Subscription {
            consumer: consumer.name(),
            kinds: consumer.kinds(),
            never_gives_up: consumer.never_gives_up(),
        };
        Self {
            prefix: prefix.to_owned(),
            queues: consumers.iter().map(subscription).collect(),
            delays: delays.steps().iter().map(std::time::Duration::as_millis).collect(),
        }
    }

    /// Whether any consumer of this release takes a kind of event.
    pub(super) fn takes(&self, kind: &str) -> bool {
        self.queues.iter().any(|queue| queue.kinds.iter().any(|taken| taken == kind))
    }

    pub(super) fn consumers(&self) -> impl Iterator<Item = &'static str> {
        self.queues.iter().map(|queue| queue.consumer)
    }

    /// Where events are published.
    pub(super) fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// The queue of a consumer.
    pub(super) fn queue(&self, consumer: &str) -> String {
        format!("{}.{consumer}", self.prefix)
    }

    /// What was put aside for a consumer.
    pub(super) fn aside(&self, consumer: &str) -> String {
        format!("{}.{consumer}.dead", self.prefix)
    }

    /// The exchange of a delay, and its queue.
    pub(super) fn delay(&self, milliseconds: u128) -> String {
        format!("{}.delay.{milliseconds}ms", self.prefix)
    }

    /// The queues of all delays.
    pub(super) fn delays(&self) -> impl Iterator<Item = String> {
        self.delays.iter().map(|delay| self.delay(*delay))
    }

    /// Makes what is missing.
    pub(super) async fn declare(&self, channel: &Channel) -> Result<(), lapin::Error> {
        exchange(channel, &self.events(), ExchangeKind::Direct).await?;
        for delay in &self.delays {
            let name = self.delay(*delay);
            exchange(channel, &name, ExchangeKind::Fanout).await?;
            // The key under which a message came stays with it, so the default exchange leads it to that queue.
            let mut arguments = leads_to(None);
            arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(i64::try_from(*delay).unwrap_or(i64::MAX)));
            queue(channel, &name, arguments).await?;
            bind(channel, &name, &name, "").await?;
        }
        for subscription in &self.queues {
            let (name, aside) = (self.queue(subscription.consumer), self.aside(subscription.consumer));
            queue(channel, &aside, limited(NO_LIMIT)).await?;
            let mut arguments = leads_to(Some(&aside));
            let limit = if subscription.never_gives_up { NO_LIMIT } else { DELIVERIES };
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(limit));
            queue(channel, &name, arguments).await?;
            for kind in &subscription.kinds {
                bind(channel, &name, &self.events(), kind).await?;
            }
        }
        Ok(())
    }
}

/// What leaves the queue by itself is kept until it has arrived where it is led.
fn leads_to(key: Option<&str>) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut text = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    text("x-dead-letter-exchange", "");
    text("x-dead-letter-strategy", "at-least-once");
    // Without this the broker falls back to at most once.
    text("x-overflow", "reject-publish");
    if let Some(key) = key {
        text("x-dead-letter-routing-key", key);
    }
    arguments
}

fn limited(deliveries: i64) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(deliveries));
    arguments
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), lapin::Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

async fn queue(channel: &Channel, name: &str, mut arguments: FieldTable) -> Result<(), lapin::Error> {
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), lapin::Error> {
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()).await
}
