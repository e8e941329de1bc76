//! The connection to Redis, which every port over Redis shares.
//!
//! Promises:
//! - a server starts while Redis is away, and finds it when it comes, for as long as that takes;
//! - every call is answered within [`PATIENCE`], whatever Redis does; while Redis fails, calls are refused at once;
//! - what waits for a lost connection is bounded;
//! - a master that hangs is left within two seconds, and one that Sentinel has replaced at once.
//!
//! A call whose answer did not come may have been carried out, even twice: each script can be repeated.

mod breaker;
mod sentinel;
#[cfg(test)]
mod tests;
mod watchdog;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::{Client, Pool, SubscriberClient};
use fred::error::ErrorKind;
use fred::interfaces::ClientLike;
use fred::types::Value;
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::scripts::Script;
use fred::types::{Builder, RespVersion};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use self::breaker::breaker;
use super::breaker::Breaker;
use crate::error::{Error, Unavailable};

/// How long a call may take.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How long one command may take; a script that Redis has forgotten takes three.
const COMMAND: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(1);
/// What the connections that calls go over are told apart by. More gain nothing, since each pipelines.
const CONNECTIONS: [&str; 2] = ["calls-1", "calls-2"];
/// How many commands may wait for a lost connection.
const WAITING: usize = 10_000;
const SCHEMES: &[&str] = &["redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"];

/// A connection to one Redis, a Sentinel group, or a Cluster. Cheap to clone; the connection ends with the last.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    pool: Pool,
    prefix: String,
    breaker: Breaker,
    /// Tells that another master leads.
    switched: broadcast::Sender<()>,
    _tasks: Tasks,
}

/// What runs for as long as its owner lives.
#[derive(Debug, Default)]
pub(super) struct Tasks(Vec<AbortHandle>);

impl Tasks {
    pub(super) fn add<T>(&mut self, task: &tokio::task::JoinHandle<T>) {
        self.0.push(task.abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the URL, which may hold a password.
        f.debug_struct("Redis").field("prefix", &self.inner.prefix).finish_non_exhaustive()
    }
}

/// What is wrong with the URL of a Redis; none of the URL is told, since it may hold a password.
pub fn check(url: &str) -> Result<(), String> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if !SCHEMES.contains(&scheme) {
        return Err(format!("must begin with one of {}, followed by ://", SCHEMES.join(", ")));
    }
    if scheme.ends_with("-sentinel") && !url.contains("sentinelServiceName=") {
        return Err("needs ?sentinelServiceName= and the name of the master".to_owned());
    }
    Config::from_url(url).map(|_| ()).map_err(|_| "is no URL such as redis://host:6379/0".to_owned())
}

