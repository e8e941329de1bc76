//! The bus of a single process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Bus, Subscription};

type Topics = Arc<Mutex<HashMap<Uuid, watch::Sender<()>>>>;

/// Watchers in this process.
#[derive(Clone, Debug, Default)]
pub struct MemoryBus {
    topics: Topics,
}

impl MemoryBus {
    /// Wakes everybody: something may have changed.
    pub(super) fn wake_all(&self) {
        for topic in self.topics.lock().expect("nothing panics while it is held").values() {
            topic.send_replace(());
        }
    }
}

struct Watch {
    thing: Uuid,
    receiver: Option<watch::Receiver<()>>,
    topics: Topics,
}

impl Bus for MemoryBus {
    fn publish(&self, thing: Uuid) {
        if let Some(topic) = self.topics.lock().expect("nothing panics while it is held").get(&thing) {
            topic.send_replace(());
        }
    }

    fn subscribe(&self, thing: Uuid) -> Box<dyn Subscription> {
        let mut topics = self.topics.lock().expect("nothing panics while it is held");
        let receiver = topics.entry(thing).or_insert_with(|| watch::channel(()).0).subscribe();
        Box::new(Watch { thing, receiver: Some(receiver), topics: self.topics.clone() })
    }

    fn look_every(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[async_trait]
impl Subscription for Watch {
    async fn changed(&mut self) {
        // The sender lives as long as its topic has a watcher.
        let told = match &mut self.receiver {
            Some(receiver) => receiver.changed().await.is_ok(),
            None => false,
        };
        if !told {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut topics = self.topics.lock().expect("nothing panics while it is held");
        self.receiver = None;
        if topics.get(&self.thing).is_some_and(|topic| topic.receiver_count() == 0) {
            topics.remove(&self.thing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::suite::{self, bus_suite};
    use super::*;

    async fn one_process() -> (Arc<dyn Bus>, Arc<dyn Bus>) {
        let bus = Arc::new(MemoryBus::default());
        (bus.clone(), bus)
    }

    bus_suite!(one_process().await);

    #[tokio::test]
    async fn a_watcher_is_told_of_what_happened_since_it_began_and_leaves_nothing_behind() {
        let bus = MemoryBus::default();
        let thing = Uuid::from_u128(1);
        let mut watch = bus.subscribe(thing);
        let other = bus.subscribe(thing);

        bus.publish(thing);
        bus.publish(Uuid::from_u128(2));

        watch.changed().await;
        drop((watch, other));
        assert!(bus.topics.lock().expect("free").is_empty());
    }
}
