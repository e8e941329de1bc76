//! The queries of the daily run over wallets, one a function.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, FromQueryResult, SqlErr, Statement, Value};

use super::checkpoint::Range;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::tx::{Db, Tx};
use crate::point::model::Purse;

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
    /// Wallets that differ from their lots, their movements or their reservations.
    pub differences: i64,
    /// How many of those were put right.
    pub repaired: i64,
}

/// A wallet that differs and is not put right: what it holds by itself, by its lots, by its movements and by its reservations.
#[derive(Clone, Copy, Debug, Eq, FromQueryResult, PartialEq)]
pub struct Difference {
    member_id: Uuid,
    /// By itself.
    pub held: i64,
    /// What of that it owes: its movements are without it.
    pub owed: i64,
    /// By what is left of its lots.
    pub lots_held: i64,
    /// By its movements.
    pub moved: i64,
    /// What it has set aside, by itself.
    pub reserved: i64,
    /// By its movements.
    pub moved_reserved: i64,
    /// By its reservations.
    pub reservations: i64,
}

impl Difference {
    /// Whose.
    pub fn member(&self) -> MemberId {
        MemberId(self.member_id)
    }
}

/// Some wallets that differed on a day and are not put right, in the order of their ids.
pub(super) async fn differences(conn: &impl ConnectionTrait, date: Date, most: i64) -> Result<Vec<Difference>, Error> {
    let select = "SELECT member_id, held, owed, lots_held, moved, reserved, moved_reserved, reservations \
                  FROM point_difference WHERE run_date = $1 AND NOT repaired ORDER BY member_id LIMIT $2";
    Ok(Difference::find_by_statement(statement(conn, select, [date.into(), most.into()])).all(conn).await?)
}

pub(super) fn statement(conn: &impl ConnectionTrait, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(conn.get_database_backend(), sql, values)
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
    // Once along the index, a range at a time: a statement takes no longer than one may.
    let select = "SELECT member_id FROM point_wallet WHERE member_id > $1 ORDER BY member_id LIMIT 1 OFFSET $2";
    let each = (count / ranges).max(1);
    let (mut bounds, mut behind) = (Vec::new(), Uuid::nil());
    for _ in 1..ranges {
        let next = statement(conn, select, [behind.into(), (each - 1).into()]);
        let Some(row) = Row::find_by_statement(next).one(conn).await? else { break };
        behind = row.member_id;
        bounds.push(behind);
    }
    Ok((bounds, count))
}

/// What a run has done, of what it has written.
pub(super) async fn counts(
    conn: &impl ConnectionTrait,
    date: Date,
    (wallets, expected): (i64, i64),
) -> Result<Counts, Error> {
    let select = "SELECT $2 AS wallets, $3 AS expected, s.moved AS moved, s.expired AS expired, d.found AS differences, \
                    d.repaired AS repaired \
                  FROM (SELECT count(*) AS moved, CAST(coalesce(sum(expired), 0) AS BIGINT) AS expired FROM point_snapshot \
                        WHERE run_date = $1 AND moved) AS s, \
                       (SELECT count(*) AS found, CAST(coalesce(sum(CASE WHEN repaired THEN 1 ELSE 0 END), 0) AS BIGINT) AS repaired \
                        FROM point_difference WHERE run_date = $1) AS d";
    let values = [date.into(), wallets.into(), expected.into()];
    let found = Counts::find_by_statement(statement(conn, select, values)).one(conn).await?;
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
    let select = "SELECT member_id FROM point_wallet WHERE member_id > $1 AND member_id <= $2 AND change_time <= $3 \
                  ORDER BY member_id";
    members(&**tx, statement(&**tx, select, [from.into(), to.into(), cut.into()])).await
}

