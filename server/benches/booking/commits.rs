//! What a durable commit costs on this machine.

use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use crate::{Done, Failure};

/// One row for each commit, on the same disk and with the same settings as the platform's database.
#[derive(Clone)]
pub(crate) struct Commits {
    db: DatabaseConnection,
}

impl Commits {
    /// Beside the tables of a platform: in their PostgreSQL, or in a SQLite file in the same folder.
    pub(crate) async fn open(folder: &Path, postgres: Option<&str>, connections: u32) -> Result<Self, Failure> {
        match postgres {
            Some(url) => {
                let mut options = ConnectOptions::new(url);
                options.max_connections(connections).sqlx_logging(false).test_before_acquire(false);
                let db = Database::connect(options).await?;
                db.execute_unprepared("CREATE TABLE bare (id BIGSERIAL PRIMARY KEY, at BIGINT NOT NULL)").await?;
                Ok(Self { db })
            }
            None => Self::sqlite(folder).await,
        }
    }

    async fn sqlite(folder: &Path) -> Result<Self, Failure> {
        let mut options = ConnectOptions::new(format!("sqlite:{}?mode=rwc", folder.join("commits.db").display()));
        options.max_connections(1).min_connections(1).sqlx_logging(false).test_before_acquire(false);
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite.pragma("journal_mode", "WAL").pragma("synchronous", "FULL").pragma("cache_size", "-16000")
        });
        let db = Database::connect(options).await?;
        db.execute_unprepared("CREATE TABLE bare (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)").await?;
        Ok(Self { db })
    }

    pub(crate) async fn one(&self) -> Done {
        self.db.execute_unprepared("INSERT INTO bare (at) VALUES (1)").await?;
        Ok(())
    }
}