impl Redis {
    /// Connects in the background. Every key begins with the prefix.
    pub fn open(url: &str, prefix: &str) -> Result<Self, Error> {
        let mut config = Config::from_url(url).map_err(Error::internal)?;
        // Redis may come later than we do.
        config.fail_fast = false;
        let (switched, _) = broadcast::channel(1);
        let pool = builder(&config).build_pool(CONNECTIONS.len()).map_err(Error::internal)?;
        let mut tasks = Tasks::default();
        for (client, name) in pool.clients().iter().zip(CONNECTIONS) {
            tasks.add(&client.connect());
            tasks.add(&tokio::spawn(watchdog::watch(client.clone(), name, switched.subscribe())));
        }
        for sentinel in sentinel::clients(&config)? {
            tasks.add(&sentinel.client.connect());
            tasks.add(&tokio::spawn(sentinel::follow(sentinel, switched.clone())));
        }
        let inner = Inner { config, pool, prefix: prefix.to_owned(), breaker: breaker(), switched, _tasks: tasks };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The key of a thing. What belongs to the same tag is kept on the same node of a cluster, so that one script reaches it.
    pub(super) fn key(&self, port: &str, tag: impl fmt::Display, name: &str) -> String {
        format!("{}:{port}:{{{tag}}}{name}", self.inner.prefix)
    }

    /// Runs a script, or tells that Redis can't be reached.
    pub(super) async fn run(&self, script: &Script, keys: Vec<String>, arguments: Vec<Value>) -> Result<Value, Error> {
        let client = self.inner.pool.next_connected();
        self.guard(script.evalsha_with_reload(client, keys, arguments)).await
    }

    /// Runs a script for a caller who goes on without it after a while, and at once where there is no connection.
    pub(super) async fn run_soon(
        &self,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Value>,
        patience: Duration,
    ) -> Result<Value, Error> {
        if !self.inner.pool.clients().iter().any(ClientLike::is_connected) {
            return Err(unavailable());
        }
        let client = self.inner.pool.next_connected();
        self.guard_for(patience, script.evalsha_with_reload(client, keys, arguments)).await
    }

    /// Does something with one of the connections, or tells that Redis can't be reached.
    pub(super) async fn call<T, F>(&self, work: impl FnOnce(Client) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, fred::error::Error>>,
    {
        self.guard(work(self.inner.pool.next_connected().clone())).await
    }

    /// Bounds what is done with a connection, and refuses it while most of it fails.
    pub(super) async fn guard<T>(&self, work: impl Future<Output = Result<T, fred::error::Error>>) -> Result<T, Error> {
        self.guard_for(PATIENCE, work).await
    }

    async fn guard_for<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, fred::error::Error>>,
    ) -> Result<T, Error> {
        let Some(call) = self.inner.breaker.begin() else { return Err(unavailable()) };
        let outcome = tokio::time::timeout(patience, work).await;
        match outcome {
            Ok(Ok(done)) => {
                call.succeeded();
                Ok(done)
            }
            Ok(Err(error)) if is_ours(&error) => {
                call.succeeded();
                Err(Error::internal(error))
            }
            Ok(Err(error)) => {
                call.failed();
                if error.details().starts_with("READONLY") {
                    // A replica answers where the master was; who lagged behind need not be told.
                    _ = self.inner.switched.send(());
                }
                tracing::debug!("Redis: {error}");
                Err(unavailable())
            }
            Err(_) => {
                call.failed();
                Err(unavailable())
            }
        }
    }

    /// A connection of its own that is sent news by Redis, watched over like the others. It connects once it is asked to.
    pub(super) fn listener(&self, name: &'static str, tasks: &mut Tasks) -> Result<SubscriberClient, Error> {
        let mut config = self.inner.config.clone();
        config.version = RespVersion::RESP3;
        let client = builder(&config).build_subscriber_client().map_err(Error::internal)?;
        tasks.add(&tokio::spawn(watchdog::watch(client.clone(), name, self.inner.switched.subscribe())));
        Ok(client)
    }
}

fn unavailable() -> Error {
    Unavailable { what: "Redis" }.into()
}

fn builder(config: &Config) -> Builder {
    let mut builder = Builder::from_config(config.clone());
    builder
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT;
            connection.internal_command_timeout = CONNECT;
            connection.max_command_attempts = 2;
            connection.max_command_buffer_len = WAITING;
            connection.reconnect_on_auth_error = true;
        })
        .with_performance_config(|performance| {
            performance.default_command_timeout = COMMAND;
            performance.broadcast_channel_capacity = 4096;
        })
        .set_policy(ReconnectPolicy::new_exponential(0, 50, 1_000, 2));
    builder
}

/// Whether an error is a mistake of ours, such as in a script, rather than a Redis that can't serve.
fn is_ours(error: &fred::error::Error) -> bool {
    // Full (OOM) or unable to save (MISCONF), it takes no writes for a while.
    const TEMPORARY: &[&str] = &[
        "READONLY",
        "LOADING",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "NOREPLICAS",
        "BUSY",
        "TRYAGAIN",
        "OOM command not allowed",
        "MISCONF",
        "channel closed",
    ];
    let kind = matches!(
        error.kind(),
        ErrorKind::Unknown | ErrorKind::InvalidArgument | ErrorKind::InvalidCommand | ErrorKind::Parse
    );
    kind && !TEMPORARY.iter().any(|word| error.details().contains(word))
}
