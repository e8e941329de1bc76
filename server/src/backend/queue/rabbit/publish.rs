//! Messages sent, and the broker's word that it has them.

use std::time::Duration;

use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::timeout;

use super::link::away;
use super::topology::Topology;
use super::wire;
use crate::backend::queue::Message;
use crate::error::Error;

/// How many messages are on their way at the same time.
const IN_FLIGHT: usize = 500;
/// How long the broker may take for as many: through an outage it says nothing at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message and where it goes.
pub(super) struct Letter {
    /// The exchange; the default one when it is empty.
    pub(super) exchange: String,
    pub(super) key: String,
    pub(super) properties: BasicProperties,
    pub(super) payload: Vec<u8>,
    /// Whether it is refused where there is no queue for it: otherwise the broker confirms it, and drops it.
    pub(super) mandatory: bool,
}

impl Letter {
    /// An event to all who take it: perhaps a newer release alone, whose queues are bound to what this one knows nothing of.
    pub(super) fn of(message: &Message, topology: &Topology) -> Self {
        Self {
            exchange: topology.events(),
            key: message.kind.clone(),
            properties: wire::properties(message),
            payload: message.payload.clone(),
            mandatory: topology.takes(&message.kind),
        }
    }
}

/// The channel, once the broker confirms what is published on it.
pub(super) async fn confirmed(channel: Channel) -> Result<Channel, Error> {
    timeout(PATIENCE, channel.confirm_select(ConfirmSelectOptions::default())).await.map_err(|_| away())??;
    Ok(channel)
}

/// Sends letters in order. Done means that the broker keeps them all; after a failure it may have some, and the channel is
/// of no use any more, since what it still has to say is about these.
pub(super) async fn send(channel: &Channel, letters: &[Letter]) -> Result<(), Error> {
    for letters in letters.chunks(IN_FLIGHT) {
        timeout(PATIENCE, send_some(channel, letters)).await.map_err(|_| away())??;
    }
    Ok(())
}

async fn send_some(channel: &Channel, letters: &[Letter]) -> Result<(), Error> {
    let mut confirms = Vec::with_capacity(letters.len());
    for letter in letters {
        let options = BasicPublishOptions { mandatory: letter.mandatory, ..BasicPublishOptions::default() };
        let (exchange, key) = (letter.exchange.as_str().into(), letter.key.as_str().into());
        let properties = letter.properties.clone();
        confirms.push(channel.basic_publish(exchange, key, options, &letter.payload, properties).await?);
    }
    for confirm in confirms {
        match confirm.await? {
            Confirmation::Ack(None) => {}
            Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => return Err(refused(&returned)),
            // A queue whose leader is being elected, for one: it may go better in a moment.
            Confirmation::Nack(None) => return Err(away()),
            Confirmation::NotRequested => return Err(Error::internal("RabbitMQ confirms nothing on this channel")),
        }
    }
    Ok(())
}

fn refused(returned: &BasicReturnMessage) -> Error {
    let (key, why) = (&returned.delivery.routing_key, &returned.reply_text);
    Error::internal(format!("RabbitMQ has no queue for {key}: {why}"))
}
