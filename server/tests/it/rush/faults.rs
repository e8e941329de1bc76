//! The loss of anything in the middle of a rush: receipts that were answered are coupons, never more than there are, and nobody
//! is accepted and then refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use yeyak::proto::member::v1::Tokens;
use yeyak::{Client, Options};
use yeyak_services::{Durability, Postgres, Rabbit, Redis, Sentinel, unique};

use super::crowd::{Rush, members, policy};
use crate::dice::{Dice, rounds};
use crate::harness::{Installation, Yeyak};
use crate::process::Server;

const TOTAL: usize = 600;
const MEMBERS: usize = 1500;
/// After so many answers comes the fault; after so many more everybody waits until it has come.
const FAULT: u64 = 400;
const HALT: usize = 500;
/// What was accepted is issued well within this, whatever failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// What was handed over again and how gates were built is in the log.
const LOG: &[(&str, &str)] = &[("YEYAK_LOG__FILTER", "error,yeyak_server::coupon=info")];

/// Two processes that answer and one that issues, over services of their own.
struct Scene {
    postgres: Postgres,
    rabbit: Rabbit,
    installation: Arc<Installation>,
    /// The last one issues.
    servers: Vec<Server>,
    clients: Vec<Client>,
    seller: Client,
    members: Vec<Tokens>,
    dice: Dice,
}

impl Scene {
    async fn new(name: &str, redis: String) -> Self {
        let dice = Dice::of(name);
        let (postgres, rabbit) = (Postgres::start(Durability::Crash), Rabbit::start());
        let services = [
            ("queue", rabbit.url()),
            ("queue_prefix", unique("test")),
            ("redis", redis),
            ("redis_prefix", unique("test")),
        ];
        let installation = Installation::over(&postgres, &services);
        let yeyak = Yeyak::on(installation, yeyak_server::serve::World::default().clock.now()).await;
        let seller = yeyak.seller().await.tokens().expect("signed in");
        let members = members(&yeyak, MEMBERS).await;
        let installation = Arc::new(yeyak.leave().await);
        let mut servers = Vec::new();
        let mut clients = Vec::new();
        for flags in [&["--workers", "none"][..], &["--workers", "none"], &["--workers", "all"]] {
            servers.push(Server::start_as(&installation, flags, LOG).await);
        }
        for server in &servers[..2] {
            let options = Options::default().attempts(1).deadline(Duration::from_secs(5));
            clients.push(Client::connect_with(&server.url(), options).await.expect("connects"));
        }
        let seller = servers[2].connect().await.with_tokens(seller);
        Self { postgres, rabbit, installation, servers, clients, seller, members, dice }
    }

    /// Begins a rush for a new policy, with the moment of its fault.
    async fn rush(&mut self) -> (Arc<Rush>, usize) {
        let policy = policy(&self.seller, TOTAL as i64).await;
        let after = usize::try_from(self.dice.below(FAULT)).expect("few");
        println!("the fault comes after {after} answers");
        (Rush::new(&self.clients, &self.members, policy, HALT), after)
    }

    fn count(&self, what: &str) -> usize {
        self.installation.query(&format!("SELECT count(*) FROM {what}")).parse().expect("a number")
    }

    /// All that was accepted is issued, and nothing else; what was told is true.
    async fn ends_well(&self, rush: &Rush, round: u64) {
        let all = TOTAL * usize::try_from(round + 1).expect("few");
        let began = Instant::now();
        while self.count("coupon") < self.count("coupon_receipt") {
            assert!(
                began.elapsed() < PATIENCE,
                "{} of {} are coupons",
                self.count("coupon"),
                self.count("coupon_receipt")
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("everything was issued {:.1} s behind the last answer", began.elapsed().as_secs_f64());
        assert_eq!((rush.accepted(), self.count("coupon_receipt"), self.count("coupon")), (TOTAL, all, all));
        let doubles = "(SELECT 1 FROM coupon GROUP BY policy_id, member_id HAVING count(*) > 1) AS doubles";
        assert_eq!(self.count(doubles), 0);
        rush.was_told_the_truth().await;
        self.installation.check().await;
    }

    /// The log tells of the gate of each rush that it was built when the rush began, and again when it was lost.
    fn gates_were_built_again(&self) {
        let log: String = self.servers.iter().map(Server::log).collect();
        let built: Vec<_> = log.lines().filter(|line| line.contains("built the gate of ")).collect();
        assert!(built.len() as u64 >= 2 * rounds(), "{built:#?}");
    }
}

/// Rushes through a fault, as often as it is said.
macro_rules! through {
    ($scene:ident, $($fault:tt)*) => {
        for round in 0..rounds() {
            let (rush, after) = $scene.rush().await;
            let fault = async {
                let $scene = &mut $scene;
                // Not every fault needs it.
                _ = &*$scene;
                $($fault)*
            };
            rush.run(after, fault).await;
            $scene.ends_well(&rush, round).await;
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn an_issuer_is_killed_in_the_middle_of_a_batch() {
    let redis = Redis::start();
    let mut scene = Scene::new("rush: issuer", redis.url()).await;
    through!(scene, {
        scene.servers[2].kill().await;
        scene.servers[2].start_again().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn the_broker_is_killed_and_comes_back() {
    let redis = Redis::start();
    let mut scene = Scene::new("rush: broker", redis.url()).await;
    through!(scene, {
        scene.rabbit.kill();
        scene.rabbit.start_again();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn redis_is_flushed() {
    let redis = Redis::start();
    let mut scene = Scene::new("rush: flush", redis.url()).await;
    through!(scene, {
        redis.ask(&["FLUSHALL"]);
    });
    scene.gates_were_built_again();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn redis_is_killed_and_comes_back_empty() {
    let mut redis = Redis::start();
    let mut scene = Scene::new("rush: redis", redis.url()).await;
    through!(scene, {
        redis.kill();
        tokio::time::sleep(Duration::from_millis(scene.dice.below(1500))).await;
        redis.start_again();
    });
    scene.gates_were_built_again();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn a_redis_master_is_killed_under_sentinel() {
    let mut sentinel = Sentinel::start();
    let mut scene = Scene::new("rush: master", sentinel.url()).await;
    through!(scene, {
        let port = sentinel.master_port();
        sentinel.master().kill();
        sentinel.wait_for_master_other_than(port);
        sentinel.come_back(port);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn a_failover_is_planned_under_sentinel() {
    let sentinel = Sentinel::start();
    let mut scene = Scene::new("rush: failover", sentinel.url()).await;
    through!(scene, {
        let port = sentinel.master_port();
        sentinel.fail_over();
        sentinel.wait_for_master_other_than(port);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn postgresql_is_killed_and_comes_back() {
    let redis = Redis::start();
    let mut scene = Scene::new("rush: postgres", redis.url()).await;
    through!(scene, {
        scene.postgres.kill();
        tokio::time::sleep(Duration::from_millis(scene.dice.below(1500))).await;
        scene.postgres.start_again();
    });
}

/// Between any two steps: behind the gate and before the commit, behind the commit and before the publication.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL, Redis, RabbitMQ: .ci/run"]
async fn a_process_that_accepts_is_killed_at_any_moment() {
    let redis = Redis::start();
    let mut scene = Scene::new("rush: acceptor", redis.url()).await;
    through!(scene, {
        for victim in [0, 1, 0] {
            scene.servers[victim].kill().await;
            scene.servers[victim].start_again().await;
            tokio::time::sleep(Duration::from_millis(scene.dice.below(300))).await;
        }
    });
}
