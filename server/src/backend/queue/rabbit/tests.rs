//! RabbitMQ: the suite of queues, and what only a broker can do wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::options::BasicPublishOptions;
use lapin::uri::AMQPUri;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use yeyak_services::{Rabbit, unique};

use super::*;
use crate::backend::queue::suite::{
    Elapsed, PATIENCE, Probe, Stage, effects, message, messages, only, other, put, queue_suite, take_until,
};
use crate::backend::queue::{Operate, Relay};
use crate::error::Unavailable;
use crate::harness::Harness;
use crate::kit::crash::How;

queue_suite!(OnRabbit::new().await, [ignore = "needs RabbitMQ: .ci/run"]);

/// A broker, under a prefix of its own, and the kit of a harness.
struct OnRabbit {
    harness: Harness,
    uri: AMQPUri,
    prefix: String,
}

impl OnRabbit {
    async fn new() -> Self {
        Self::at(&Rabbit::shared().url()).await
    }

    async fn at(url: &str) -> Self {
        let harness = Harness::new().await;
        effects(&harness.kit).await;
        Self { harness, uri: url.parse().unwrap(), prefix: unique("queue") }
    }

    fn rabbit(&self, consumers: &[Arc<dyn Consumer>]) -> Arc<RabbitQueue> {
        let (kit, uri) = (self.harness.kit.clone(), self.uri.clone());
        Arc::new(RabbitQueue::open(kit, uri, &self.prefix, self.delays(), consumers))
    }

    /// A queue whose connections are there. Many at once, each declaring its topology, may take a slow machine longer than who
    /// needs a connection waits for one.
    async fn connected(&self, consumers: &[Arc<dyn Consumer>]) -> Arc<RabbitQueue> {
        let queue = self.rabbit(consumers);
        for link in [&queue.publishing, &queue.taking] {
            timeout(PATIENCE, link.reach().wait_for(|reached| *reached)).await.expect("in time").unwrap();
        }
        queue
    }
}

impl Stage for OnRabbit {
    fn kit(&self) -> &Kit {
        &self.harness.kit
    }

    async fn open(&self, consumers: &[Arc<dyn Consumer>]) -> Arc<dyn Queue> {
        self.connected(consumers).await
    }

    fn elapsed(&self) -> Elapsed {
        Elapsed::Real(Instant::now())
    }

    async fn wait(&self) {
        // The delays are the broker's, whose clock is not ours to move.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn reached(queue: &RabbitQueue, wanted: bool) {
    let mut reach = queue.reach().unwrap();
    timeout(PATIENCE, reach.wait_for(|reached| *reached == wanted)).await.expect("in time").unwrap();
}

fn is_away(error: &Error) -> bool {
    error.fault::<Unavailable>().is_some_and(|away| away.what == "RabbitMQ")
}

/// Guard: `mandatory`, without which the broker confirms what it drops.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn what_has_lost_its_queue_is_refused_until_the_queue_is_made_again() {
    let stage = OnRabbit::new().await;
    let probe = Probe::new(&stage);
    let queue = stage.connected(&only(&probe)).await;
    queue.publish(&messages(1)).await.unwrap();
    let name = queue.topology.queue(probe.name());
    let channel = queue.publishing.channel().await.unwrap();
    channel.queue_delete(name.as_str().into(), Default::default()).await.unwrap();

    let refused = queue.publish(&[message(2, 1)]).await.expect_err("there is no queue");
    assert!(refused.to_string().contains("no queue"), "{refused}");

