//! Follows what the sentinels say of the master. After a planned failover the old master takes writes for some ten seconds
//! more, and loses them: who is not told keeps writing there.

use fred::clients::SubscriberClient;
use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::RespVersion;
use fred::types::config::{Config, ServerConfig};
use tokio::sync::broadcast::Sender;

use crate::error::Error;

const CHANNEL: &str = "+switch-master";

/// One sentinel.
pub(super) struct Sentinel {
    pub(super) client: SubscriberClient,
    master: String,
}

/// A connection to each sentinel, since any of them may be the one that is left.
pub(super) fn clients(config: &Config) -> Result<Vec<Sentinel>, Error> {
    let ServerConfig::Sentinel { hosts, service_name, username, password } = &config.server else {
        return Ok(Vec::new());
    };
    let sentinel = |host: &fred::types::config::Server| {
        let own = Config {
            server: ServerConfig::Centralized { server: host.clone() },
            username: username.clone(),
            password: password.clone(),
            database: None,
            version: RespVersion::RESP2,
            ..config.clone()
        };
        let client = super::builder(&own).build_subscriber_client().map_err(Error::internal)?;
        Ok(Sentinel { client, master: service_name.clone() })
    };
    hosts.iter().map(sentinel).collect()
}

/// Tells of each other master, for as long as somebody listens.
pub(super) async fn follow(sentinel: Sentinel, switched: Sender<()>) {
    let Sentinel { client, master } = sentinel;
    let mut connected = client.reconnect_rx();
    let mut messages = client.message_rx();
    loop {
        tokio::select! {
            server = connected.recv() => {
                let Ok(_) = server else { continue };
                if let Err(error) = client.subscribe(CHANNEL).await {
                    tracing::warn!("a sentinel can't be listened to: {error}");
                }
            }
            message = messages.recv() => {
                let Ok(message) = message else { continue };
                let text = message.value.into_string().unwrap_or_default();
                if text.split(' ').next() == Some(&*master) {
                    // Nobody listens once the connections have ended.
                    _ = switched.send(());
                }
            }
        }
    }
}
