//! A run from its begin to its end.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use metrics::gauge;
use uuid::Uuid;

use super::checkpoint::{self, Run};
use super::pace::Pace;
use super::{Counts, DAILY, DIFFERENCES, Difference, MOST_SESSIONS, Order, Progress, Report, store};
use crate::error::Error;
use crate::kit::date::{Date, Tz, days_before, local_date};
use crate::kit::tx::Db;
use crate::point::Points;

/// Into how many ranges the wallets are divided.
const RANGES: i64 = 8;
/// For how many days the balances of a day are kept: each has a row for every wallet.
const KEPT: u16 = 35;
/// Slices of them that one run deletes, at most: two days of the largest installation.
const SLICES: u64 = 2_000;

impl Points {
    /// Runs what is left of the run of a day; how many wallets that were. Of a day that is done, wallets that differed are put right
    /// where that is asked for.
    pub(super) async fn run_day(&self, order: &Order) -> Result<u64, Error> {
        let run = self.begin_day(order).await?;
        if run.is_done() {
            let mended = if order.repair { self.mend_day(run.date).await? } else { 0 };
            self.measure(run.date).await?;
            return Ok(mended);
        }
        let began = Instant::now();
        let (before, _) = checkpoint::progress(self.runs().read(), run.date).await?;
        let sessions = if self.kit.db.is_shared() { usize::from(order.sessions.clamp(1, MOST_SESSIONS)) } else { 1 };
        let numbers: Vec<Vec<i64>> = (0..sessions).map(|at| (0..RANGES).skip(at).step_by(sessions).collect()).collect();
        try_join_all(numbers.iter().map(|numbers| self.run_ranges(order, &run, numbers, (began, before)))).await?;
        if order.repair {
            // Of ranges that were done without it, before the run was killed.
            self.mend_day(run.date).await?;
        }
        if order.warm {
            self.warm(run.cut, order.share).await?;
        }
        let now = self.now();
        self.runs().write(async |tx| checkpoint::end(&tx, run.date, now).await).await?;
        // The day is done whatever becomes of this: what is left now is for the next.
        if let Err(error) = self.forget_balances(order).await {
            tracing::warn!("balances of days long ago could not be deleted: {error}");
        }
        let done = self.counts(run.date).await?;
        tracing::info!(
            date = %run.date, wallets = done.wallets, differences = done.differences,
            "{DAILY} of {} did {} wallets and found {} differences", run.date, done.wallets, done.differences
        );
        let left = self.measure(run.date).await?;
        if left > 0 {
            tracing::warn!(
                date = %run.date, differences = left,
                "{left} wallets differ from their lots, movements or reservations: see point_difference, and \
                 `yeyak job run {DAILY} --date {} --repair`", run.date
            );
        }
        Ok(u64::try_from(done.wallets - before).unwrap_or(0))
    }

    /// The run of a day and how far it is; none where it has not begun.
    pub async fn daily_report(&self, date: Date) -> Result<Option<Report>, Error> {
        let Some(run) = checkpoint::find(self.runs().read(), date).await? else { return Ok(None) };
        let counts = self.counts(date).await?;
        let is_kept = counts.wallets == 0 || store::has_balances(self.kit.db.read(), date).await?;
        Ok(Some(Report { date, is_done: run.is_done(), is_kept, counts }))
    }

    /// So many of the wallets that differed on a day and are not put right, at most.
    pub async fn daily_differences(&self, date: Date, most: i64) -> Result<Vec<Difference>, Error> {
        store::differences(self.kit.db.read(), date, most).await
    }

    async fn counts(&self, date: Date) -> Result<Counts, Error> {
        let progress = checkpoint::progress(self.runs().read(), date).await?;
        store::counts(self.kit.db.read(), date, progress).await
    }

    /// Tells how many wallets still differ of those that did on a day. A day that is done is told of again, so that a process which
    /// was started since knows too.
    async fn measure(&self, date: Date) -> Result<i64, Error> {
        let left = store::differing_count(self.kit.db.read(), date).await?;
        gauge!(DIFFERENCES).set(f64::from(u32::try_from(left).unwrap_or(u32::MAX)));
        Ok(left)
    }

