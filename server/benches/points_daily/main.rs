//! The daily run over many wallets, on a private PostgreSQL with every commit on disk.
//!
//! `cargo bench --bench points_daily [-- --wallets 5000000 --movements 30000000 --sample 4 --seed 1]` loads the wallets, or takes those
//! that `yeyak demo points` loaded with the same options into `--database URL`, then prints a line of JSON for each strategy:
//!
//! - `sql_bound`: the bare statements of the same work, in two sessions over half of the keys each, rolled back;
//! - `offset`, `cursor`, `cursor_batch`: how others have done it, on `--sample` pages of a thousand wallets, from which the whole is
//!   reckoned (`sampled_wallets` says of how many);
//! - `reads_alone`: reading balances while nothing else is done;
//! - `ours`: `yeyak job run points-daily` as a process of its own, while balances are read at a server beside it (`reads_p99_ms`): of
//!   yesterday as its schedule has it, in one session with six tenths of its time; of today so far in two as the bound has; and of the
//!   day before yesterday in one with all of it;
//! - `warm`: putting those balances at hand that were moved in thirty days.
//!
//! `peak_rss_mb` is what the process that does the work had at most: the command's, or that of this one with the server in it; null where
//! the database does the work alone. Wallets, movements and what is checked are said with each; `differences` are wallets that do not agree with their lots and movements.

#[path = "../allocator/mod.rs"]
mod allocator;
mod bound;
mod memory;
mod others;
mod stage;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate, NaiveTime};
use yeyak::proto::point::v1::GetPointBalanceRequest;
use yeyak_server::kit::clock::{Clock, SystemClock};
use yeyak_server::point::demo::Size;

use self::stage::{Stage, told};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many balances are read in a second while it runs.
const READS: u64 = 200;
/// Of how many wallets. They are at hand, as wallets of which somebody reads are behind the run of the day before.
const READERS: u64 = 2_000;
/// For how long they are read while nothing else is done.
const ALONE: Duration = Duration::from_secs(10);

struct Plan {
    size: Size,
    sample: u64,
    database: Option<String>,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let mut plan =
            Self { size: Size { wallets: 5_000_000, movements: 30_000_000, seed: 1 }, sample: 4, database: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &*word {
                // What cargo says to every bench.
                "--bench" => {}
                "--wallets" => plan.size.wallets = value()?.parse::<u64>()?.max(2_000),
                "--movements" => plan.size.movements = value()?.parse::<u64>()?.max(1),
                "--sample" => plan.sample = value()?.parse::<u64>()?.max(1),
                "--seed" => plan.size.seed = value()?.parse()?,
                "--database" => plan.database = Some(value()?),
                other => return Err(format!("{other} is not an option of this bench").into()),
            }
        }
        Ok(plan)
    }
}

struct Line<'a> {
    strategy: &'a str,
    seconds: f64,
    differences: i64,
    more: String,
}

fn tell(stage: &Stage, Line { strategy, seconds, differences, more }: Line<'_>) {
    let (wallets, movements) = (stage.loaded.wallets, stage.loaded.movements);
    let rows = (wallets + movements) as f64 / seconds;
    println!(
        r#"{{"bench":"points_daily","strategy":"{strategy}","wallets":{wallets},"movements":{movements},"seconds":{seconds:.1},"rows_per_s":{rows:.0},"differences":{differences}{more}}}"#
    );
}

/// What a run of the command came to.
struct Outcome {
    seconds: f64,
    differences: i64,
    peak_mb: u64,
    reads: Reads,
}

/// How long reads took.
struct Reads {
    count: usize,
    p50: f64,
    p99: f64,
}

impl Reads {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredths| {
            times.get(times.len() * hundredths / 100).map_or(0.0, |time: &Duration| time.as_secs_f64() * 1000.0)
        };
        Self { count: times.len(), p50: at(50), p99: at(99) }
    }

    fn told(&self) -> String {
        let Self { count, p50, p99 } = self;
        format!(r#""reads":{count},"reads_p50_ms":{p50:.2},"reads_p99_ms":{p99:.2}"#)
    }
}

