//! The daily run: once for its day, whoever runs it and however often it is killed.

mod mend;

use chrono::{NaiveDate, TimeDelta};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use yeyak::proto::point::v1::point_movement::Cause;
use yeyak::proto::point::v1::{EarnPointsRequest, ReservePointsRequest};
use yeyak_server::kit::crash::How;
use yeyak_server::kit::job::Job;
use yeyak_server::point::{Counts, Order};

use super::desk::{Desk, balance, stamp};
use crate::coupon::desk::crowd;

/// What a run writes, by table and its columns.
const TABLES: [(&str, &str); 6] = [
    (
        "point_wallet",
        "member_id, version, available, pending, reserved, owed, change_time, movement_count, update_time",
    ),
    ("point_lot", "id, member_id, points, remaining, clawed, pending"),
    (
        "point_movement",
        "id, member_id, number, version, cause, amount, held, balance, pieces, effective_time, create_time",
    ),
    ("point_spending", "id, state, given_back, pieces, wallet_version"),
    ("point_snapshot", "run_date, member_id, available, pending, reserved, owed, version"),
    ("point_difference", "run_date, member_id, held, lots_held, moved, reservations, repaired"),
];

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

impl Desk {
    async fn run(&self, date: &str) -> u64 {
        self.try_run(Order::of(day(date))).await.expect("runs")
    }

    async fn try_run(&self, order: Order) -> Result<u64, yeyak_server::error::Error> {
        self.yeyak.platform.points.daily(Order { share: 100, sessions: 2, ..order }).run().await
    }

    async fn run_as_scheduled(&self) -> u64 {
        self.yeyak.platform.points.jobs()[0].run().await.expect("runs")
    }

    async fn counts(&self, date: &str) -> Counts {
        let report = self.yeyak.platform.points.daily_report(day(date)).await.expect("reads").expect("has begun");
        assert!(report.is_done);
        report.counts
    }

    async fn lines(&self, select: &str) -> Vec<String> {
        let conn = self.yeyak.platform.kit.db.read();
        let select = Statement::from_string(conn.get_database_backend(), select);
        let rows = conn.query_all_raw(select).await.expect("reads");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a line")).collect()
    }

    async fn execute(&self, statement: &str) {
        let db = &self.yeyak.platform.kit.db;
        db.write(async |tx| Ok(tx.execute_unprepared(statement).await.map(drop)?)).await.expect("writes");
    }

    /// Everything that a run may have written, row for row.
    async fn rows(&self) -> Vec<String> {
        let postgres = self.yeyak.platform.kit.db.backend() == DatabaseBackend::Postgres;
        let mut all = Vec::new();
        for (table, columns) in TABLES {
            let line = |column: &str| match postgres {
                true => format!("coalesce(CAST({column} AS TEXT), '')"),
                false => format!("quote({column})"),
            };
            let line: Vec<_> = columns.split(", ").map(line).collect();
            let select = format!("SELECT {} AS line FROM {table} ORDER BY 1", line.join(" || ' ' || "));
            all.extend(self.lines(&select).await.into_iter().map(|line| format!("{table}: {line}")));
        }
        all
    }
}

/// Thirty wallets with lots that expire and mature, and reservations whose time is over, by the third of March.
async fn desk() -> Desk {
    let desk = Desk::new().await;
    let now = desk.now();
    for (at, (_, member_id)) in (0..).zip(crowd_in_order(&desk).await) {
        for hours in [6, 12, 30, 90] {
            let earn = EarnPointsRequest {
                member_id: member_id.clone(),
                available_time: (hours == 12).then(|| stamp(now + TimeDelta::hours(3))).flatten(),
                expire_time: stamp(now + TimeDelta::hours(hours + at % 5)),
                ..desk.ask(100 + at)
            };
            desk.admin.points().earn_points(earn).await.expect("earns");
            desk.yeyak.clock.advance(TimeDelta::milliseconds(1));
        }
        let reserve = ReservePointsRequest { member_id, points: 120, ..Default::default() };
        desk.admin.points().reserve_points(reserve).await.expect("reserves");
    }
    desk.yeyak.clock.set("2026-03-03T05:00:00Z".parse().expect("an instant"));
    desk
}

