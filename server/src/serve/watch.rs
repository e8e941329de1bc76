//! What a process observes of the database: how its clock goes against ours, and how many connections are in use.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{describe_gauge, gauge};
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement};
use tokio_util::sync::CancellationToken;

use super::health::{Health, ServingStatus};
use crate::kit::clock::Clock;
use crate::kit::tx::Db;

const SKEW: &str = "yeyak_clock_skew_seconds";
const CONNECTIONS: &str = "yeyak_database_connections";
/// How far the clocks may be apart: an expiry is decided by a compare-and-set, so a skew can move the moment, never the outcome.
const ALLOWED: TimeDelta = TimeDelta::milliseconds(500);
/// Seldom: an idle process holds no connection.
const CLOCK_PERIOD: Duration = Duration::from_secs(300);
const POOL_PERIOD: Duration = Duration::from_secs(5);

/// Measures the skew of the clocks at start and now and then; a process whose clock is wrong takes no calls until it is right.
pub(super) async fn clocks(db: Db, clock: std::sync::Arc<dyn Clock>, health: Health, stop: CancellationToken) {
    if db.backend() != DatabaseBackend::Postgres {
        return;
    }
    describe_gauge!(SKEW, metrics::Unit::Seconds, "How far the clock of the database is ahead of ours.");
    let mut right = true;
    loop {
        match skew(&db, &*clock).await {
            Ok((skew, uncertain)) => {
                gauge!(SKEW).set(skew.as_seconds_f64());
                let is_right = skew.abs() <= ALLOWED + uncertain;
                if is_right != right && !stop.is_cancelled() {
                    right = is_right;
                    let status = if right { ServingStatus::Serving } else { ServingStatus::NotServing };
                    health.set_all(status);
                    let ms = skew.num_milliseconds();
                    tracing::error!(
                        skew_ms = ms,
                        "the clock of the database is {ms} ms ahead; calls are {}",
                        status.as_str_name()
                    );
                }
            }
            Err(error) => tracing::debug!("the clock of the database could not be read: {error}"),
        }
        // Looked at again soon while something is wrong.
        let pause = if right { CLOCK_PERIOD } else { POOL_PERIOD };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// How far the database's clock is ahead, and by how much that may be wrong.
async fn skew(db: &Db, clock: &dyn Clock) -> Result<(TimeDelta, TimeDelta), DbErr> {
    let ask = Statement::from_string(DatabaseBackend::Postgres, "SELECT clock_timestamp() AS now");
    let before = clock.now();
    let row = db.read().query_one_raw(ask).await?.ok_or_else(|| DbErr::RecordNotFound("the time".to_owned()))?;
    let after = clock.now();
    let theirs: DateTime<Utc> = row.try_get("", "now")?;
    let uncertain = (after - before) / 2;
    Ok((theirs - (before + uncertain), uncertain))
}

/// Tells how many connections each pool has.
pub(super) async fn pools(db: Db, stop: CancellationToken) {
    describe_gauge!(CONNECTIONS, "Connections to the database, by pool and by whether they are in use.");
    while stop.run_until_cancelled(tokio::time::sleep(POOL_PERIOD)).await.is_some() {
        for (pool, open, idle) in db.pools() {
            let open = usize::try_from(open).unwrap_or(usize::MAX);
            for (state, count) in [("idle", idle), ("used", open.saturating_sub(idle))] {
                gauge!(CONNECTIONS, "pool" => pool, "state" => state)
                    .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
    }
}
