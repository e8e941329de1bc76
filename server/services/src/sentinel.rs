//! A master, two replicas, and three sentinels that watch over them.

use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Process, command, folder, free_port, listens, own};
use crate::redis::{Redis, Role, ask, program};

/// What the sentinels call the master.
const NAME: &str = "yeyak";
const PATIENCE: Duration = Duration::from_secs(60);

/// Redis under Sentinel.
#[derive(Debug)]
pub struct Sentinel {
    nodes: Vec<Redis>,
    ports: Vec<u16>,
    _sentinels: Vec<(Process, TempDir)>,
}

impl Sentinel {
    /// Starts all six, and waits until each knows the others. A master that is silent for a second is replaced.
    pub fn start() -> Self {
        let master = Redis::start();
        let port = master.port();
        let nodes = vec![master, Redis::start_as(Role::ReplicaOf(port)), Redis::start_as(Role::ReplicaOf(port))];
        let (mut ports, mut sentinels) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (own_port, folder) = (free_port(), folder("sentinel"));
            let settings = folder.path().join("sentinel.conf");
            let text = format!(
                "port {own_port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 5000\n",
                folder.path().display()
            );
            std::fs::write(&settings, text).expect("the folder is ours");
            own(&settings);
            let mut process = Process::new("Redis Sentinel", folder.path().join("log"));
            let serve = || {
                let mut serve = command(&program(), "KILL");
                serve.arg(&settings).arg("--sentinel");
                serve
            };
            process.start(serve, || listens(own_port));
            ports.push(own_port);
            sentinels.push((process, folder));
        }
        let all = Self { nodes, ports, _sentinels: sentinels };
        all.wait(|master| master.contains("num-other-sentinels\n2") && master.contains("num-slaves\n2"));
        all
    }

    /// The URL by which clients find the master through the sentinels.
    pub fn url(&self) -> String {
        let [first, second, third] = self.ports[..] else { panic!("three were started") };
        format!(
            "redis-sentinel://127.0.0.1:{first}?sentinelServiceName={NAME}&node=127.0.0.1:{second}&node=127.0.0.1:{third}"
        )
    }

    /// The port of the master, as the sentinels have it.
    pub fn master_port(&self) -> u16 {
        let address = ask(self.ports[0], &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        address.lines().last().and_then(|port| port.parse().ok()).expect("an address and a port")
    }

    /// The node that is the master now.
    pub fn master(&mut self) -> &mut Redis {
        let port = self.master_port();
        self.nodes.iter_mut().find(|node| node.port() == port).expect("one of ours")
    }

    /// All nodes, whoever is the master.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Starts the node on this port again, and waits until the sentinels have two replicas to choose from.
    pub fn come_back(&mut self, port: u16) {
        let node = self.nodes.iter_mut().find(|node| node.port() == port).expect("one of ours");
        node.start_again();
        let began = Instant::now();
        // The sentinels may have changed their minds meanwhile, who the master is.
        while !ask(self.master_port(), &["INFO", "replication"]).contains("connected_slaves:2") {
            assert!(began.elapsed() < PATIENCE, "the node that came back is no replica");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Has the sentinels give the lead to a replica, with the old master alive.
    pub fn fail_over(&self) {
        ask(self.ports[0], &["SENTINEL", "FAILOVER", NAME]);
    }

    /// Waits until the master is another than the one on this port.
    pub fn wait_for_master_other_than(&self, port: u16) {
        let began = Instant::now();
        while self.master_port() == port {
            assert!(began.elapsed() < PATIENCE, "the sentinels did not agree on another master");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn wait(&self, is: impl Fn(&str) -> bool) {
        let began = Instant::now();
        while !self.ports.iter().all(|port| is(&ask(*port, &["SENTINEL", "MASTER", NAME]))) {
            assert!(began.elapsed() < PATIENCE, "the sentinels did not find each other");
            thread::sleep(Duration::from_millis(100));
        }
    }
}
