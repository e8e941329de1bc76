//! The schema of the database, brought to this release by one process at a time.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, Statement};
use yeyak_migrations::{Indexes, Migrator, MigratorTrait, pending};

use super::ServeError;
use crate::config::Config;
use crate::kit::tx::Db;

/// What processes that migrate the same PostgreSQL wait for.
const LOCK: i64 = 0x79_6579_616b;

/// How soon it is asked again whether it is this process's turn.
const AGAIN: Duration = Duration::from_millis(200);

/// A connection that may change the schema; other processes wait until it is gone.
#[derive(Debug)]
pub(crate) struct Schema {
    connection: DatabaseConnection,
    /// Ends with its connection.
    lock: Option<DatabaseConnection>,
}

impl Schema {
    /// Waits for the turn of this process. A SQLite file is locked by the folder that it is in.
    pub(crate) async fn lock(db: &Db, config: &Config) -> Result<Self, DbErr> {
        if !db.is_shared() {
            let connection = db.schema_connection().clone();
            // An index over a large table is sorted in a file; for what else is written, memory is enough.
            connection.execute_unprepared("PRAGMA temp_store = FILE").await?;
            return Ok(Self { connection, lock: None });
        }
        let url = config.database_url().replacen("postgresql://", "postgres://", 1);
        let one = || {
            let mut options = ConnectOptions::new(&url);
            // A session of its own, for as long as it takes: a migration may be long, and a lock is of its session.
            options.max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None).sqlx_logging(false);
            options.set_application_name("yeyak schema");
            options
        };
        let lock = Database::connect(one()).await?;
        // Asked again and again, never waited for: an index that is built concurrently waits for every statement under way,
        // and one that waits for this lock would wait for the index.
        let ask = || {
            Statement::from_string(DatabaseBackend::Postgres, format!("SELECT pg_try_advisory_lock({LOCK}) AS ours"))
        };
        while !lock.query_one_raw(ask()).await?.is_some_and(|row| row.try_get("", "ours").unwrap_or(false)) {
            tokio::time::sleep(AGAIN).await;
        }
        Ok(Self { connection: Database::connect(one()).await?, lock: Some(lock) })
    }

    /// The names of the migrations that are still to be applied, tables before indexes.
    pub(crate) async fn pending(&self) -> Result<Vec<String>, DbErr> {
        pending_on(&self.connection).await
    }

    /// Applies the next migration.
    pub(crate) async fn step(&self) -> Result<(), DbErr> {
        if pending::<Migrator>(&self.connection).await?.is_empty() {
            self.wait_for_locks("0").await?;
            return Indexes::up(&self.connection, Some(1)).await;
        }
        // Whoever waits for a table keeps everybody behind it waiting: not for longer than calls have patience.
        self.wait_for_locks("3s").await?;
        loop {
            match Migrator::up(&self.connection, Some(1)).await {
                Err(error) if is_locked(&error) => {
                    tracing::info!("a table is in use; the migration is tried again: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn wait_for_locks(&self, longest: &str) -> Result<(), DbErr> {
        if self.lock.is_some() {
            self.connection.execute_unprepared(&format!("SET lock_timeout = '{longest}'")).await?;
        }
        Ok(())
    }

    /// Lets the next process have its turn.
    pub(crate) async fn unlock(self) -> Result<(), DbErr> {
        let Some(lock) = self.lock else {
            self.connection.execute_unprepared("PRAGMA temp_store = MEMORY").await?;
            return Ok(());
        };
        self.connection.close().await?;
        lock.close().await
    }

    /// What is to be applied, by looking alone.
    pub(crate) async fn look(db: &Db) -> Result<Vec<String>, DbErr> {
        pending_on(db.schema_connection()).await
    }

    /// Every migration of this release, in its order.
    pub(crate) fn names() -> Vec<String> {
        let files = Migrator::get_migration_files().into_iter().chain(Indexes::get_migration_files());
        files.map(|migration| migration.name().to_owned()).collect()
    }
}

/// Whether a lock was not to be had in time.
fn is_locked(error: &DbErr) -> bool {
    error.to_string().contains("lock timeout")
}

async fn pending_on(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let mut names = pending::<Migrator>(connection).await?;
    names.extend(pending::<Indexes>(connection).await?);
    Ok(names)
}

/// Applies whatever is to be applied.
pub(super) async fn bring_up(db: &Db, config: &Config) -> Result<(), ServeError> {
    let failed = |error: DbErr| ServeError::Database(error.to_string());
    // Most starts find nothing to do, and need not wait for anybody.
    if db.is_shared() && Schema::look(db).await.map_err(failed)?.is_empty() {
        return Ok(());
    }
    let schema = Schema::lock(db, config).await.map_err(failed)?;
    let mut pending = schema.pending().await.map_err(failed)?;
    pending.reverse();
    while let Some(name) = pending.pop() {
        tracing::debug!("applying {name}");
        schema.step().await.map_err(failed)?;
    }
    schema.unlock().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::harness::Harness;

    /// Guard: the lock, which is asked for and not waited for.
    #[tokio::test]
    #[ignore = "needs PostgreSQL: .ci/run"]
    async fn processes_that_start_at_the_same_moment_on_nothing_all_start() {
        let url = yeyak_services::Postgres::shared().create();
        let config = crate::config::Sources::read(None)
            .with("database", &url)
            .with("payment.allow_simulator", true)
            .config()
            .expect("a configuration");
        let starts = (0..4).map(|_| async {
            let db = Db::open(&config.database_settings()).await.expect("opens");
            bring_up(&db, &config).await
        });

        let all = tokio::time::timeout(Duration::from_secs(60), futures::future::join_all(starts)).await;

        assert!(all.expect("none hangs").iter().all(Result::is_ok));
    }

    /// Guard: applied names that this release does not know are passed over.
    #[tokio::test]
    async fn a_release_starts_on_the_schema_of_a_later_one() {
        let yeyak = Harness::new().await;
        let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
        yeyak.db.schema_connection().execute_unprepared(later).await.expect("is applied");

        assert_eq!(Schema::look(&yeyak.db).await.expect("looks"), Vec::<String>::new());
    }
}
