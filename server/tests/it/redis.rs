//! What processes tell each other, and count together, through Redis.

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use yeyak::proto::booking::v1::booking::State;
use yeyak_services::{Durability, Postgres, Redis, unique};

use crate::harness::{Installation, PASSWORD};
use crate::place::cancel;
use crate::process::Server;

/// Far less than a watch waits before it looks by itself.
const SOON: Duration = Duration::from_secs(5);

/// Guard: the bus, which tells other processes. Redis going away and coming back changes nothing about that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis: .ci/run"]
async fn a_watch_is_told_of_what_another_process_did() {
    let (postgres, mut redis) = (Postgres::start(Durability::Crash), Redis::start());
    let services = [("redis", redis.url()), ("redis_prefix", unique("test"))];
    let (installation, place) = Installation::over(&postgres, &services).open(2).await;
    let (one, other) = (Server::start(&installation).await, Server::start(&installation).await);
    let (here, there) = (one.connect().await, other.connect().await);
    here.sign_up("guest@example.kr", PASSWORD, "민아").await.expect("signs up");
    there.log_in("guest@example.kr", PASSWORD).await.expect("logs in");
    let stay = (place.arrival, place.arrival + chrono::Days::new(2));

    for restarted in [false, true] {
        let booking = place.hold(&here, stay).await.expect("holds");
        let mut watch = pin!(there.watch_booking(&booking.id));
        let first = watch.try_next().await.expect("watches").expect("an item");
        assert_eq!(first.state(), State::Held);
        if restarted {
            redis.kill();
            redis.start_again();
        }

        cancel(&here, &booking).await.expect("cancels");

        let next = tokio::time::timeout(SOON, watch.try_next()).await.expect("it is told soon");
        assert_eq!(next.expect("watches").expect("an item").state(), State::Cancelled);
    }
}
