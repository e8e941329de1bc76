//! The queries of the daily run, one a function.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

use super::DAILY;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;

/// The run of a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) date: Date,
    /// What is due until then is done.
    pub(super) cut: Time,
    pub(super) is_done: bool,
}

/// A range of a run: wallets behind `position`, up to `upper` and with it; of the last one, all behind.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Range {
    pub(super) position: Uuid,
    pub(super) upper: Option<Uuid>,
    pub(super) done: bool,
}

/// What a run has counted.
#[derive(Clone, Copy, Debug, Default, Eq, FromQueryResult, PartialEq)]
pub struct Counts {
    /// Wallets that were looked at.
    pub wallets: i64,
    /// How many there were when it began.
    pub expected: i64,
    /// Wallets that time has changed.
    pub moved: i64,
    /// Points that have expired.
    pub expired: i64,
    /// Wallets that differ from their lots or their movements.
    pub differences: i64,
    /// How many of those were put right.
    pub repaired: i64,
}

fn statement(conn: &impl ConnectionTrait, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), sql, values)
}

#[derive(FromQueryResult)]
struct Found {
    cut_time: Time,
    done: bool,
}

/// The run of a day.
pub(super) async fn find(conn: &impl ConnectionTrait, date: Date) -> Result<Option<Run>, Error> {
    let select = "SELECT cut_time, end_time IS NOT NULL AS done FROM job_run WHERE job = $1 AND run_date = $2";
    let found = Found::find_by_statement(statement(conn, select, [DAILY.into(), date.into()])).one(conn).await?;
    Ok(found.map(|found| Run { date, cut: found.cut_time, is_done: found.done }))
}

/// The keys at which the wallets are divided, and how many wallets there are.
pub(super) async fn bounds(conn: &impl ConnectionTrait, ranges: i64) -> Result<(Vec<Uuid>, i64), Error> {
    #[derive(FromQueryResult)]
    struct Row {
        member_id: Uuid,
    }
    #[derive(FromQueryResult)]
    struct Count {
        number: i64,
    }
    let count = statement(conn, "SELECT count(*) AS number FROM point_wallet", []);
    let count = Count::find_by_statement(count).one(conn).await?.map_or(0, |row| row.number);
    // In one look at the index: each bound is the last of its range.
    let select = "SELECT member_id FROM (SELECT member_id, row_number() OVER (ORDER BY member_id) AS place FROM point_wallet) AS w \
                  WHERE place % $1 = 0 ORDER BY member_id";
    let each = (count / ranges).max(1);
    let rows = Row::find_by_statement(statement(conn, select, [each.into()])).all(conn).await?;
    let most = usize::try_from(ranges - 1).unwrap_or(0);
    Ok((rows.into_iter().map(|row| row.member_id).take(most).collect(), count))
}

/// Writes the begin of a run and its ranges, unless another was faster.
pub(super) async fn begin(tx: &Tx, run: &Run, (bounds, count): &(Vec<Uuid>, i64), now: Time) -> Result<(), Error> {
    let insert = "INSERT INTO job_run (job, run_date, cut_time, expected, begin_time, end_time) VALUES ($1, $2, $3, $4, $5, NULL) \
                  ON CONFLICT (job, run_date) DO NOTHING";
    let values = [DAILY.into(), run.date.into(), run.cut.into(), (*count).into(), now.into()];
    if tx.execute_raw(statement(&**tx, insert, values)).await?.rows_affected() == 0 {
        return Ok(());
    }
    let lowers = std::iter::once(Uuid::nil()).chain(bounds.iter().copied());
    let uppers = bounds.iter().copied().map(Some).chain([None]);
    for (number, (lower, upper)) in (0_i64..).zip(lowers.zip(uppers)) {
        let insert = "INSERT INTO job_range (job, run_date, number, position, upper, done, wallets, moved, expired, differences, repaired) \
                      VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0, 0)";
        let values = [DAILY.into(), run.date.into(), number.into(), lower.into(), upper.into(), false.into()];
        tx.execute_raw(statement(&**tx, insert, values)).await?;
    }
    Ok(())
}

/// A range as it is now, locked until the transaction ends; none where there are fewer.
pub(super) async fn range(tx: &Tx, date: Date, number: i64) -> Result<Option<Range>, Error> {
    let lock = if tx.has_others() { " FOR UPDATE" } else { "" };
    let select =
        format!("SELECT position, upper, done FROM job_range WHERE job = $1 AND run_date = $2 AND number = $3{lock}");
    let values = [DAILY.into(), date.into(), number.into()];
    Ok(Range::find_by_statement(statement(&**tx, &select, values)).one(&**tx).await?)
}

