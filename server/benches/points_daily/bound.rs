//! What the database alone can do: the statements of the same work, over whole ranges, with nothing around them; rolled back.

use std::time::Instant;

use sea_orm::sqlx::types::chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, AssertSqlSafe, PgConnection, Row};

use crate::Failure;
use crate::stage::Stage;

/// As many as the daily run may have.
const SESSIONS: usize = 2;

const NEWS: &str = "
CREATE TEMP TABLE due ON COMMIT DROP AS
  SELECT l.id, l.member_id, l.remaining, l.expire_time, l.pending, w.available + w.pending AS held
  FROM point_wallet AS w JOIN point_lot AS l ON l.member_id = w.member_id
  WHERE {range} AND w.change_time <= '{cut}' AND l.remaining > 0 AND l.expire_time <= '{cut}';
CREATE TEMP TABLE ripe ON COMMIT DROP AS
  SELECT l.id, l.member_id, l.remaining FROM point_wallet AS w JOIN point_lot AS l ON l.member_id = w.member_id
  WHERE {range} AND w.change_time <= '{cut}' AND l.remaining > 0 AND l.pending AND l.available_time <= '{cut}';
UPDATE point_lot AS l SET remaining = 0 FROM due AS d WHERE l.id = d.id;
UPDATE point_lot AS l SET pending = false FROM ripe AS r WHERE l.id = r.id;
UPDATE point_wallet AS w SET version = version + 1, available = w.available - d.points,
  movement_count = movement_count + d.number, change_time = NULL
FROM (SELECT member_id, sum(remaining) AS points, count(*) AS number FROM due WHERE NOT pending GROUP BY member_id) AS d
WHERE w.member_id = d.member_id;
UPDATE point_wallet AS w SET version = version + 1, available = w.available + r.points, pending = w.pending - r.points,
  change_time = NULL
FROM (SELECT member_id, sum(remaining) AS points FROM ripe GROUP BY member_id) AS r WHERE w.member_id = r.member_id;
INSERT INTO point_movement (id, member_id, number, version, cause, amount, held, balance, pieces, reference, actor,
  effective_time, create_time)
SELECT gen_random_uuid(), member_id, 1000000 + row_number() OVER (), 1, 'EXPIRE', -remaining, 0, held - remaining,
  '[{\"lot\":\"' || id || '\",\"points\":' || remaining || '}]', '', 'job:bench', expire_time, now() FROM due;
INSERT INTO ledger_transfer (id, debit_account, credit_account, amount, currency, cause, cause_id, create_time)
SELECT gen_random_uuid(), 'points:' || member_id, 'platform:points', remaining, 'PTS', 'POINTS_EXPIRE', id, now() FROM due;
INSERT INTO outbox (id, kind, aggregate, version, actor, trace, payload, create_time)
SELECT gen_random_uuid(), 'bench', member_id, 1, 'job:bench', '', repeat('x', 150)::bytea, now() FROM due";
const SNAPSHOT: &str = "
INSERT INTO point_snapshot (run_date, member_id, available, pending, reserved, owed, version)
SELECT DATE '1999-01-01', w.member_id, w.available, w.pending, w.reserved, w.owed, w.version FROM point_wallet AS w
WHERE {range}";
const COMPARE: &str = "
SELECT count(*)
FROM point_wallet AS w
LEFT JOIN (SELECT w.member_id, sum(remaining) AS live, sum(CASE WHEN pending THEN remaining ELSE 0 END) AS pending
           FROM point_lot AS w WHERE remaining > 0 AND {range} GROUP BY w.member_id) AS l ON l.member_id = w.member_id
LEFT JOIN (SELECT w.member_id, sum(amount) AS amount, sum(held) AS held
           FROM point_movement AS w WHERE {range} GROUP BY w.member_id) AS m ON m.member_id = w.member_id
WHERE {range} AND (w.available + w.pending <> coalesce(l.live, 0) OR w.pending <> coalesce(l.pending, 0)
  OR w.available + w.pending - w.owed <> coalesce(m.amount, 0) OR w.reserved <> coalesce(m.held, 0))";

/// How long it takes, and how many wallets differ.
pub(crate) async fn bound(stage: &Stage, cut: DateTime<Utc>) -> Result<(f64, i64), Failure> {
    let middle = format!(
        "SELECT member_id::text FROM point_wallet ORDER BY member_id OFFSET {} LIMIT 1",
        stage.loaded.wallets / 2
    );
    let middle: String = sqlx::query(AssertSqlSafe(middle)).fetch_one(&stage.database).await?.try_get(0)?;
    let ranges: [String; SESSIONS] = [format!("w.member_id <= '{middle}'"), format!("w.member_id > '{middle}'")];
    let began = Instant::now();
    let sessions = ranges.map(|range| session(stage, range, cut));
    let differences = futures::future::try_join_all(sessions).await?;
    let took = began.elapsed().as_secs_f64();
    stage
        .run("VACUUM ANALYZE point_wallet, point_lot, point_movement, point_snapshot, ledger_transfer, outbox")
        .await?;
    Ok((took, differences.into_iter().sum()))
}

async fn session(stage: &Stage, range: String, cut: DateTime<Utc>) -> Result<i64, Failure> {
    let mut connection = stage.database.acquire().await?;
    let connection: &mut PgConnection = &mut connection;
    let fill = |text: &str| text.replace("{range}", &range).replace("{cut}", &cut.to_rfc3339());
    let run = async |connection: &mut PgConnection, text: &str| {
        sqlx::raw_sql(AssertSqlSafe(fill(text))).execute(connection).await.map(drop)
    };
    run(connection, "BEGIN").await?;
    run(connection, NEWS).await?;
    run(connection, SNAPSHOT).await?;
    let found = sqlx::query(AssertSqlSafe(fill(COMPARE))).fetch_one(&mut *connection).await?;
    // What is compared was expired without its movement's true number: the sums hold all the same.
    run(connection, "ROLLBACK").await?;
    Ok(found.try_get(0)?)
}