    let again = async {
        while queue.publish(&[message(3, 1)]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("the queue is made again");
    take_until(&stage, &*queue, &*probe, || probe.takes() == 1).await;
}

/// Guard: who takes messages has another connection than what is published, which the broker no longer listens to.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn a_broker_short_of_memory_is_taken_from_though_it_takes_nothing() {
    let broker = Rabbit::start();
    let stage = OnRabbit::at(&broker.url()).await;
    let probe = Probe::new(&stage);
    let queue = stage.connected(&only(&probe)).await;
    queue.publish(&messages(3)).await.unwrap();
    broker.control(&["set_vm_memory_high_watermark", "0"]);
    let refused = queue.publish(&[message(4, 1)]).await.expect_err("it takes nothing");
    assert!(is_away(&refused), "{refused}");

    assert_eq!(queue.consume_due(&*probe).await.unwrap(), 3);
    assert_eq!(queue.consume_due(&*probe).await.unwrap(), 0, "they were acknowledged");

    broker.control(&["set_vm_memory_high_watermark", "0.6"]);
    let again = async {
        while queue.publish(&[message(5, 1)]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("it takes again");
}

/// Guard: every kind of event is published, whoever takes it.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn an_older_release_publishes_what_a_newer_one_alone_takes() {
    let stage = OnRabbit::new().await;
    let newer_probe = Arc::new(Probe::plain(&stage, "newer").taking(other()));
    let older = stage.connected(&only(&Probe::new(&stage))).await;
    let newer = stage.connected(&only(&newer_probe)).await;

    older.publish(&[Message { kind: other(), ..message(1, 1) }]).await.unwrap();

    take_until(&stage, &*newer, &*newer_probe, || newer_probe.takes() == 1).await;
    assert_eq!(newer_probe.effects().await, 1);
}

/// Guard: a foreign message is put aside by itself, with the rest of its batch kept.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn what_nobody_can_read_is_put_aside_with_the_rest_kept() {
    let stage = OnRabbit::new().await;
    let probe = Arc::new(Probe::plain(&stage, "probe").batches_of(10));
    let queue = stage.connected(&only(&probe)).await;
    queue.publish(&[message(1, 1)]).await.unwrap();
    let channel = queue.publishing.channel().await.unwrap();
    let (name, options) = (queue.topology.queue(probe.name()), BasicPublishOptions::default());
    let sent = channel.basic_publish("".into(), name.as_str().into(), options, b"hello", Default::default()).await;
    sent.unwrap().await.unwrap();
    queue.publish(&[message(2, 1)]).await.unwrap();

    take_until(&stage, &*queue, &*probe, || probe.seen() == 2).await;

    take_until(&stage, &*queue, &*probe, || true).await;
    let aside = queue.show(probe.name(), 10).await.unwrap();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(aside[0].error.contains("type"), "{aside:?}");
    assert_eq!(probe.effects().await, 2);
}

/// Guard: the inbox. Behind the crash there are two copies of the message, one in a delay queue.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn a_crash_between_the_next_try_and_the_acknowledgement_is_one_effect() {
    let stage = OnRabbit::new().await;
    let probe = Probe::new(&stage);
    let queue = stage.connected(&only(&probe)).await;
    probe.poison(message(1, 1).id);
    queue.publish(&[message(1, 1)]).await.unwrap();
    stage.kit().crash.arm("queue.sent_on", How::Error);

    assert!(queue.consume_due(&*probe).await.is_err());
    probe.heal();
    take_until(&stage, &*queue, &*probe, || probe.takes() == 3).await;

    assert_eq!(probe.effects().await, 1);
}

/// Guard: the limit of deliveries, which counts what ends the process before it could count a failure.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn a_message_that_ends_its_process_each_time_is_put_aside_by_the_broker() {
    let stage = OnRabbit::new().await;
    let probe = Probe::new(&stage);
    let queue = stage.connected(&only(&probe)).await;
    queue.publish(&[message(1, 1)]).await.unwrap();

    let name = probe.name();
    let ending = async {
        while queue.show(name, 1).await.unwrap().is_empty() {
            stage.kit().crash.arm("queue.taken", How::Error);
            if queue.consume_due(&*probe).await.is_ok() {
                stage.wait().await;
            }
        }
    };
    timeout(PATIENCE, ending).await.expect("the broker puts it aside");

    let aside = queue.show(name, 10).await.unwrap();
    assert!(aside[0].error.contains("delivery_limit"), "{aside:?}");
    assert_eq!(queue.replay(name, None).await.unwrap(), 1);
}

/// Guard: the keeper of the connection, which tries for ever.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn a_broker_that_is_absent_at_the_start_is_found_later() {
    let mut broker = Rabbit::start();
    broker.kill();
    let stage = OnRabbit::at(&broker.url()).await;
    let probe = Probe::new(&stage);
    let queue = stage.rabbit(&only(&probe));
    let relay = Relay::new(stage.kit().clone(), queue.clone());
    put(stage.kit(), Uuid::from_u128(1), 1).await;

    let refused = relay.publish_due().await.expect_err("nobody listens");
    assert!(is_away(&refused), "{refused}");
    assert!(!*queue.reach().unwrap().borrow());

    broker.start_again();
    reached(&queue, true).await;
    assert_eq!(relay.publish_due().await.unwrap(), 1);
    take_until(&stage, &*queue, &*probe, || probe.takes() == 1).await;
    broker.stop();
    reached(&queue, false).await;
}

