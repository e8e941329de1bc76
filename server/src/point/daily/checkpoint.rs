//! How far a run has come: beside the wallets, or in a database of its own.

use chrono::{Days, NaiveTime};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, FromQueryResult};
use yeyak_migrations::make_job_tables;

use super::DAILY;
use super::store::statement;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Date;
use crate::kit::tx::{Db, Tx};

/// The run of a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) date: Date,
    /// What is due until then is done.
    pub(super) cut: Time,
    pub(super) has_ended: bool,
}

impl Run {
    /// One that begins now: what is due by the end of the day in UTC is done; of a day that is not over, what is due by now.
    pub(super) fn of(date: Date, now: Time) -> Self {
        Self { date, cut: end_of(date).min(now), has_ended: false }
    }

    /// Whether nothing of its day is left to do: it has ended, and its day was over when it began.
    pub(super) fn is_done(&self) -> bool {
        self.has_ended && !self.is_early()
    }

    /// Whether it is to begin anew: it was of a day that was not over, and is through, or its day is over by now.
    pub(super) fn is_to_begin_anew(&self, now: Time) -> bool {
        self.is_early() && (self.has_ended || end_of(self.date) <= now)
    }

    fn is_early(&self) -> bool {
        self.cut < end_of(self.date)
    }
}

fn end_of(date: Date) -> Time {
    date.checked_add_days(Days::new(1)).unwrap_or(date).and_time(NaiveTime::MIN).and_utc()
}

/// A range of a run: wallets behind `position`, up to `upper` and with it; of the last one, all behind.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Range {
    pub(super) position: Uuid,
    pub(super) upper: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct Found {
    run_date: Date,
    cut_time: Time,
    ended: bool,
}

impl From<Found> for Run {
    fn from(found: Found) -> Self {
        Self { date: found.run_date, cut: found.cut_time, has_ended: found.ended }
    }
}

/// Makes the tables of runs in a database of their own, where they are not there yet.
pub(super) async fn prepare(runs: &Db) -> Result<(), Error> {
    let make = async |tx: Tx| {
        // Two that make a table at the same moment fail each other.
        tx.take_turn(Uuid::nil()).await?;
        Ok(make_job_tables(&*tx).await?)
    };
    runs.write(make).await
}

/// The run of a day.
pub(super) async fn find(conn: &impl ConnectionTrait, date: Date) -> Result<Option<Run>, Error> {
    let select =
        "SELECT run_date, cut_time, end_time IS NOT NULL AS ended FROM job_run WHERE job = $1 AND run_date = $2";
    let found = Found::find_by_statement(statement(conn, select, [DAILY.into(), date.into()])).one(conn).await?;
    Ok(found.map(Run::from))
}

/// The runs of the last days up to one, the latest first.
pub(super) async fn latest(conn: &impl ConnectionTrait, until: Date, most: i64) -> Result<Vec<Run>, Error> {
    let select = "SELECT run_date, cut_time, end_time IS NOT NULL AS ended FROM job_run WHERE job = $1 AND run_date <= $2 \
                  ORDER BY run_date DESC LIMIT $3";
    let values = [DAILY.into(), until.into(), most.into()];
    let found = Found::find_by_statement(statement(conn, select, values)).all(conn).await?;
    Ok(found.into_iter().map(Run::from).collect())
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
        let insert = "INSERT INTO job_range (job, run_date, number, position, upper, done, wallets) \
                      VALUES ($1, $2, $3, $4, $5, $6, 0)";
        let values = [DAILY.into(), run.date.into(), number.into(), lower.into(), upper.into(), false.into()];
        tx.execute_raw(statement(&**tx, insert, values)).await?;
    }
    Ok(())
}

/// Begins a run anew, with the ranges that it has, unless another was faster: it is no longer as it was found then.
pub(super) async fn begin_anew(tx: &Tx, found: &Run, run: &Run, now: Time) -> Result<(), Error> {
    let update = "UPDATE job_run SET cut_time = $3, begin_time = $4, end_time = NULL \
                  WHERE job = $1 AND run_date = $2 AND cut_time = $5 AND (end_time IS NOT NULL) = $6";
    let values = [DAILY.into(), run.date.into(), run.cut.into(), now.into(), found.cut.into(), found.has_ended.into()];
    if tx.execute_raw(statement(&**tx, update, values)).await?.rows_affected() == 0 {
        return Ok(());
    }
    // A range begins where the one before it ends.
    let update = "UPDATE job_range SET done = $3, wallets = 0, position = coalesce((SELECT low.upper FROM job_range AS low \
                    WHERE low.job = $1 AND low.run_date = $2 AND low.number = job_range.number - 1), $4) \
                  WHERE job = $1 AND run_date = $2";
    let values = [DAILY.into(), run.date.into(), false.into(), Uuid::nil().into()];
    tx.execute_raw(statement(&**tx, update, values)).await?;
    Ok(())
}

