//! `yeyak queue`, and a queue that is away.

use yeyak_server::backend::queue::Message;
use yeyak_server::config::Sources;
use yeyak_server::kit::Kit;
use yeyak_services::{Rabbit, unique};

use super::*;

const CONSUMER: &str = "payment-webhook";

/// The configuration of a shell's installation, with a queue.
fn with_queue(shell: &Shell, url: &str, prefix: &str) -> Config {
    let free = "127.0.0.1:0";
    let sources = Sources::read(None).with("data", shell.data()).with("listen", free).with("http", free);
    let sources = sources.with("metrics", "").with("password.memory_kib", 8);
    sources.with("queue", url).with("queue_prefix", prefix).config().expect("a configuration")
}

/// News of a webhook that nobody can read.
fn torn(kit: &Kit) -> Message {
    let now = kit.clock.now();
    Message {
        id: kit.ids.uuid(now),
        kind: "yeyak.payment.v1.WebhookReceived".to_owned(),
        aggregate: kit.ids.uuid(now),
        version: 1,
        actor: "a test".to_owned(),
        trace: String::new(),
        payload: b"torn".to_vec(),
        create_time: now,
    }
}

/// Has three messages put aside; their ids.
async fn put_aside(config: Config) -> Vec<String> {
    let platform = Platform::open(config, World::default()).await.expect("opens");
    let messages = [torn(&platform.kit), torn(&platform.kit), torn(&platform.kit)];
    platform.queue.publish(&messages).await.expect("publishes");
    platform.settle().await.expect("settles");
    messages.iter().map(|message| message.id.to_string()).collect()
}

/// What an operator does, with the queue given by these words before each command.
async fn what_was_put_aside_is_shown_replayed_and_purged(shell: &Shell, config: Config, file: &[&str]) {
    let ids = put_aside(config.clone()).await;
    let run = async |words: &[&str]| shell.run(&[file, &["queue"], words].concat()).await;

    let list = run(&["list", "--json"]).await.ok().json();
    let table = run(&["show", CONSUMER]).await.ok();
    let shown = run(&["show", CONSUMER, "--json"]).await.ok().json();
    let none = run(&["replay", CONSUMER, "--id", "no-such-id"]).await;
    let one = run(&["replay", CONSUMER, "--id", &ids[1], "--json"]).await.ok().json();
    let left = run(&["list", "--json"]).await.ok().json();
    let rest = run(&["replay", CONSUMER]).await.ok();
    Platform::open(config, World::default()).await.expect("opens").settle().await.expect("settles");
    let unknown = run(&["show", "payment-webhok"]).await;
    let unasked = run(&["purge", CONSUMER]).await;
    let purged = run(&["purge", CONSUMER, "--yes", "--json"]).await.ok().json();
    let empty = run(&["show", CONSUMER]).await.ok();

    assert_eq!(list["queues"][0]["consumer"], CONSUMER);
    assert_eq!(
        (&list["queues"][0]["aside"], &list["queues"][0]["waiting"], &list["delayed"]),
        (&3.into(), &0.into(), &0.into())
    );
    assert!(ids.iter().all(|id| table.out.contains(id)) && table.out.contains("can't be read"), "{table:?}");
    assert_eq!(shown.as_array().map(Vec::len), Some(3));
    assert_eq!(shown[0]["failures"], 1);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.err.contains("no-such-id"), "{none:?}");
    assert_eq!(one["replayed"], 1);
    assert_eq!((&left["queues"][0]["aside"], &left["queues"][0]["waiting"]), (&2.into(), &1.into()));
    assert!(rest.out.contains("is given 2 again"), "{rest:?}");
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("did you mean `payment-webhook`?"), "{unknown:?}");
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert!(unasked.err.contains("--yes"), "{unasked:?}");
    assert_eq!(purged["purged"], 3, "what is still torn was put aside again");
    assert!(empty.out.contains("nothing was put aside"), "{empty:?}");
}

#[tokio::test]
async fn what_was_put_aside_in_the_table_is_shown_replayed_and_purged() {
    let shell = Shell::new();
    what_was_put_aside_is_shown_replayed_and_purged(&shell, with_queue(&shell, "database", "yeyak"), &[]).await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ: .ci/run"]
async fn what_was_put_aside_in_rabbit_is_shown_replayed_and_purged() {
    let (shell, prefix) = (Shell::new(), unique("cli"));
    let url = Rabbit::shared().url();
    let file = shell.folder.path().join("queue.toml");
    std::fs::write(&file, format!("queue = \"{url}\"\nqueue_prefix = \"{prefix}\"\n")).expect("writes");
    let file = file.display().to_string();
    let config = with_queue(&shell, &url, &prefix);
    what_was_put_aside_is_shown_replayed_and_purged(&shell, config, &["--config", &file]).await;
}

#[tokio::test]
async fn a_table_in_use_is_looked_at_and_not_changed() {
    let (shell, server) = Shell::serving().await;

    let list = shell.run(&["queue", "list"]).await.ok();
    let purge = shell.run(&["queue", "purge", CONSUMER, "--yes"]).await;

    assert!(list.out.contains(CONSUMER), "{list:?}");
    assert_eq!(purge.code, Some(1), "{purge:?}");
    assert!(purge.err.contains("a server is running"), "{purge:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_away_is_told_by_health_and_keeps_no_server_from_serving() {
    let mut shell = Shell::new();
    // Nobody listens there.
    let server = shell.serve_as(with_queue(&shell, "amqp://guest:guest@127.0.0.1:9", "yeyak")).await;

    let all = shell.run(&["health", "--json"]).await.ok().json();
    let queue = shell.run(&["health", "queue"]).await;
    let signed_up = shell.run(&["call", SIGN_UP, &sign_up("member@example.kr")]).await;

    let of = |name: &str| all.as_array().and_then(|all| all.iter().find(|one| one["service"] == name)).expect("listed");
    assert_eq!((&of("queue")["status"], &of("")["status"]), (&"NOT_SERVING".into(), &"SERVING".into()));
    assert_eq!(queue.code, Some(1), "{queue:?}");
    signed_up.ok();
    server.stop().await;
}
