//! Redis.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::program::{Process, command, find, folder, free_port, listens, run};

const PACKAGE: &str = "redis-server";

/// A Redis of its own, which keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    role: Role,
    process: Process,
    folder: TempDir,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Alone,
    ReplicaOf(u16),
    InCluster,
}

pub(crate) fn program() -> PathBuf {
    find("redis-server", &["/usr/bin", "/usr/local/bin"], PACKAGE)
}

/// Asks a Redis on a port something by `redis-cli`.
pub(crate) fn ask(port: u16, words: &[&str]) -> String {
    let mut cli = Command::new(find("redis-cli", &["/usr/bin", "/usr/local/bin"], "redis-tools"));
    cli.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(words);
    run(cli).trim().to_owned()
}

impl Redis {
    /// The one of this test run.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one.
    pub fn start() -> Self {
        Self::start_as(Role::Alone)
    }

    pub(crate) fn start_in_cluster() -> Self {
        Self::start_as(Role::InCluster)
    }

    pub(crate) fn start_as(role: Role) -> Self {
        let folder = folder("redis");
        let process = Process::new("Redis", folder.path().join("log"));
        let mut redis = Self { port: free_port(), role, process, folder };
        redis.start_again();
        redis
    }

    /// Starts it again, empty, on the same port.
    pub fn start_again(&mut self) {
        let (port, folder, role) = (self.port, self.folder.path(), self.role);
        let serve = || {
            let mut serve = command(&program(), "KILL");
            serve.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            serve.arg("--dir").arg(folder).args(["--repl-diskless-sync-delay", "0"]);
            match role {
                Role::Alone => {}
                Role::ReplicaOf(master) => _ = serve.args(["--replicaof", "127.0.0.1", &master.to_string()]),
                Role::InCluster => _ = serve.args(["--cluster-enabled", "yes"]),
            }
            serve
        };
        self.process.start(serve, || listens(port));
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Asks it something, in words: `["FLUSHALL"]`.
    pub fn ask(&self, words: &[&str]) -> String {
        ask(self.port, words)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.end("KILL");
    }

    /// Hangs it: it keeps its connections and answers nothing.
    pub fn hang(&self) {
        self.process.hang();
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.process.signal("CONT");
    }
}
