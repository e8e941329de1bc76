//! Redis Cluster: three masters that share the keys.

use std::thread;
use std::time::{Duration, Instant};

use crate::redis::{Redis, ask};

const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster of its own.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts three nodes, and waits until each knows who has which keys.
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..3).map(|_| Redis::start_in_cluster()).collect();
        let addresses: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(addresses.iter().map(String::as_str));
        words.push("--cluster-yes");
        ask(nodes[0].port(), &words);
        let began = Instant::now();
        while !nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")) {
            assert!(began.elapsed() < PATIENCE, "the cluster did not come together");
            thread::sleep(Duration::from_millis(50));
        }
        Self { nodes }
    }

    /// The URL by which clients find all of it.
    pub fn url(&self) -> String {
        let [first, second, third] = &self.nodes[..] else { panic!("three were started") };
        format!(
            "redis-cluster://127.0.0.1:{}?node=127.0.0.1:{}&node=127.0.0.1:{}",
            first.port(),
            second.port(),
            third.port()
        )
    }
}
