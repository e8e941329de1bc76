//! The bus of all processes on a Redis: one channel, on which each says what has changed, and one connection that listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::{Message, Value};
use metrics::{counter, describe_counter};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};
use uuid::Uuid;

use super::{Bus, MemoryBus, Subscription};
use crate::backend::redis::{Redis, Tasks};
use crate::error::Error;

/// How many changes may wait to be told; with more, everybody is woken instead.
const WAITING: usize = 4_096;
/// How many changes are told at once.
const TOGETHER: usize = 256;
/// How long to wait before everybody is woken in the other processes, after what could not be told.
const AGAIN: Duration = Duration::from_secs(1);
/// How often everybody is woken in this one while nothing can be heard.
const DEAF: Duration = Duration::from_secs(5);

const WAKES: &str = "yeyak_bus_wakes_of_all_total";

/// Watchers in all processes.
#[derive(Debug)]
pub struct RedisBus {
    own: MemoryBus,
    changes: mpsc::Sender<Uuid>,
    /// Whether something was not told to the other processes.
    untold: Arc<AtomicBool>,
    _tasks: Tasks,
}

impl RedisBus {
    /// Over a connection, and one more that listens.
    pub fn new(redis: Redis) -> Result<Self, Error> {
        describe_counter!(WAKES, "How often every watcher was woken, since something may not have been told.");
        let channel = redis.key("bus", "", "");
        // Not of the ids that are passed in: two processes of one test may be given the same.
        let process = Uuid::from_u128(rand::random());
        let own = MemoryBus::default();
        let untold = Arc::new(AtomicBool::new(false));
        let (changes, waiting) = mpsc::channel(WAITING);
        let mut tasks = Tasks::default();
        let client = redis.listener("bus", &mut tasks)?;
        tasks.add(&tokio::spawn(hear(client.clone(), channel.clone(), process, own.clone())));
        tasks.add(&client.connect());
        tasks.add(&tokio::spawn(tell(redis, channel, process, waiting, untold.clone())));
        Ok(Self { own, changes, untold, _tasks: tasks })
    }
}

impl Bus for RedisBus {
    fn publish(&self, thing: Uuid) {
        self.own.publish(thing);
        if self.changes.try_send(thing).is_err() {
            self.untold.store(true, Ordering::Release);
        }
    }

    fn subscribe(&self, thing: Uuid) -> Box<dyn Subscription> {
        self.own.subscribe(thing)
    }

    fn look_every(&self) -> Duration {
        // What was not told wakes everybody: this is for what nobody thought of.
        Duration::from_secs(60)
    }
}

/// Tells the others, for as long as there is a bus. A message is who tells it, then what has changed: nothing, for anything.
async fn tell(
    redis: Redis,
    channel: String,
    process: Uuid,
    mut waiting: mpsc::Receiver<Uuid>,
    untold: Arc<AtomicBool>,
) {
    let mut things = Vec::with_capacity(TOGETHER);
    loop {
        things.clear();
        if untold.load(Ordering::Acquire) {
            // What waits is told by the waking of all.
            sleep(AGAIN).await;
            while waiting.try_recv().is_ok() {}
        } else if waiting.recv_many(&mut things, TOGETHER).await == 0 {
            return;
        }
        if untold.swap(false, Ordering::AcqRel) {
            things.clear();
        }
        let message: Vec<u8> = std::iter::once(&process).chain(&things).flat_map(Uuid::as_bytes).copied().collect();
        let (channel, message) = (channel.clone(), Bytes::from(message));
        let told = redis.call(|client| async move { client.publish::<Value, _, _>(channel, message).await }).await;
        if let Err(error) = told {
            tracing::debug!("other processes could not be told of a change, and are told again: {error}");
            untold.store(true, Ordering::Release);
        }
    }
}

