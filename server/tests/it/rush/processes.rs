//! Ten thousand callers at three processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use yeyak::{Client, Options};

use super::crowd::{Rush, members, policy};
use crate::harness::{Installation, Yeyak};
use crate::process::Server;

const TOTAL: usize = 1000;

/// Guards: the unique places and members of receipts, which the processes share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn ten_thousand_callers_at_three_processes_get_a_thousand_coupons() {
    let yeyak = Yeyak::on(Installation::new(true).await, yeyak_server::serve::World::default().clock.now()).await;
    let policy = policy(&yeyak.seller().await, TOTAL as i64).await;
    let members = members(&yeyak, 10_000).await;
    let installation = Arc::new(yeyak.leave().await);
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Server::start(&installation).await);
    }
    let mut clients = Vec::new();
    for server in &servers {
        let options = Options::default().attempts(1).deadline(Duration::from_secs(60));
        clients.push(Client::connect_with(&server.url(), options).await.expect("connects"));
    }
    // Everybody asks twice, at two processes, for the same.
    clients.rotate_left(1);
    let again = clients.clone();
    clients.rotate_left(1);

    let (first, second) = (
        Rush::new(&clients, &members, policy.clone(), usize::MAX),
        Rush::new(&again, &members, policy.clone(), usize::MAX),
    );
    tokio::join!(first.run(0, async {}), second.run(0, async {}));

    let began = Instant::now();
    let count = |what: &str| installation.query(&format!("SELECT count(*) FROM {what}"));
    while count("coupon") != TOTAL.to_string() {
        assert!(began.elapsed() < Duration::from_secs(60), "{} coupons", count("coupon"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count("coupon_receipt"), TOTAL.to_string());
    assert_eq!(count("(SELECT DISTINCT member_id FROM coupon) AS members"), TOTAL.to_string());
    assert_eq!((first.accepted(), second.accepted()), (TOTAL, TOTAL), "both asks of a member are told the same");
    first.was_told_the_truth().await;
    second.was_told_the_truth().await;
    installation.check().await;
}
