//! Private PostgreSQL, Redis and RabbitMQ, from the programs installed on this machine.
//!
//! Promises:
//! - each listens on 127.0.0.1, on a port that was free, and keeps its files in a temporary folder;
//! - each ends with the process that started it, however that process ends;
//! - none runs as root: what is started by root runs as `nobody`;
//! - a program that is not installed is told by name, with the command that installs it.
//!
//! `shared()` gives one of a kind for the whole test run: tests keep apart by database, key prefix and queue prefix. A test
//! that stops, kills or restarts a service starts its own.

mod cluster;
mod postgres;
mod program;
mod rabbit;
mod redis;
mod sentinel;

pub use self::cluster::Cluster;
pub use self::postgres::{Durability, Postgres, Replica};
pub use self::rabbit::Rabbit;
pub use self::redis::Redis;
pub use self::sentinel::Sentinel;

use std::sync::atomic::{AtomicU32, Ordering};

/// Whether this test run is on PostgreSQL, Redis and RabbitMQ, by `YEYAK_TEST_BACKENDS=production`; else it is on what needs
/// nothing installed.
pub fn on_production() -> bool {
    #[expect(clippy::disallowed_methods, reason = "where tests run is no option of the server")]
    match std::env::var("YEYAK_TEST_BACKENDS").as_deref() {
        Ok("production") => true,
        Ok("embedded") | Err(_) => false,
        Ok(other) => panic!("YEYAK_TEST_BACKENDS is {other}; it may be embedded or production"),
    }
}

/// A name that nothing else of this test run has: for a database, a key prefix or a queue prefix.
pub fn unique(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