/// Keeps the balances of a chunk as those of a day, in place of older ones; with those of which time had made something, and what
/// of each had expired.
pub(super) async fn snapshot(
    tx: &Tx,
    (from, to): (Uuid, Uuid),
    date: Date,
    settled: &[(MemberId, i64)],
) -> Result<(), Error> {
    let members: Vec<Uuid> = settled.iter().map(|(member, _)| member.0).collect();
    let expired: Vec<i64> = settled.iter().map(|(_, expired)| *expired).collect();
    if tx.has_others() {
        // Rows that may be there already take twice the time, and hardly ever are.
        let known = "SELECT member_id FROM point_snapshot \
                     WHERE run_date = $1 AND member_id > $2 AND member_id <= $3 LIMIT 1";
        let known = statement(&**tx, known, [date.into(), from.into(), to.into()]);
        let in_place = match tx.query_one_raw(known).await? {
            None => "",
            Some(_) => {
                " ON CONFLICT (run_date, member_id) DO UPDATE SET available = excluded.available, \
                    pending = excluded.pending, reserved = excluded.reserved, owed = excluded.owed, \
                    version = excluded.version, moved = point_snapshot.moved OR excluded.moved, \
                    expired = point_snapshot.expired + excluded.expired \
                  WHERE point_snapshot.version < excluded.version"
            }
        };
        // In one statement: of a table that has just been filled nobody knows how to look into it well.
        let insert = format!(
            "INSERT INTO point_snapshot \
               (run_date, member_id, available, pending, reserved, owed, version, moved, expired) \
             SELECT $3, w.member_id, w.available, w.pending, w.reserved, w.owed, w.version, \
               x.member_id IS NOT NULL, coalesce(x.expired, 0) \
             FROM point_wallet AS w \
             LEFT JOIN unnest($4::uuid[], $5::bigint[]) AS x (member_id, expired) ON x.member_id = w.member_id \
             WHERE w.member_id > $1 AND w.member_id <= $2{in_place}"
        );
        let values = [from.into(), to.into(), date.into(), members.into(), expired.into()];
        return match tx.execute_raw(statement(&**tx, &insert, values)).await {
            // Another did the chunk meanwhile: one that had lost its hold on the range.
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Err(Error::lost(format!("balances of {date}")))
            }
            done => Ok(done.map(drop)?),
        };
    }
    let insert = "INSERT INTO point_snapshot (run_date, member_id, available, pending, reserved, owed, version) \
                  SELECT $3, member_id, available, pending, reserved, owed, version FROM point_wallet \
                  WHERE member_id > $1 AND member_id <= $2 \
                  ON CONFLICT (run_date, member_id) DO UPDATE SET available = excluded.available, \
                    pending = excluded.pending, reserved = excluded.reserved, owed = excluded.owed, version = excluded.version \
                  WHERE point_snapshot.version < excluded.version";
    tx.execute_raw(statement(&**tx, insert, [from.into(), to.into(), date.into()])).await?;
    let update =
        "UPDATE point_snapshot SET moved = true, expired = expired + $3 WHERE run_date = $1 AND member_id = $2";
    for (member, expired) in members.into_iter().zip(expired) {
        tx.execute_raw(statement(&**tx, update, [date.into(), member.into(), expired.into()])).await?;
    }
    Ok(())
}

/// Whether the balances of a day are kept.
pub(super) async fn has_balances(conn: &impl ConnectionTrait, date: Date) -> Result<bool, Error> {
    let select = "SELECT member_id FROM point_snapshot WHERE run_date = $1 LIMIT 1";
    Ok(conn.query_one_raw(statement(conn, select, [date.into()])).await?.is_some())
}

/// Few enough that one statement is far from its time limit.
const FORGOTTEN: i64 = 5_000;

/// Deletes a slice of the balances of days up to one, behind where the slice before ended: what that has left of the index would be
/// gone through again. Where this one ends, if there may be more.
pub(super) async fn forget_balances(
    db: &Db,
    until: Date,
    (day, behind): (Date, Uuid),
) -> Result<Option<(Date, Uuid)>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        run_date: Date,
        member_id: Uuid,
    }
    let delete = "DELETE FROM point_snapshot WHERE (run_date, member_id) IN \
                    (SELECT run_date, member_id FROM point_snapshot \
                     WHERE run_date <= $1 AND (run_date, member_id) > ($3, $4) ORDER BY run_date, member_id LIMIT $2) \
                  RETURNING run_date, member_id";
    let delete = async |tx: Tx| {
        let values = [until.into(), FORGOTTEN.into(), day.into(), behind.into()];
        let deleted = Row::find_by_statement(statement(&*tx, delete, values)).all(&*tx).await?;
        let is_full = i64::try_from(deleted.len()) == Ok(FORGOTTEN);
        Ok(deleted.iter().map(|row| (row.run_date, row.member_id)).max().filter(|_| is_full))
    };
    db.write(delete).await
}

