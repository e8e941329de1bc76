//! The daily run in processes of its own: killed, and in two of them at once.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Child;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::harness::Installation;
use crate::process::command;

/// What a run writes, but for what it tells others, whose ids are of each time.
const TABLES: [&str; 8] = [
    "point_wallet",
    "point_lot",
    "point_movement",
    "point_spending",
    "ledger_transfer",
    "point_snapshot",
    "point_difference",
    "job_range",
];
const WALLETS: &str = "20000";

/// The same wallets each time, which yesterday has done something to.
async fn installation() -> Installation {
    let installation = Installation::new(true).await;
    let loaded = command(&installation).args(["demo", "points", "--wallets", WALLETS]).output().await.expect("runs");
    assert!(loaded.status.success(), "{loaded:?}");
    installation
}

fn run(installation: &Installation) -> Child {
    run_with(installation, "100", &[])
}

/// With a share of the database's time: with a small one it is slow enough to be killed half-way.
fn run_with(installation: &Installation, share: &str, variables: &[(&str, &str)]) -> Child {
    let mut run = command(installation);
    run.envs(variables.iter().copied());
    run.args(["job", "run", "points-daily", "--share", share, "--sessions", "2", "--json"]).stdout(Stdio::null());
    run.spawn().expect("starts")
}

async fn run_to_its_end(installation: &Installation) {
    let status = run(installation).wait().await.expect("our own child");
    assert!(status.success(), "{status}");
}

/// Every row, as a sum of each table.
fn rows(installation: &Installation) -> Vec<(&'static str, String)> {
    let sum =
        |table| installation.query(&format!("SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM {table} AS t"));
    TABLES.into_iter().map(|table| (table, sum(table))).collect()
}

/// Guard: what a chunk does and how far its range has come commit together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_run_that_is_killed_ten_times_equals_one_that_is_not() {
    let mut dice = Dice::of("points-daily");
    let (calm, killed) = (installation().await, installation().await);
    assert_eq!(rows(&calm), rows(&killed), "the same begin");
    run_to_its_end(&calm).await;
    let all = calm.query("SELECT sum(wallets) FROM job_range");
    assert_eq!(all, WALLETS);

    let mut cut_off = 0;
    for _ in 0..10 {
        let mut process = run_with(&killed, "2", &[]);
        sleep(Duration::from_millis(200 + dice.below(800))).await;
        process.kill().await.expect("kills");
        // Its lease would run out by itself, within ten seconds.
        killed.query("UPDATE lease SET expire_time = now() WHERE name = 'points-daily' AND expire_time > now()");
        let done = killed.query("SELECT coalesce(sum(wallets), 0) FROM job_range");
        println!("{done} of {all} wallets are done");
        cut_off += u32::from(done != "0" && done != all);
    }
    run_to_its_end(&killed).await;

    assert!(cut_off > 0, "it was never killed half-way");
    assert_eq!(rows(&calm), rows(&killed));
    run_to_its_end(&killed).await;
    assert_eq!(rows(&calm), rows(&killed), "run twice is run once");
}

/// Guard: the lease of the job, and behind it the lock of each range.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_run_of_two_processes_at_once_is_one() {
    let (alone, twice) = (installation().await, installation().await);
    run_to_its_end(&alone).await;

    let (mut one, mut other) = (run(&twice), run(&twice));
    let (one, other) = (one.wait().await.expect("our own child"), other.wait().await.expect("our own child"));

    assert!(one.success() || other.success(), "{one}, {other}");
    assert_eq!(rows(&alone), rows(&twice));
}

/// Guard: what is done and not noted is done again, and changes nothing. The database of runs knows nothing of wallets, that of
/// wallets nothing of runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn runs_are_kept_in_a_database_of_their_own_and_a_killed_one_goes_on_there() {
    let (beside, apart) = (installation().await, installation().await);
    let runs = yeyak_services::Postgres::shared().create();
    let ask = |statement: &str| yeyak_services::Postgres::ask(&runs, statement).trim().to_owned();
    run_to_its_end(&beside).await;

    for _ in 0..3 {
        let mut process = run_with(&apart, "10", &[("YEYAK_JOB_DATABASE", &runs)]);
        sleep(Duration::from_millis(1_000)).await;
        _ = process.kill().await;
        apart.query("UPDATE lease SET expire_time = now() WHERE name = 'points-daily' AND expire_time > now()");
    }
    let ended = run_with(&apart, "10", &[("YEYAK_JOB_DATABASE", &runs)]).wait().await.expect("our own child");

    assert!(ended.success(), "{ended}");
    assert_eq!(ask("SELECT sum(wallets) FROM job_range"), WALLETS);
    assert_eq!(ask("SELECT count(*) FROM job_run WHERE end_time IS NOT NULL"), "1");
    assert_eq!(apart.query("SELECT count(*) FROM job_run"), "0");
    let but_ranges = |rows: Vec<(&'static str, String)>| rows.into_iter().filter(|(table, _)| *table != "job_range");
    assert!(but_ranges(rows(&beside)).eq(but_ranges(rows(&apart))), "{:?}\n{:?}", rows(&beside), rows(&apart));
}

/// Guard: differences have an exit code of their own, for which the unit does not start the run again, and are listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_run_that_finds_differences_is_told_from_one_that_failed() {
    let installation = installation().await;
    installation.query(
        "UPDATE point_wallet SET reserved = reserved + 7 \
         WHERE member_id = (SELECT member_id FROM point_wallet WHERE owed = 0 ORDER BY member_id LIMIT 1)",
    );

    let found = command(&installation).args(["job", "run", "points-daily", "--json"]).output().await.expect("runs");

    assert_eq!(found.status.code(), Some(3));
    let said = String::from_utf8(found.stdout).expect("text");
    let line: serde_json::Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    let [differs] = &line["differing"].as_array().expect("a list")[..] else { panic!("one: {line}") };
    let reserved = &differs["reserved"];
    let told = [&reserved["wallet"], &reserved["movements"], &reserved["reservations"]]
        .map(|told| told.as_i64().expect("a sum"));
    assert_eq!([told[1], told[2]], [told[0] - 7; 2], "{line}");
    assert_eq!(differs["wallet"], differs["lots"]);
    let unit = include_str!("../../../../ops/yeyak-points-daily.service");
    assert!(unit.contains("\nRestartPreventExitStatus=3\n"));
    let repaired =
        command(&installation).args(["job", "run", "points-daily", "--repair"]).output().await.expect("runs");
    assert!(repaired.status.success(), "{repaired:?}");
}
