//! What an operator sees and does of queues in RabbitMQ.

use std::time::Duration;

use async_trait::async_trait;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use tokio::time::timeout;

use super::link::away;
use super::publish::{Letter, confirmed};
use super::{RabbitQueue, wire};
use crate::backend::queue::{Aside, Depth, Listing, Operate};
use crate::error::Error;

/// How many messages are replayed at a time.
const BATCH: usize = 500;
/// How often, and how soon, it is looked whether messages are back in their queue.
const LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(20);
/// How long the broker may take for one of the steps.
const PATIENCE: Duration = Duration::from_secs(5);

#[async_trait]
impl Operate for RabbitQueue {
    async fn list(&self) -> Result<Listing, Error> {
        let channel = self.taking.channel().await?;
        let mut listing = Listing::default();
        for consumer in self.topology.consumers() {
            listing.queues.push(Depth {
                consumer: consumer.to_owned(),
                waiting_count: depth(&channel, &self.topology.queue(consumer)).await?,
                aside_count: depth(&channel, &self.topology.aside(consumer)).await?,
            });
        }
        for delay in self.topology.delays() {
            listing.delayed_count += depth(&channel, &delay).await?;
        }
        Ok(listing)
    }

    async fn show(&self, consumer: &str, limit: usize) -> Result<Vec<Aside>, Error> {
        let channel = self.taking.channel().await?;
        let queue = self.topology.aside(consumer);
        let there = depth(&channel, &queue).await?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(delivery) = get(&channel, &queue).await? else { break };
            found.push(wire::aside(&delivery.properties));
        }
        close(&channel).await?;
        self.given_back(&queue, there).await?;
        Ok(found)
    }

    async fn replay(&self, consumer: &str, id: Option<&str>) -> Result<u64, Error> {
        // What another channel gave back a moment ago counts a little later: the confirmation is a round trip more.
        let channel = confirmed(self.taking.channel().await?).await?;
        let (queue, aside) = (self.topology.queue(consumer), self.topology.aside(consumer));
        // Those that are there now: what fails again at once must not be met a second time.
        let mut left = depth(&channel, &aside).await?;
        let mut replayed = 0;
        while left > 0 {
            let mut chosen = Vec::new();
            while chosen.len() < BATCH && left > 0 {
                left -= 1;
                let Some(delivery) = get(&channel, &aside).await? else { break };
                if id.is_none_or(|id| wire::id(&delivery.properties) == id) {
                    chosen.push(delivery);
                }
            }
            let letters: Vec<_> = chosen.iter().map(|delivery| afresh(&queue, delivery)).collect();
            self.send_aside(&letters).await?;
            for delivery in &chosen {
                let told = channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default());
                timeout(PATIENCE, told).await.map_err(|_| away())??;
            }
            replayed += chosen.len() as u64;
        }
        close(&channel).await?;
        Ok(replayed)
    }

    async fn purge(&self, consumer: &str) -> Result<u64, Error> {
        let channel = self.taking.channel().await?;
        let aside = self.topology.aside(consumer);
        let purged = channel.queue_purge(aside.as_str().into(), QueuePurgeOptions::default());
        Ok(u64::from(timeout(PATIENCE, purged).await.map_err(|_| away())??))
    }
}

impl RabbitQueue {
    /// Waits until what was shown is in its queue again, which a quorum queue does behind the end of the channel: who replays
    /// it next must find it. Another may have taken it meanwhile, so not for ever.
    async fn given_back(&self, queue: &str, there: u64) -> Result<(), Error> {
        let channel = self.taking.channel().await?;
        for _ in 0..LOOKS {
            if depth(&channel, queue).await? >= there {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        close(&channel).await
    }
}

fn afresh(queue: &str, delivery: &Delivery) -> Letter {
    Letter {
        exchange: String::new(),
        key: queue.to_owned(),
        properties: wire::afresh(&delivery.properties),
        payload: delivery.data.clone(),
        mandatory: true,
    }
}

/// How many messages wait in a queue.
pub(super) async fn depth(channel: &Channel, queue: &str) -> Result<u64, Error> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(queue.into(), options, FieldTable::default());
    let found = timeout(PATIENCE, asked).await.map_err(|_| away())??;
    Ok(u64::from(found.message_count()))
}

async fn get(channel: &Channel, queue: &str) -> Result<Option<Delivery>, Error> {
    let next = channel.basic_get(queue.into(), BasicGetOptions::default());
    let next = timeout(PATIENCE, next).await.map_err(|_| away())??;
    Ok(next.map(|message| message.delivery))
}

/// Closes a channel: what was got on it and not acknowledged is back in its queue when this is done.
async fn close(channel: &Channel) -> Result<(), Error> {
    timeout(PATIENCE, channel.close(200, "OK".into())).await.map_err(|_| away())??;
    Ok(())
}