/// Notes a wallet that lacks a lot as one that differs on a day, though its sums may agree.
pub(super) async fn note_differing(tx: &Tx, date: Date, purse: &Purse) -> Result<(), Error> {
    let insert = "INSERT INTO point_difference (run_date, member_id, held, pending, reserved, owed, lots_held, lots_pending, moved, \
                    moved_reserved, reservations, repaired) \
                  VALUES ($1, $2, $3, $4, $5, $6, $3, $4, $7, $5, $5, $8) ON CONFLICT (run_date, member_id) DO NOTHING";
    let wallet = &purse.wallet;
    let values = [
        date.into(),
        wallet.member.0.into(),
        (wallet.available + wallet.pending).into(),
        wallet.pending.into(),
        wallet.reserved.into(),
        wallet.owed.into(),
        wallet.balance().into(),
        false.into(),
    ];
    tx.execute_raw(statement(&**tx, insert, values)).await?;
    Ok(())
}

/// Wallets that differed on a day and are not put right, behind one of them in the order of their ids.
pub(super) async fn differing(
    conn: &impl ConnectionTrait,
    date: Date,
    behind: Uuid,
    most: i64,
) -> Result<Vec<MemberId>, Error> {
    let select = "SELECT member_id FROM point_difference WHERE run_date = $1 AND member_id > $2 AND NOT repaired \
                  ORDER BY member_id LIMIT $3";
    members(conn, statement(conn, select, [date.into(), behind.into(), most.into()])).await
}

/// How many wallets differed on a day and are not put right.
pub(super) async fn differing_count(conn: &impl ConnectionTrait, date: Date) -> Result<i64, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        number: i64,
    }
    let select = "SELECT count(*) AS number FROM point_difference WHERE run_date = $1 AND NOT repaired";
    let found = Row::find_by_statement(statement(conn, select, [date.into()])).one(conn).await?;
    Ok(found.map_or(0, |row| row.number))
}

/// What the movements of a wallet add up to, and where they have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub(super) held: i64,
    pub(super) reserved: i64,
    pub(super) number: i64,
    pub(super) version: i64,
}

/// What the movements of wallets add up to and where they have come, of those that have any.
pub(super) async fn moved(tx: &Tx, members: &[MemberId]) -> Result<HashMap<MemberId, Moved>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        member_id: Uuid,
        held: i64,
        reserved: i64,
        number: i64,
        version: i64,
    }
    let select = format!(
        "SELECT member_id, CAST(sum(amount) AS BIGINT) AS held, CAST(sum(held) AS BIGINT) AS reserved, \
           max(number) AS number, max(version) AS version \
         FROM point_movement WHERE member_id IN ({}) GROUP BY member_id",
        places(1, members.len())
    );
    let values = members.iter().map(|member| Value::from(member.0));
    let rows = Row::find_by_statement(statement(&**tx, &select, values)).all(&**tx).await?;
    let moved = |row: Row| {
        let Row { member_id, held, reserved, number, version } = row;
        (MemberId(member_id), Moved { held, reserved, number, version })
    };
    Ok(rows.into_iter().map(moved).collect())
}

/// Notes that wallets which differed are right, on whichever days they did.
pub(super) async fn note_repaired(tx: &Tx, members: &[MemberId]) -> Result<(), Error> {
    if members.is_empty() {
        return Ok(());
    }
    let places = places(1, members.len());
    let update = format!("UPDATE point_difference SET repaired = true WHERE NOT repaired AND member_id IN ({places})");
    let values = members.iter().map(|member| Value::from(member.0));
    tx.execute_raw(statement(&**tx, &update, values)).await?;
    Ok(())
}

/// The places of so many values in a statement, from one on: `$2, $3, $4`.
fn places(first: usize, count: usize) -> String {
    let places: Vec<_> = (first..first + count).map(|at| format!("${at}")).collect();
    places.join(", ")
}

pub(super) async fn members(conn: &impl ConnectionTrait, statement: Statement) -> Result<Vec<MemberId>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        member_id: Uuid,
    }
    let rows = Row::find_by_statement(statement).all(conn).await?;
    Ok(rows.into_iter().map(|row| MemberId(row.member_id)).collect())
}

/// Some wallets that something has moved between two moments, behind one of them in the order of when.
pub(super) async fn active(
    conn: &impl ConnectionTrait,
    (since, behind): (Time, Uuid),
    until: Time,
    most: i64,
) -> Result<Vec<(Time, MemberId)>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        member_id: Uuid,
        update_time: Time,
    }
    let select = "SELECT member_id, update_time FROM point_wallet WHERE (update_time, member_id) > ($1, $2) AND update_time <= $4 \
                  ORDER BY update_time, member_id LIMIT $3";
    let values = [since.into(), behind.into(), most.into(), until.into()];
    let rows = Row::find_by_statement(statement(conn, select, values)).all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.update_time, MemberId(row.member_id))).collect())
}