    /// Tells it of the latest day, whichever process has run it.
    pub(super) async fn measure_latest(&self) -> Result<(), Error> {
        self.prepare_runs().await?;
        let today = local_date(Tz::UTC, self.now());
        match checkpoint::latest(self.runs().read(), today, 1).await?.first() {
            Some(run) => self.measure(run.date).await.map(drop),
            None => Ok(()),
        }
    }

    /// Where runs are kept.
    pub(super) fn runs(&self) -> &Db {
        self.jobs.as_ref().unwrap_or(&self.kit.db)
    }

    /// Makes the tables of runs, where they are in a database of their own.
    pub(super) async fn prepare_runs(&self) -> Result<(), Error> {
        match &self.jobs {
            Some(runs) => checkpoint::prepare(runs).await,
            None => Ok(()),
        }
    }

    /// Begins the run of a day, or goes on with it; one of a day that was not over begins anew.
    async fn begin_day(&self, order: &Order) -> Result<Run, Error> {
        self.prepare_runs().await?;
        let now = self.now();
        let run = Run::of(order.date, now);
        match checkpoint::find(self.runs().read(), order.date).await? {
            Some(found) if !found.is_to_begin_anew(now) => return Ok(found),
            Some(found) => {
                self.runs().write(async |tx| checkpoint::begin_anew(&tx, &found, &run, now).await).await?;
            }
            None => {
                let bounds = store::bounds(self.kit.db.read(), RANGES).await?;
                self.runs().write(async |tx| checkpoint::begin(&tx, &run, &bounds, now).await).await?;
            }
        }
        // Another may have been faster; its cut and its ranges count then.
        let found = checkpoint::find(self.runs().read(), order.date).await?;
        found.ok_or_else(|| Error::internal("a run that was just begun is there"))
    }

    async fn run_ranges(
        &self,
        order: &Order,
        run: &Run,
        numbers: &[i64],
        (began, before): (Instant, i64),
    ) -> Result<(), Error> {
        let mut pace = Pace::of(&self.kit.db);
        for number in numbers {
            loop {
                let chunk = Instant::now();
                match self.do_chunk(order, run, *number, pace.wallets()).await {
                    Ok(true) => pace.went_well(),
                    Ok(false) => break,
                    Err(error) => {
                        let Some(pause) = pace.again(&error) else { return Err(error) };
                        let (date, wallets) = (run.date, pace.wallets());
                        tracing::warn!(
                            date = %date, wallets,
                            "a chunk of range {number} of {DAILY} of {date} is tried again, of {wallets} wallets at most: {error}"
                        );
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                }
                self.tell(order, run, began, before).await?;
                tokio::time::sleep(rest(chunk.elapsed(), order.share)).await;
            }
        }
        Ok(())
    }

    /// Deletes the balances of days long ago, a slice at a time.
    async fn forget_balances(&self, order: &Order) -> Result<(), Error> {
        let until = days_before(order.date, KEPT);
        let mut behind = (Date::default(), Uuid::nil());
        for _ in 0..SLICES {
            let slice = Instant::now();
            let Some(last) = store::forget_balances(&self.kit.db, until, behind).await? else { break };
            behind = last;
            tokio::time::sleep(rest(slice.elapsed(), order.share)).await;
        }
        Ok(())
    }

    async fn tell(&self, order: &Order, run: &Run, began: Instant, before: i64) -> Result<(), Error> {
        let (done, expected) = checkpoint::progress(self.runs().read(), run.date).await?;
        let all = done.max(expected);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let rate = (done - before) as f64 / began.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a time for people to read")]
        let left = Duration::try_from_secs_f64((all - done) as f64 / rate.max(0.001)).unwrap_or(Duration::MAX);
        (order.progress)(Progress { done, all, rate, left });
        Ok(())
    }
}

/// How long to leave the database alone behind a piece of work, so that no more than a share of its time is taken.
pub(super) fn rest(worked: Duration, share: u8) -> Duration {
    let share = u32::from(share.clamp(1, 100));
    worked * (100 - share) / share
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics_exporter_prometheus::PrometheusBuilder;
    use sea_orm::ConnectionTrait;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::backend::cache::MemoryCache;
    use crate::harness::Harness;
    use crate::kit::clock::Clock;

    /// Guard: wallets that differ are told of by the name that the alert asks for.
    #[tokio::test]
    async fn somebody_is_told_of_wallets_that_differ() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _installed = metrics::set_default_local_recorder(&recorder);
        let yeyak = Harness::new().await;
        let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
        let points = Points::new(yeyak.kit.clone(), cache, TaskTracker::new());
        let date = Date::from_ymd_opt(2026, 3, 1).expect("a date");
        let insert = "INSERT INTO point_difference (run_date, member_id, held, pending, reserved, owed, lots_held, \
                        lots_pending, moved, moved_reserved, repaired) VALUES ($1, $2, 7, 0, 0, 0, 0, 0, 0, 0, $3)";
        let written = yeyak.db.write(async |tx| {
            let values = [date.into(), Uuid::from_u128(1).into(), false.into()];
            Ok(tx.execute_raw(store::statement(&*tx, insert, values)).await.map(drop)?)
        });
        written.await.expect("writes");

        assert_eq!(points.measure(date).await.expect("measures"), 1);

        assert!(recorder.handle().render().contains("yeyak_points_differences 1"));
        assert!(include_str!("../../../../ops/alerts.yaml").contains(DIFFERENCES));
        let other = "INSERT INTO job_run VALUES \
                       ('points-daily', '2026-02-28', '2026-02-28 00:00:00+00:00', 1, '2026-02-28 00:00:00+00:00', NULL)";
        let begun = yeyak.db.write(async |tx| Ok(tx.execute_unprepared(other).await.map(drop)?)).await;
        begun.expect("writes");
        points.jobs()[0].stand_back().await.expect("looks");
        assert!(recorder.handle().render().contains("yeyak_points_differences 0"), "of the latest run, whoever ran it");
    }