/// Runs the command beside a server whose balances are read.
async fn ours(stage: &Arc<Stage>, date: NaiveDate, sessions: u8, share: u8) -> Result<Outcome, Failure> {
    known(stage).await?;
    let done = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(reads(stage.clone(), done.clone()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_yeyak"));
    command.args(["job", "run", "points-daily", "--json", "--no-warm", "--date", &date.to_string()]);
    command.args(["--share", &share.to_string(), "--sessions", &sessions.to_string()]).envs(stage.environment());
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let process = child.id().to_string();
    let mut peak_mb = 0;
    while child.try_wait()?.is_none() {
        // The highest that it ever was; gone with the process.
        peak_mb = memory::peak_mb(&process).unwrap_or(0).max(peak_mb);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    done.store(true, Ordering::Relaxed);
    let times = reading.await?;
    let said: serde_json::Value = serde_json::from_slice(&child.wait_with_output()?.stdout)?;
    // Those of this run: over wallets that are there, another may have been before.
    let wallets = said["wallets_now"].as_i64().unwrap_or(0);
    if u64::try_from(wallets) != Ok(stage.loaded.wallets) {
        return Err(format!("{wallets} of {} wallets were done: {said}", stage.loaded.wallets).into());
    }
    let differences = said["differences"].as_i64().unwrap_or(-1);
    Ok(Outcome { seconds, differences, peak_mb, reads: Reads::of(times) })
}

/// Has the readers' balances read once.
async fn known(stage: &Stage) -> Result<(), Failure> {
    for number in 0..READERS {
        read(stage, number).await?;
    }
    Ok(())
}

/// Reads while nothing else is done.
async fn alone(stage: &Arc<Stage>) -> Result<(), Failure> {
    known(stage).await?;
    memory::begin_anew();
    let done = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(reads(stage.clone(), done.clone()));
    tokio::time::sleep(ALONE).await;
    done.store(true, Ordering::Relaxed);
    let reads = Reads::of(reading.await?).told();
    println!(r#"{{"bench":"points_daily","what":"reads_alone",{reads},"peak_rss_mb":{}}}"#, memory::told());
    Ok(())
}

/// Reads the balance of a reader.
async fn read(stage: &Stage, number: u64) -> Result<(), Failure> {
    let member_id = stage.member((number % READERS).wrapping_mul(0x9E37_79B9));
    stage.admin.points().get_point_balance(GetPointBalanceRequest { member_id, ..Default::default() }).await?;
    Ok(())
}

/// So many reads a second, each timed from the moment at which it was due. A thread of its own looks at the clock: the timers of
/// the runtime are late by a millisecond or two.
async fn reads(stage: Arc<Stage>, done: Arc<AtomicBool>) -> Vec<Duration> {
    let runtime = tokio::runtime::Handle::current();
    let asking = tokio::task::spawn_blocking(move || {
        let (mut number, mut asked, mut due) = (0_u64, Vec::new(), Instant::now());
        while !done.load(Ordering::Relaxed) {
            due += Duration::from_micros(1_000_000 / READS);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let stage = stage.clone();
            number += 1;
            asked.push(runtime.spawn(async move { read(&stage, number).await.map(|()| due.elapsed()) }));
        }
        asked
    });
    let asked = asking.await.expect("who asks does not panic");
    let mut times = Vec::with_capacity(asked.len());
    for one in asked {
        times.push(one.await.expect("a reader does not panic").expect("a balance is read"));
    }
    times
}

async fn bench(plan: &Plan) -> Result<(), Failure> {
    let stage = Arc::new(Stage::new(plan.size, plan.database.clone()).await?);
    let today = SystemClock.now().date_naive();
    let yesterday = today - Days::new(1);
    let cut = today.and_time(NaiveTime::MIN).and_utc();

    alone(&stage).await?;
    let (seconds, differences) = bound::bound(&stage, cut).await?;
    tell(&stage, Line { strategy: "sql_bound", seconds, differences, more: r#","peak_rss_mb":null"#.to_owned() });
    let line = |strategy, pages: u64, seconds| {
        let (wallets, peak) = (pages * 1_000, memory::told());
        let more = format!(r#","sampled_wallets":{wallets},"peak_rss_mb":{peak}"#);
        memory::begin_anew();
        Line { strategy, seconds, differences: 0, more }
    };
    memory::begin_anew();
    tell(&stage, line("offset", plan.sample, others::offset(&stage, plan.sample).await?));
    tell(&stage, line("cursor", plan.sample, others::cursor(&stage, plan.sample).await?));
    let pages = plan.sample * 10;
    tell(&stage, line("cursor_batch", pages, others::cursor_batch(&stage, pages).await?));
    let runs = [(yesterday, 1, 60), (today, 2, 100), (yesterday - Days::new(1), 1, 100)];
    for (date, sessions, share) in runs {
        let Outcome { seconds: took, differences, peak_mb, reads } = ours(&stage, date, sessions, share).await?;
        let (ratio, reads) = (took / seconds, reads.told());
        let more = format!(
            r#","date":"{date}","sessions":{sessions},"share":{share},"to_bound":{ratio:.2},"peak_rss_mb":{peak_mb},{reads}"#
        );
        tell(&stage, Line { strategy: "ours", seconds: took, differences, more });
    }
    memory::begin_anew();
    let began = Instant::now();
    let warm = stage.points.warm(SystemClock.now(), 100).await.map_err(told)?;
    let (seconds, peak) = (began.elapsed().as_secs_f64(), memory::told());
    println!(
        r#"{{"bench":"points_daily","strategy":"warm","wallets":{warm},"seconds":{seconds:.1},"peak_rss_mb":{peak}}}"#
    );
    let snapshots = stage.count("SELECT count(*) FROM point_snapshot WHERE run_date > DATE '2000-01-01'").await?;
    if u64::try_from(snapshots) != Ok(3 * stage.loaded.wallets) {
        return Err(format!("{snapshots} snapshots were kept in three days").into());
    }
    let stage = Arc::try_unwrap(stage).map_err(|_| "the stage is still in use")?;
    stage.stop().await
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(&plan))
}