/// Guards: the confirms, without which a message given to nobody counts as published; and the heartbeat, since the connection
/// of a hung broker stays open.
#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn a_hung_broker_is_noticed() {
    let broker = Rabbit::start();
    let stage = OnRabbit::at(&broker.url()).await;
    let probe = Probe::new(&stage);
    let queue = stage.connected(&only(&probe)).await;

    broker.hang();
    let began = Instant::now();
    let refused = queue.publish(&messages(1)).await.expect_err("nobody answers");
    assert!(is_away(&refused), "{refused}");
    reached(&queue, false).await;
    println!("a hung broker was noticed after {:.1} s", began.elapsed().as_secs_f64());
    assert!(began.elapsed() < Duration::from_secs(15));

    broker.go_on();
    reached(&queue, true).await;
    queue.publish(&messages(1)).await.unwrap();
    take_until(&stage, &*queue, &*probe, || probe.takes() >= 1).await;
    assert_eq!(probe.effects().await, 1);
}

/// Guards: the inbox (nothing doubled) and the recovery (it goes on by itself). That nothing is lost rests on the confirms,
/// which the hung broker asks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn a_broker_killed_while_publishing_and_consuming_loses_and_doubles_nothing() {
    const EVENTS: i64 = 3000;
    let mut broker = Rabbit::start();
    let stage = OnRabbit::at(&broker.url()).await;
    let probe = Arc::new(Probe::plain(&stage, "probe").batches_of(20));
    let queue = stage.connected(&only(&probe)).await;
    // The broker writes down a little later which quorum queues it has: one that was declared less than a second before a kill
    // answers nobody afterwards, here with 3.10.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stop = CancellationToken::new();
    let relaying = tokio::spawn({
        let (relay, stop) = (Relay::new(stage.kit().clone(), queue.clone()), stop.clone());
        async move { relay.run(stop).await }
    });
    let consuming = tokio::spawn({
        let (queue, probe, stop) = (queue.clone(), probe.clone(), stop.clone());
        async move { queue.consume(probe, stop).await }
    });
    // With a clock that stands still, a claim that could be neither settled nor given up would never run out.
    let clock = stage.harness.clock.clone();
    let ticking = tokio::spawn(async move {
        let tick = Duration::from_millis(100);
        loop {
            tokio::time::sleep(tick).await;
            clock.advance(chrono::TimeDelta::from_std(tick).unwrap());
        }
    });
    let kit = stage.kit().clone();
    let putting = tokio::spawn(async move {
        for event in 0..EVENTS {
            put(&kit, Uuid::from_u128(event.unsigned_abs() as u128 % 50), event / 50 + 1).await;
        }
    });

    for kill in 1..=2 {
        probe.until(|| probe.different() > kill * 600).await;
        let killed = Instant::now();
        broker = tokio::task::spawn_blocking(move || {
            broker.kill();
            broker.start_again();
            broker
        })
        .await
        .unwrap();
        let before = probe.different();
        let up = killed.elapsed();
        probe.until(|| probe.different() > before || probe.different() as i64 == EVENTS).await;
        println!("kill {kill}: broker up after {up:.1?}, messages again after {:.1?}", killed.elapsed());
    }
    putting.await.unwrap();
    probe.until(|| probe.different() as i64 == EVENTS).await;
    let empty = async {
        while queue.list().await.is_ok_and(|listing| listing.queues[0].waiting_count > 0) {
            stage.wait().await;
        }
    };
    timeout(PATIENCE, empty).await.unwrap();
    stop.cancel();
    relaying.await.unwrap();
    consuming.await.unwrap();
    ticking.abort();

    println!("{} messages came, {EVENTS} events", probe.seen());
    assert_eq!(probe.effects().await, EVENTS);
    assert_eq!(queue.show("probe", 10).await.unwrap(), []);
}