    /// Guard: the age of what is deleted, of which a slice at a time goes.
    #[tokio::test]
    async fn balances_of_days_long_ago_are_deleted() {
        let yeyak = Harness::new().await;
        let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
        let points = Points::new(yeyak.kit.clone(), cache, TaskTracker::new());
        let date = local_date(Tz::UTC, yeyak.clock.now());
        for days in [KEPT - 1, KEPT, KEPT + 1] {
            let day = days_before(date, days);
            let numbers: Vec<u128> = (1..=5001).collect();
            let written = yeyak.db.write(async |tx| {
                for some in numbers.chunks(1_000) {
                    let rows: Vec<_> = (2..).take(some.len()).map(|at| format!("($1, ${at}, 1, 0, 0, 0, 1)")).collect();
                    let columns = "run_date, member_id, available, pending, reserved, owed, version";
                    let insert = format!("INSERT INTO point_snapshot ({columns}) VALUES {}", rows.join(", "));
                    let members = some.iter().map(|number| Uuid::from_u128(*number).into());
                    let values = std::iter::once(day.into()).chain(members);
                    tx.execute_raw(store::statement(&*tx, &insert, values)).await?;
                }
                Ok(())
            });
            written.await.expect("writes");
        }

        points.run_day(&Order { share: 100, warm: false, ..Order::of(date) }).await.expect("runs");

        let left = "SELECT min(run_date) AS day, count(*) AS number FROM point_snapshot";
        let left = yeyak.db.read().query_one_raw(store::statement(yeyak.db.read(), left, [])).await.expect("reads");
        let left = left.expect("a row");
        let (day, number): (Date, i64) =
            (left.try_get("", "day").expect("a day"), left.try_get("", "number").expect("a number"));
        assert_eq!((day, number), (days_before(date, KEPT - 1), 5001));
    }

    #[test]
    fn a_share_of_the_time_is_left_to_others() {
        let worked = Duration::from_millis(300);
        assert_eq!(rest(worked, 100), Duration::ZERO);
        assert_eq!(rest(worked, 50), worked);
        assert_eq!(rest(worked, 25), worked * 3);
        assert_eq!(rest(worked, 0), worked * 99);
    }
}