/// Moves a range on, unless another has.
pub(super) async fn advance(
    tx: &Tx,
    (date, number): (Date, i64),
    before: Uuid,
    after: Option<Uuid>,
    counts: Counts,
) -> Result<(), Error> {
    let update = "UPDATE job_range SET position = $4, done = $5, wallets = wallets + $6, moved = moved + $7, \
                  expired = expired + $8, differences = differences + $9, repaired = repaired + $10 \
                  WHERE job = $1 AND run_date = $2 AND number = $3 AND position = $11 AND NOT done";
    let Counts { wallets, moved, expired, differences, repaired, .. } = counts;
    let values = [
        DAILY.into(),
        date.into(),
        number.into(),
        after.unwrap_or(before).into(),
        after.is_none().into(),
        wallets.into(),
        moved.into(),
        expired.into(),
        differences.into(),
        repaired.into(),
        before.into(),
    ];
    match tx.execute_raw(statement(&**tx, update, values)).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::lost(format!("range {number} of {DAILY} of {date}"))),
    }
}

/// Writes that a run has ended, if all of its ranges have.
pub(super) async fn end(tx: &Tx, date: Date, now: Time) -> Result<(), Error> {
    let update = "UPDATE job_run SET end_time = $3 WHERE job = $1 AND run_date = $2 AND end_time IS NULL AND NOT EXISTS \
                  (SELECT 1 FROM job_range WHERE job = $1 AND run_date = $2 AND NOT done)";
    tx.execute_raw(statement(&**tx, update, [DAILY.into(), date.into(), now.into()])).await?;
    Ok(())
}

/// What a run has counted so far.
pub(super) async fn counts(conn: &impl ConnectionTrait, date: Date) -> Result<Counts, Error> {
    let select = "SELECT CAST(coalesce(sum(r.wallets), 0) AS BIGINT) AS wallets, max(j.expected) AS expected, \
                    CAST(coalesce(sum(r.moved), 0) AS BIGINT) AS moved, CAST(coalesce(sum(r.expired), 0) AS BIGINT) AS expired, \
                    CAST(coalesce(sum(r.differences), 0) AS BIGINT) AS differences, \
                    CAST(coalesce(sum(r.repaired), 0) AS BIGINT) AS repaired \
                  FROM job_run AS j JOIN job_range AS r ON r.job = j.job AND r.run_date = j.run_date \
                  WHERE j.job = $1 AND j.run_date = $2 GROUP BY j.job";
    let found = Counts::find_by_statement(statement(conn, select, [DAILY.into(), date.into()])).one(conn).await?;
    Ok(found.unwrap_or_default())
}

/// The last wallet of the next chunk of a range, and how many it has; none at its end.
pub(super) async fn chunk(tx: &Tx, range: &Range, most: i64) -> Result<Option<(Uuid, i64)>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        last: Option<Uuid>,
        number: i64,
    }
    let upper = if range.upper.is_some() { " AND member_id <= $3" } else { "" };
    // (There is no `max` of UUIDs in PostgreSQL 15.)
    let select = format!(
        "SELECT member_id AS last, count(*) OVER () AS number FROM \
           (SELECT member_id FROM point_wallet WHERE member_id > $1{upper} ORDER BY member_id LIMIT $2) AS w \
         ORDER BY member_id DESC LIMIT 1"
    );
    let values = [Some(range.position.into()), Some(most.into()), range.upper.map(Value::from)];
    let row = Row::find_by_statement(statement(&**tx, &select, values.into_iter().flatten())).one(&**tx).await?;
    Ok(row.and_then(|row| Some((row.last?, row.number))))
}

/// The wallets of a chunk that time has changed by a moment, in the order of their ids, which is that of their locks.
pub(super) async fn due(tx: &Tx, (from, to): (Uuid, Uuid), cut: Time) -> Result<Vec<MemberId>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        member_id: Uuid,
    }
    let select = "SELECT member_id FROM point_wallet WHERE member_id > $1 AND member_id <= $2 AND change_time <= $3 \
                  ORDER BY member_id";
    let values = [from.into(), to.into(), cut.into()];
    let rows = Row::find_by_statement(statement(&**tx, select, values)).all(&**tx).await?;
    Ok(rows.into_iter().map(|row| MemberId(row.member_id)).collect())
}

