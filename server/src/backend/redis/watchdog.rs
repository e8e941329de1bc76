//! Watches over one connection: asks it for a sign of life, and has it made anew when there is none or another master leads.
//!
//! The client would never notice a master that hangs: under a steady load each write counts as a sign of life to it.

use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::types::Value;
use fred::types::config::Options;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval, timeout};

const EVERY: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_millis(300);
const MISSES: u32 = 2;
/// How long a connection may take to be given up: its own end is not waited for.
const GIVE_UP: Duration = Duration::from_secs(1);

const CONNECTED: &str = "yeyak_redis_connected";
const HUNG: &str = "yeyak_redis_hung_connections_total";

pub(super) async fn watch(client: impl ClientLike, name: &'static str, mut switched: broadcast::Receiver<()>) {
    describe_gauge!(CONNECTED, "1 while a connection to Redis stands, by what it is for.");
    describe_counter!(HUNG, "Connections to Redis that were made anew because Redis gave no sign of life.");
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut misses, mut was_connected) = (0, false);
    loop {
        let told = tokio::select! {
            told = switched.recv() => !matches!(told, Err(broadcast::error::RecvError::Closed)),
            _ = ticks.tick() => false,
        };
        if told {
            // Whoever lags behind has missed a newer word of the same.
            tracing::info!("another Redis leads: the connection for {name} is made anew");
            renew(&client).await;
            continue;
        }
        let connected = client.is_connected();
        if connected != was_connected {
            was_connected = connected;
            gauge!(CONNECTED, "connection" => name).set(f64::from(u8::from(connected)));
            match connected {
                true => tracing::info!("connected to Redis for {name}"),
                false => {
                    tracing::warn!("the connection to Redis for {name} was lost, and is tried again until it stands")
                }
            }
        }
        if !connected || is_alive(&client).await {
            misses = 0;
            continue;
        }
        misses += 1;
        if misses >= MISSES {
            misses = 0;
            counter!(HUNG, "connection" => name).increment(1);
            tracing::warn!("Redis gives no sign of life: the connection for {name} is made anew");
            renew(&client).await;
        }
    }
}

/// Whether every server that the connection leads to answers.
async fn is_alive(client: &impl ClientLike) -> bool {
    let nodes = match client.is_clustered() {
        true => client.active_connections().into_iter().map(Some).collect(),
        false => vec![None],
    };
    for cluster_node in nodes {
        let options = Options { max_attempts: Some(1), timeout: Some(ANSWER), cluster_node, ..Options::default() };
        let asked = client.with_options(&options);
        let answer = timeout(ANSWER, asked.ping::<Value>(None)).await;
        if !matches!(answer, Ok(Ok(_))) {
            return false;
        }
    }
    true
}

async fn renew(client: &impl ClientLike) {
    if let Ok(Err(error)) = timeout(GIVE_UP, client.force_reconnection()).await {
        tracing::debug!("a connection to Redis could not be given up: {error}");
    }
}
