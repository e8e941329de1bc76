//! Messages taken from the queue of a consumer.

use std::time::Duration;

use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::RabbitQueue;
use super::link::away;
use super::operate::depth;
use crate::backend::queue::Consumer;
use crate::error::Error;

/// How many messages wait in this process for a consumer that takes one at a time.
const AHEAD: usize = 16;
/// How long the first message of a batch waits for others.
const GATHER: Duration = Duration::from_millis(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the broker may take to hand over one message.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a consumer waits for a message before it looks whether any waits for it.
const LOOK: Duration = Duration::from_secs(2);
/// At how many looks in a row messages may wait that are not handed over.
const LOOKS: u32 = 2;
/// The most messages in hand when what is due is taken once.
const AT_ONCE: usize = 1000;

impl RabbitQueue {
    /// Gives messages to a consumer over one channel after another, until it is told to stop.
    pub(super) async fn consume_until(&self, consumer: &dyn Consumer, stop: &CancellationToken) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let mut took = false;
            match self.session(consumer, stop, &mut took).await {
                Ok(()) => return,
                Err(error) => tracing::debug!("{} has to begin again with its queue: {error}", consumer.name()),
            }
            pause = if took { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::select! { () = sleep(pause) => {} () = stop.cancelled() => {} }
        }
    }

    /// Takes messages until it is told to stop, or something fails; what is in hand then comes again.
    async fn session(&self, consumer: &dyn Consumer, stop: &CancellationToken, took: &mut bool) -> Result<(), Error> {
        let Some(channel) = stop.run_until_cancelled(self.taking.channel()).await else { return Ok(()) };
        let channel = channel?;
        let size = consumer.batch_size().max(1);
        let ahead = u16::try_from((size * 2).max(AHEAD)).unwrap_or(u16::MAX);
        let queue = self.topology.queue(consumer.name());
        let begin = async {
            // The queue may have been deleted since the connection was made.
            self.topology.declare(&channel).await?;
            channel.basic_qos(ahead, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await
        };
        let mut deliveries = timeout(PATIENCE * 2, begin).await.map_err(|_| away())??;
        let mut withheld = 0;
        loop {
            let first = tokio::select! {
                first = deliveries.next() => first.ok_or_else(|| Error::internal("RabbitMQ ended the consumer"))??,
                () = stop.cancelled() => return Ok(()),
                () = sleep(LOOK) => {
                    // Silence has three reasons: there is nothing, or the channel is dead and nobody said so, or the broker
                    // has forgotten the consumer, as one does that is killed and takes consumers while it still comes up.
                    withheld = if depth(&channel, &queue).await? > 0 { withheld + 1 } else { 0 };
                    if withheld >= LOOKS {
                        tracing::warn!("RabbitMQ hands {} nothing of what waits in its queue; it asks anew", consumer.name());
                        return Err(away());
                    }
                    continue;
                }
            };
            withheld = 0;
            let mut batch = vec![first];
            let enough = tokio::time::Instant::now() + GATHER;
            while batch.len() < size {
                match timeout_at(enough, deliveries.next()).await {
                    Ok(Some(delivery)) => batch.push(delivery?),
                    // The end of the deliveries is met again at the next message.
                    Ok(None) | Err(_) => break,
                }
            }
            self.take(&channel, consumer, &batch).await?;
            *took = true;
        }
    }

    /// Takes what is in the queue of a consumer now.
    pub(super) async fn consume_once(&self, consumer: &dyn Consumer) -> Result<usize, Error> {
        let channel = self.taking.channel().await?;
        let queue = self.topology.queue(consumer.name());
        // All before any is given: what fails comes again, and must not be met a second time.
        let mut due: Vec<Delivery> = Vec::new();
        while due.len() < AT_ONCE {
            let next = channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
            match timeout(PATIENCE, next).await.map_err(|_| away())?? {
                Some(message) => due.push(message.delivery),
                None => break,
            }
        }
        for batch in due.chunks(consumer.batch_size().max(1)) {
            self.take(&channel, consumer, batch).await?;
        }
        Ok(due.len())
    }
}
