//! How databases are opened.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use crate::error::Error;

/// A connection that waited longer than this for its turn is asked whether it still lives, before it is used.
const TRUSTED: Duration = Duration::from_secs(1);
/// The most readers of a SQLite file.
const READERS: u32 = 4;
/// Locks are held for milliseconds; whoever waits longer than this waits for something that hangs.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Where the tables are, and how they are reached.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `sqlite:path` or `postgres://…`.
    pub url: String,
    /// A replica for large reads that may be a little late.
    pub replica: Option<String>,
    /// How far a replica may be behind and still be read.
    pub replica_lag: Duration,
    /// The most connections for calls.
    pub connections: u32,
    /// The most connections for background work.
    pub job_connections: u32,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a connection that nobody uses is kept.
    pub idle: Duration,
}

impl DatabaseSettings {
    /// The defaults for a URL.
    pub fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            replica: None,
            replica_lag: Duration::from_secs(5),
            connections: 4,
            job_connections: 2,
            statement_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(30),
        }
    }
}

/// The writer and the readers of a SQLite file.
pub(super) async fn sqlite(path: &str, connections: u32) -> Result<(DatabaseConnection, DatabaseConnection), Error> {
    let options = |connections, temporary| {
        let mut options = ConnectOptions::new(format!("sqlite:{path}?mode=rwc"));
        options.max_connections(connections).min_connections(1).sqlx_logging(false).test_before_acquire(false);
        options.map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .pragma("journal_mode", "WAL")
                // FULL: an answer given must outlive a power cut, not only a crash of the process.
                .pragma("synchronous", "FULL")
                .pragma("busy_timeout", "5000")
                // For each connection, SQLite's own default: the system's cache holds the file.
                .pragma("cache_size", "-2000")
                .pragma("temp_store", temporary)
                .foreign_keys(true)
                .statement_cache_capacity(512)
        });
        options
    };
    // Each operation of a batch can be undone by itself: what that takes would go through a file.
    let write = Database::connect(options(1, "MEMORY")).await?;
    // Reads are of memory, and there are few cores: more readers than these only take more memory; so would large sorts.
    let read = Database::connect(options(connections.min(READERS), "FILE")).await?;
    Ok((write, read))
}

/// A pool that has no connection until a statement needs one, and none again when it is idle.
pub(super) async fn postgres(
    settings: &DatabaseSettings,
    url: &str,
    pool: &str,
    connections: u32,
) -> Result<DatabaseConnection, Error> {
    // The one scheme that sea-orm knows.
    let url = url.replacen("postgresql://", "postgres://", 1);
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(0)
        .connect_lazy(true)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(settings.idle)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(TRUSTED)
        .set_application_name(format!("yeyak {pool}"))
        .statement_timeout(settings.statement_timeout)
        .sqlx_logging(false);
    let patience = settings.statement_timeout.as_millis().to_string();
    options.map_sqlx_postgres_opts(move |postgres| {
        postgres.statement_cache_capacity(512).options([
            // A process that hangs inside a transaction must not keep its locks.
            ("idle_in_transaction_session_timeout", patience.as_str()),
            ("lock_timeout", &LOCK_PATIENCE.as_millis().to_string()),
            // A statement of ours takes milliseconds, and compiling it first takes longer than running it, each time anew.
            ("jit", "off"),
        ])
    });
    Ok(Database::connect(options).await?)
}