/// A range of a run that has not ended, locked until the transaction ends. Refused where the run was begun anew since.
pub(super) async fn open_range(tx: &Tx, run: &Run, number: i64) -> Result<Option<Range>, Error> {
    let lock = if tx.has_others() { " FOR UPDATE" } else { "" };
    let select = format!(
        "SELECT position, upper FROM job_range WHERE job = $1 AND run_date = $2 AND number = $3 AND NOT done{lock}"
    );
    let values = [DAILY.into(), run.date.into(), number.into()];
    let found = Range::find_by_statement(statement(&**tx, &select, values)).one(&**tx).await?;
    // Behind the lock: whoever begins a run anew changes its ranges too.
    match find(&**tx, run.date).await? {
        Some(now) if now.cut == run.cut => Ok(found),
        _ => Err(Error::contention(format!("{DAILY} of {} was begun anew by another", run.date))),
    }
}

/// Moves a range on behind a chunk, or to its end, unless another has.
pub(super) async fn advance(
    tx: &Tx,
    (date, number): (Date, i64),
    before: Uuid,
    done: Option<(Uuid, i64)>,
) -> Result<(), Error> {
    let update = "UPDATE job_range SET position = $4, done = $5, wallets = wallets + $6 \
                  WHERE job = $1 AND run_date = $2 AND number = $3 AND position = $7 AND NOT done";
    let (after, wallets) = done.unwrap_or((before, 0));
    let values =
        [DAILY.into(), date.into(), number.into(), after.into(), done.is_none().into(), wallets.into(), before.into()];
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

/// How many wallets a run has done, and how many there were when it began.
pub(super) async fn progress(conn: &impl ConnectionTrait, date: Date) -> Result<(i64, i64), Error> {
    #[derive(FromQueryResult)]
    struct Row {
        wallets: i64,
        expected: i64,
    }
    let select = "SELECT CAST(coalesce(sum(r.wallets), 0) AS BIGINT) AS wallets, max(j.expected) AS expected \
                  FROM job_run AS j JOIN job_range AS r ON r.job = j.job AND r.run_date = j.run_date \
                  WHERE j.job = $1 AND j.run_date = $2 GROUP BY j.job";
    let found = Row::find_by_statement(statement(conn, select, [DAILY.into(), date.into()])).one(conn).await?;
    Ok(found.map_or((0, 0), |row| (row.wallets, row.expected)))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::harness::Harness;
    use crate::kit::clock::Clock;

    /// Guards: of two that found a run of a day that was not over, one begins it anew; who goes on with what it was before does no more
    /// of it.
    #[tokio::test]
    async fn a_run_is_begun_anew_once_and_by_nobody_who_knows_it_as_it_was() {
        let yeyak = Harness::new().await;
        let (date, noon) = ("2026-03-01".parse().expect("a date"), yeyak.clock.now() + TimeDelta::hours(12));
        let midnight = noon + TimeDelta::hours(12);
        let (early, whole) = (Run::of(date, noon), Run::of(date, midnight));
        let bound = Uuid::from_u128(5);
        let first = async |tx: Tx| begin(&tx, &early, &(vec![bound], 9), noon).await;
        yeyak.db.write(first).await.expect("begins");
        let anew = async |tx: Tx| begin_anew(&tx, &early, &whole, midnight).await;
        yeyak.db.write(&anew).await.expect("begins anew");
        let work = async |tx: Tx| advance(&tx, (date, 0), Uuid::nil(), Some((Uuid::from_u128(3), 3))).await;
        yeyak.db.write(work).await.expect("does a chunk");

        yeyak.db.write(&anew).await.expect("finds it begun");

        assert_eq!(progress(yeyak.db.read(), date).await.expect("reads"), (3, 9), "what is done stays done");
        let open = async |run: Run| yeyak.db.write(async |tx| open_range(&tx, &run, 0).await).await;
        assert_eq!(open(whole).await.expect("goes on").expect("is open").position, Uuid::from_u128(3));
        open(early).await.expect_err("was begun anew");
    }
}