/// Hears the others. Each new connection must be subscribed anew, and what was said meanwhile was missed.
async fn hear(client: SubscriberClient, channel: String, process: Uuid, own: MemoryBus) {
    let mut connected = client.reconnect_rx();
    let mut messages = client.message_rx();
    let mut ticks = interval(DEAF);
    let wake_all = || {
        counter!(WAKES).increment(1);
        own.wake_all();
    };
    loop {
        tokio::select! {
            server = connected.recv() => {
                if matches!(server, Err(RecvError::Closed)) {
                    return;
                }
                if let Err(error) = client.subscribe(channel.clone()).await {
                    tracing::warn!("the bus can't be heard, and is tried again: {error}");
                    renew(&client).await;
                }
                wake_all();
            }
            message = messages.recv() => match message {
                Ok(message) => {
                    if !hear_one(&message, process, &own) {
                        wake_all();
                    }
                }
                Err(RecvError::Lagged(_)) => wake_all(),
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => {
                if !client.is_connected() {
                    wake_all();
                }
            }
        }
    }
}

/// Makes the connection anew; that it stands is told as of any other.
async fn renew(client: &SubscriberClient) {
    if let Ok(Err(error)) = tokio::time::timeout(AGAIN, client.force_reconnection()).await {
        tracing::debug!("the connection of the bus could not be given up: {error}");
    }
}

/// Wakes those who watch what a message tells of; false when that is not known.
fn hear_one(message: &Message, process: Uuid, own: &MemoryBus) -> bool {
    let Some(bytes) = message.value.as_bytes() else { return false };
    let mut things = bytes.chunks_exact(16).filter_map(|bytes| Uuid::from_slice(bytes).ok());
    if things.next() == Some(process) {
        return true;
    }
    let told = bytes.len() > 16;
    things.for_each(|thing| own.publish(thing));
    told
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::timeout;
    use uuid::Uuid;

    use super::super::suite::{self, bus_suite, told};
    use super::super::{Bus, Subscription};
    use super::{RedisBus, WAITING};
    use crate::backend::redis::Redis;

    const THING: Uuid = Uuid::from_u128(42);

    /// The bus as two processes have it, once each hears the other.
    async fn two_processes(redis: &Redis) -> (Arc<dyn Bus>, Arc<dyn Bus>) {
        let bus = || -> Arc<dyn Bus> { Arc::new(RedisBus::new(redis.clone()).expect("a bus")) };
        let (one, other) = (bus(), bus());
        for (from, to) in [(&one, &other), (&other, &one)] {
            hears(from, to).await;
        }
        (one, other)
    }

    /// Waits until what the one tells reaches the other.
    async fn hears(from: &Arc<dyn Bus>, to: &Arc<dyn Bus>) {
        let thing = Uuid::from_u128(rand::random());
        let mut watch = to.subscribe(thing);
        // A new connection wakes everybody, which may come first: the last of several is by what was told.
        let mut woken = 0;
        while woken < 5 {
            from.publish(thing);
            woken += usize::from(timeout(Duration::from_millis(100), watch.changed()).await.is_ok());
        }
    }

    bus_suite!(
        needs Redis: two_processes(&Redis::for_test().await).await
    );

    /// Guard: every watcher is woken once the connection stands again.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn watchers_are_woken_while_redis_is_away_and_when_it_is_back() {
        let mut server = yeyak_services::Redis::start();
        let redis = Redis::for_test_at(&server.url()).await;
        let (one, other) = two_processes(&redis).await;
        let mut watch = other.subscribe(THING);
        one.publish(THING);
        told(&mut watch).await;

        server.kill();
        one.publish(THING);
        told(&mut watch).await;
        told(&mut watch).await;
        server.start_again();
        hears(&one, &other).await;
        hears(&other, &one).await;

        drain(&mut watch).await;
        one.publish(THING);
        told(&mut watch).await;
    }

    /// Takes what was told so far.
    async fn drain(watch: &mut Box<dyn Subscription>) {
        while watch.changed().now_or_never().is_some() {}
    }

    /// Guard: what can't wait to be told wakes everybody instead.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn more_changes_than_can_wait_wake_everybody() {
        let redis = Redis::for_test().await;
        let (one, other) = two_processes(&redis).await;
        let mut watch = other.subscribe(THING);

        // Nothing is sent meanwhile: this thread is the only one.
        for thing in 0..WAITING {
            one.publish(Uuid::from_u128(1_000_000 + thing as u128));
        }
        one.publish(THING);

        told(&mut watch).await;
    }
}