async fn crowd_in_order(desk: &Desk) -> Vec<(yeyak::Client, String)> {
    let mut all = Vec::new();
    for _ in 0..30 {
        all.extend(crowd(&desk.yeyak, 1).await);
        desk.yeyak.clock.advance(TimeDelta::milliseconds(1));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_has_done_is_written_down_and_each_wallet_is_kept_as_of_the_day() {
    let desk = desk().await;
    let before = balance(&desk.member).await;

    assert_eq!(desk.run("2026-03-02").await, 30);

    let counts = desk.counts("2026-03-02").await;
    assert_eq!((counts.wallets, counts.moved, counts.differences), (30, 30, 0));
    assert!(counts.expired > 30 * 100, "{counts:?}");
    assert_eq!(desk.lines("SELECT CAST(count(*) AS TEXT) FROM point_snapshot").await, ["30"]);
    let held = "SELECT CAST(sum(s.available + s.pending) AS TEXT) FROM point_snapshot AS s";
    let lots = "SELECT CAST(sum(remaining) AS TEXT) FROM point_lot";
    assert_eq!(desk.lines(held).await, desk.lines(lots).await);
    assert_eq!(balance(&desk.member).await, before, "who has nothing has no wallet");
    let rows = desk.rows().await;
    assert_eq!(desk.run("2026-03-02").await, 0, "once more does nothing");
    assert_eq!(desk.rows().await, rows);
    desk.yeyak.check().await;
}

/// Guard: what a chunk does and how far its range has come commit together.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_ten_moments_equals_one_that_is_not() {
    let (calm, killed) = (desk().await, desk().await);
    assert_eq!(calm.rows().await, killed.rows().await, "the same begin");
    calm.run("2026-03-02").await;

    for kill in 0..10 {
        let point = ["points-daily.done", "points-daily.committed"][kill % 2];
        killed.yeyak.platform.kit.crash.arm(point, How::Error);
        killed.try_run(Order::of(day("2026-03-02"))).await.expect_err("is killed");
    }
    killed.run("2026-03-02").await;

    assert_eq!(calm.rows().await, killed.rows().await);
    assert_eq!(calm.counts("2026-03-02").await, killed.counts("2026-03-02").await);
    killed.yeyak.check().await;
}

/// Guard: a range moves on from where it was, behind the lock of its row.
#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_are_one() {
    let (alone, twice) = (desk().await, desk().await);
    alone.run("2026-03-02").await;

    let order = || Order::of(day("2026-03-02"));
    let (one, other) = tokio::join!(twice.try_run(order()), twice.try_run(order()));

    one.expect("runs");
    other.expect("runs");
    assert_eq!(alone.rows().await, twice.rows().await);
    assert_eq!(alone.counts("2026-03-02").await, twice.counts("2026-03-02").await);
    twice.yeyak.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_who_spend_while_it_runs_lose_nothing() {
    let desk = desk().await;
    desk.earn(10_000).await;
    let spend = async {
        for _ in 0..40 {
            desk.spend(10).await.expect("spends");
        }
    };

    let (done, ()) = tokio::join!(desk.try_run(Order::of(day("2026-03-02"))), spend);

    assert_eq!((done.expect("runs"), desk.available().await), (31, 9_600));
    assert_eq!(desk.counts("2026-03-02").await.differences, 0);
    desk.yeyak.check().await;
}

/// Guard: a day is done once it is over; until then it is run as of now.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_not_over_is_run_again_when_it_is() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.earn_until(100, desk.now() + TimeDelta::hours(6)).await;
    let kept = "SELECT CAST(available AS TEXT) FROM point_snapshot";

    assert_eq!(desk.run("2026-03-02").await, 1);

    let early = desk.yeyak.platform.points.daily_report(day("2026-03-02")).await.expect("reads").expect("has begun");
    assert!(!early.is_done);
    assert_eq!((early.counts.moved, desk.lines(kept).await), (0, vec!["600".to_owned()]));
    desk.yeyak.clock.advance(TimeDelta::days(1));
    assert_eq!(desk.run_as_scheduled().await, 1);
    let counts = desk.counts("2026-03-02").await;
    assert_eq!((counts.wallets, counts.moved, counts.expired), (1, 1, 100));
    assert_eq!(desk.lines(kept).await, ["500"]);
    assert_eq!(desk.run_as_scheduled().await, 0, "once more does nothing");
    desk.yeyak.check().await;
}

/// Guard: the schedule runs the days behind the last that is done, not yesterday alone.
#[tokio::test(flavor = "multi_thread")]
async fn days_that_were_missed_are_made_up() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.run("2026-03-02").await;
    desk.yeyak.clock.advance(TimeDelta::days(3));

    assert_eq!(desk.run_as_scheduled().await, 3);

    let days = "SELECT CAST(run_date AS TEXT) FROM point_snapshot ORDER BY run_date";
    assert_eq!(desk.lines(days).await, ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"]);
}

/// Guard: the schedule goes on behind a day that fails, and tells of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_fails_keeps_no_other_from_being_done() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.run("2026-03-02").await;
    desk.yeyak.clock.advance(TimeDelta::days(2));
    desk.yeyak.platform.kit.crash.arm("points-daily.done", How::Error);

    desk.yeyak.platform.points.jobs()[0].run().await.expect_err("tells of it");

    let days = "SELECT CAST(run_date AS TEXT) FROM point_snapshot ORDER BY run_date";
    assert_eq!(desk.lines(days).await, ["2026-03-02", "2026-03-04"]);
    assert_eq!(desk.run_as_scheduled().await, 1, "and tries it again");
    assert_eq!(desk.lines(days).await, ["2026-03-02", "2026-03-03", "2026-03-04"]);
}

/// What a reader asks for is what the run has put at hand: the table is changed behind its back, and it shows what is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_read_from_what_the_run_has_put_at_hand() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.yeyak.clock.advance(TimeDelta::hours(22));
    desk.run("2026-03-02").await;

    desk.yeyak.clock.advance(TimeDelta::hours(3));
    desk.execute("UPDATE point_wallet SET available = 1").await;

    assert_eq!(desk.available().await, 500, "kept for longer than what is written is");
    assert_eq!(desk.movements().await[0].cause(), Cause::Earn);
}

/// Guard: what was put at hand long ago is compared with its row, and is then known again for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_balance_at_hand_of_which_the_word_was_lost_is_out_of_date_for_an_hour_at_most() {
    let desk = Desk::new().await;
    desk.earn(500).await;
    desk.yeyak.clock.advance(TimeDelta::hours(22));
    desk.run("2026-03-02").await;
    desk.yeyak.clock.advance(TimeDelta::hours(3));
    assert_eq!(desk.available().await, 500);
    let spent_unheard = "UPDATE point_wallet SET available = available - 100, version = version + 1";

    desk.execute(spent_unheard).await;

    desk.yeyak.clock.advance(TimeDelta::minutes(59));
    assert_eq!(desk.available().await, 500, "it was compared an hour ago");
    desk.yeyak.clock.advance(TimeDelta::minutes(1));
    assert_eq!(desk.available().await, 400);
}