/// Keeps the balances of a chunk as those of a day.
pub(super) async fn snapshot(tx: &Tx, (from, to): (Uuid, Uuid), date: Date) -> Result<(), Error> {
    let insert = "INSERT INTO point_snapshot (run_date, member_id, available, pending, reserved, owed, version) \
                  SELECT $3, member_id, available, pending, reserved, owed, version FROM point_wallet \
                  WHERE member_id > $1 AND member_id <= $2 ON CONFLICT (run_date, member_id) DO NOTHING";
    tx.execute_raw(statement(&**tx, insert, [from.into(), to.into(), date.into()])).await?;
    Ok(())
}

/// Notes the wallets of a chunk that differ from their lots or their movements; how many there are.
pub(super) async fn compare(tx: &Tx, (from, to): (Uuid, Uuid), date: Date) -> Result<i64, Error> {
    let insert = "
INSERT INTO point_difference (run_date, member_id, held, pending, reserved, owed, lots_held, lots_pending, moved, moved_reserved, repaired)
SELECT $3, w.member_id, w.available + w.pending, w.pending, w.reserved, w.owed, coalesce(l.live, 0), coalesce(l.pending, 0),
       coalesce(m.amount, 0), coalesce(m.held, 0), $4
FROM point_wallet AS w
LEFT JOIN (SELECT member_id, CAST(sum(remaining) AS BIGINT) AS live,
                  CAST(sum(CASE WHEN pending THEN remaining ELSE 0 END) AS BIGINT) AS pending
           FROM point_lot WHERE remaining > 0 AND member_id > $1 AND member_id <= $2 GROUP BY member_id) AS l
  ON l.member_id = w.member_id
LEFT JOIN (SELECT member_id, CAST(sum(amount) AS BIGINT) AS amount, CAST(sum(held) AS BIGINT) AS held
           FROM point_movement WHERE member_id > $1 AND member_id <= $2 GROUP BY member_id) AS m
  ON m.member_id = w.member_id
WHERE w.member_id > $1 AND w.member_id <= $2
  AND (w.available + w.pending <> coalesce(l.live, 0) OR w.pending <> coalesce(l.pending, 0)
       OR w.available + w.pending - w.owed <> coalesce(m.amount, 0) OR w.reserved <> coalesce(m.held, 0))
ON CONFLICT (run_date, member_id) DO NOTHING";
    let values = [from.into(), to.into(), date.into(), false.into()];
    let written = tx.execute_raw(statement(&**tx, insert, values)).await?.rows_affected();
    Ok(i64::try_from(written).unwrap_or(i64::MAX))
}

/// Puts wallets of a chunk right that differ where their lots and their movements agree; how many there were.
pub(super) async fn repair(tx: &Tx, (from, to): (Uuid, Uuid), date: Date) -> Result<i64, Error> {
    let agree = "d.run_date = $3 AND d.member_id > $1 AND d.member_id <= $2 AND NOT d.repaired \
                 AND d.lots_held - d.owed = d.moved AND (d.owed = 0 OR d.lots_held = d.lots_pending)";
    let values = || [Value::from(from), to.into(), date.into()];
    let update = format!(
        "UPDATE point_wallet SET version = version + 1, \
           available = (SELECT d.lots_held - d.lots_pending FROM point_difference AS d \
                        WHERE {agree} AND d.member_id = point_wallet.member_id), \
           pending = (SELECT d.lots_pending FROM point_difference AS d WHERE {agree} AND d.member_id = point_wallet.member_id), \
           reserved = (SELECT d.moved_reserved FROM point_difference AS d \
                       WHERE {agree} AND d.member_id = point_wallet.member_id) \
         WHERE member_id IN (SELECT d.member_id FROM point_difference AS d WHERE {agree})"
    );
    let repaired = tx.execute_raw(statement(&**tx, &update, values())).await?.rows_affected();
    let agree = agree.replace("d.", "");
    let noted = format!("UPDATE point_difference SET repaired = $4 WHERE {agree}");
    tx.execute_raw(statement(&**tx, &noted, values().into_iter().chain([true.into()]))).await?;
    Ok(i64::try_from(repaired).unwrap_or(i64::MAX))
}

/// Some wallets that something has moved since a moment, behind one of them in the order of when.
pub(super) async fn active(
    conn: &impl ConnectionTrait,
    (since, behind): (Time, Uuid),
    most: i64,
) -> Result<Vec<(Time, MemberId)>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        member_id: Uuid,
        update_time: Time,
    }
    let select = "SELECT member_id, update_time FROM point_wallet WHERE (update_time, member_id) > ($1, $2) \
                  ORDER BY update_time, member_id LIMIT $3";
    let values = [since.into(), behind.into(), most.into()];
    let rows = Row::find_by_statement(statement(conn, select, values)).all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.update_time, MemberId(row.member_id))).collect())
}
