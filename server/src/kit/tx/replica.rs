//! A replica, which is read while it follows closely enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, Statement};
use tokio::sync::Mutex;

/// For how long an answer about the lag is believed.
const BELIEVED: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(1);

/// A replica of the database.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pool: DatabaseConnection,
    lag: Duration,
    asked: Arc<Mutex<Option<Instant>>>,
    close: Arc<AtomicBool>,
}

impl Replica {
    pub(super) fn new(pool: DatabaseConnection, lag: Duration) -> Self {
        Self { pool, lag, asked: Arc::default(), close: Arc::default() }
    }

    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Whether it answers, and is not further behind than it may be.
    pub(super) async fn is_close(&self) -> bool {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|asked| asked.elapsed() > BELIEVED) {
            let close = match tokio::time::timeout(PATIENCE, self.behind()).await {
                Ok(Ok(behind)) => behind <= self.lag,
                Ok(Err(error)) => {
                    tracing::warn!("the replica can't be read, and the database is read instead: {error}");
                    false
                }
                Err(_) => false,
            };
            if self.close.swap(close, Ordering::Relaxed) != close {
                tracing::info!(close, "the replica is {}", if close { "read" } else { "left alone: it is too late" });
            }
            *asked = Some(Instant::now());
        }
        self.close.load(Ordering::Relaxed)
    }

    /// How far behind it is. A replica that has replayed all that it received is as far behind as its connection: with none,
    /// nobody knows.
    async fn behind(&self) -> Result<Duration, DbErr> {
        let ask = "SELECT CASE \
                     WHEN NOT pg_is_in_recovery() THEN 0 \
                     WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 1e9 \
                     WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
                     ELSE COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 1e9) \
                   END::float8 AS behind";
        let row = self.pool.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, ask)).await?;
        let behind: f64 = row.ok_or_else(|| DbErr::RecordNotFound("its lag".to_owned()))?.try_get("", "behind")?;
        Ok(Duration::try_from_secs_f64(behind.max(0.0)).unwrap_or(Duration::MAX))
    }
}
