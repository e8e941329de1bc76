//! What becomes of messages that were given to a consumer: acknowledged once their effect is committed, or sent on.

use std::time::Duration;

use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use tokio::time::timeout;

use super::link::away;
use super::publish::Letter;
use super::{RabbitQueue, wire};
use crate::backend::queue::Consumer;
use crate::backend::queue::take::{Fate, fate, give};
use crate::error::Error;

/// How long the broker may take to be told.
const PATIENCE: Duration = Duration::from_secs(5);

impl RabbitQueue {
    /// Gives messages to a consumer and acknowledges them. When this fails, the channel has to be dropped, and what was not
    /// acknowledged comes again.
    pub(super) async fn take(
        &self,
        channel: &Channel,
        consumer: &dyn Consumer,
        batch: &[Delivery],
    ) -> Result<(), Error> {
        let Some(last) = batch.last() else { return Ok(()) };
        let (mut readable, mut letters) = (Vec::new(), Vec::new());
        let mut messages = Vec::with_capacity(batch.len());
        for delivery in batch {
            match wire::message(&delivery.properties, &delivery.data) {
                Ok(message) => {
                    readable.push(delivery);
                    messages.push(message);
                }
                Err(unreadable) => letters.push(self.send_on(consumer, delivery, &unreadable.into())),
            }
        }
        let outcomes = give(consumer, &messages).await;
        self.kit.crash.point("queue.taken")?;
        for (delivery, outcome) in readable.into_iter().zip(outcomes) {
            if let Err(error) = outcome {
                letters.push(self.send_on(consumer, delivery, &error));
            }
        }
        self.send_aside(&letters).await?;
        self.kit.crash.point("queue.sent_on")?;
        // All of this channel up to the last: what came before was acknowledged before.
        let told = channel.basic_ack(last.delivery_tag, BasicAckOptions { multiple: true });
        timeout(PATIENCE, told).await.map_err(|_| away())??;
        Ok(())
    }

    /// Where a message goes that its consumer failed on.
    fn send_on(&self, consumer: &dyn Consumer, delivery: &Delivery, error: &Error) -> Letter {
        let (properties, payload) = (&delivery.properties, delivery.data.clone());
        let kind = properties.kind().as_ref().map(ToString::to_string).unwrap_or_default();
        let what = format!("{kind} {}", wire::id(properties));
        let why = error.to_string();
        match fate(consumer, &self.delays, &what, wire::failures(properties), error) {
            Fate::Again { failures, delay } => Letter {
                exchange: self.topology.delay(delay.as_millis()),
                key: self.topology.queue(consumer.name()),
                properties: wire::failed(properties, failures, &why),
                payload,
                mandatory: true,
            },
            Fate::Aside { failures } => Letter {
                exchange: String::new(),
                key: self.topology.aside(consumer.name()),
                properties: wire::put_aside(properties, failures, &why, self.kit.clock.now()),
                payload,
                mandatory: true,
            },
        }
    }
}
