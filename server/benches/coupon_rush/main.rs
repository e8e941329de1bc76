//! How fast coupons are issued, first come, first served: 10 policies of 10,000 coupons each, on private PostgreSQL, Redis and
//! RabbitMQ with every commit on disk.
//!
//! `cargo bench --bench coupon_rush [-- --policies 10 --coupons 10000 --in-flight 256 --runs 1 --only rush,empty_rpc]` prints one
//! line of JSON for each strategy:
//!
//! - `db_lock`: the policy's row is locked, the coupons are counted, one is inserted;
//! - `redis_lock`: a lock in Redis is taken, the stock there is decremented, the coupon is inserted;
//! - `rush`: ours, over real sockets behind every layer. `accepted_per_s` counts receipts that were answered, `issued_per_s`
//!   until the last coupon is in its table;
//! - `empty_rpc`: the cheapest RPC by the same members through the same connections with as many calls in flight, before each rush
//!   and behind it: a machine that is shared is not as fast in one minute as in the next, and the ratios are to the mean of the two.
//!
//! The first two are called directly, without an RPC around them, which favours them. Client, server and services share the
//! cores. Then the latency of `rush` at half of its rate, with arrivals that don't wait for answers; and where the time goes, by
//! the processor time of each program.

#[path = "../allocator/mod.rs"]
mod allocator;
mod cpu;
mod load;
mod locks;
mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use yeyak_services::{Durability, Postgres, Rabbit, Redis};

use self::cpu::Cpu;
use self::load::{Load, Run};
use self::locks::Locks;
use self::stage::Stage;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Plan {
    pub(crate) policies: usize,
    pub(crate) coupons: usize,
    in_flight: usize,
    runs: usize,
    only: Vec<String>,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let only = ["db_lock", "redis_lock", "rush", "empty_rpc", "half_load"].map(str::to_owned).to_vec();
        let mut plan = Self { policies: 10, coupons: 10_000, in_flight: 256, runs: 1, only };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &*word {
                // What cargo says to every bench.
                "--bench" => {}
                "--policies" => plan.policies = value()?.parse::<usize>()?.max(1),
                "--coupons" => plan.coupons = value()?.parse::<usize>()?.max(1),
                "--in-flight" => plan.in_flight = value()?.parse::<usize>()?.max(1),
                "--runs" => plan.runs = value()?.parse::<usize>()?.max(1),
                "--only" => plan.only = value()?.split(',').map(str::to_owned).collect(),
                other => return Err(format!("{other} is not an option of this bench").into()),
            }
        }
        Ok(plan)
    }

    fn runs(&self, strategy: &str) -> bool {
        self.only.iter().any(|only| only == strategy)
    }

    pub(crate) fn all(&self) -> usize {
        self.policies * self.coupons
    }
}

/// The services of a production installation, with every commit on disk.
pub(crate) struct Services {
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) rabbit: Rabbit,
}

/// What a strategy came to, and what its tables say.
#[derive(Default)]
struct Audit {
    issued: i64,
    duplicates: i64,
    oversold: i64,
    lost: i64,
}

/// Prints what a strategy came to; a failure where its tables are wrong.
fn line(strategy: &str, run: &Run, issued_per_s: f64, audit: &Audit) -> Result<(), Failure> {
    let Run { per_second, p50, p99, .. } = run;
    let Audit { issued, duplicates, oversold, lost } = audit;
    println!(
        r#"{{"bench":"coupon_rush","strategy":"{strategy}","accepted_per_s":{per_second:.0},"issued_per_s":{issued_per_s:.0},"p50_ms":{p50:.2},"p99_ms":{p99:.2},"issued":{issued},"duplicates":{duplicates},"oversold":{oversold},"lost":{lost}}}"#
    );
    match (duplicates, oversold, lost) {
        (0, 0, 0) => Ok(()),
        _ => Err(format!("{strategy} was wrong: {duplicates} duplicates, {oversold} oversold, {lost} lost").into()),
    }
}

/// Members take turns, each at all policies one after the other.
fn turn(plan: &Plan, number: usize) -> (usize, usize) {
    (number / plan.policies, number % plan.policies)
}

async fn locks(plan: &Arc<Plan>, services: &Services) -> Result<(), Failure> {
    for strategy in ["db_lock", "redis_lock"].into_iter().filter(|strategy| plan.runs(strategy)) {
        let locks = Arc::new(Locks::new(plan, services).await?);
        let (shared, turns) = (locks.clone(), plan.clone());
        let load = Load { count: plan.all(), in_flight: plan.in_flight };
        let run = load
            .closed(move |number| {
                let (locks, (member, policy)) = (shared.clone(), turn(&turns, number));
                async move {
                    match strategy {
                        "db_lock" => locks.by_row(policy, member).await,
                        _ => locks.by_redis(policy, member).await,
                    }
                }
            })
            .await;
        let (issued, duplicates, oversold) = locks.audit(plan).await?;
        let lost = i64::try_from(run.done)? - issued;
        line(strategy, &run, run.per_second, &Audit { issued, duplicates, oversold, lost })?;
    }
    Ok(())
}

/// Our own: gives the rates of accepting and of issuing.
async fn rush(plan: &Arc<Plan>, stage: &Arc<Stage>) -> Result<(f64, f64), Failure> {
    let policies = Arc::new(stage.policies(plan).await?);
    let cpu = Cpu::now()?;
    let began = Instant::now();
    let start = stage.now().await?;
    let (shared, turns) = (stage.clone(), plan.clone());
    let asked = policies.clone();
    let run = Load { count: plan.all(), in_flight: plan.in_flight }
        .closed(move |number| {
            let (stage, policies, (member, policy)) = (shared.clone(), asked.clone(), turn(&turns, number));
            async move { stage.ask(member, &policies[policy]).await }
        })
        .await;
    stage.all_issued(&policies, run.done).await?;
    let whole = began.elapsed();
    let used = cpu.since()?;
    let issued_in = stage.last_coupon_since(&policies, start).await?;
    let (issued, duplicates, oversold) = stage.audit(plan, &policies).await?;
    let lost = i64::try_from(run.done)? - issued;
    let issued_per_s = issued as f64 / issued_in;
    line("rush", &run, issued_per_s, &Audit { issued, duplicates, oversold, lost })?;
    used.print("rush", run.done, whole);
    Ok((run.per_second, issued_per_s))
}

/// The rate of calls that do nothing, where it is asked for.
async fn ceiling(plan: &Arc<Plan>, stage: &Arc<Stage>) -> Result<Option<f64>, Failure> {
    if plan.runs("empty_rpc") { Ok(Some(empty(plan, stage).await?)) } else { Ok(None) }
}

async fn empty(plan: &Arc<Plan>, stage: &Arc<Stage>) -> Result<f64, Failure> {
    let cpu = Cpu::now()?;
    let began = Instant::now();
    let (shared, turns) = (stage.clone(), plan.clone());
    let run = Load { count: plan.all(), in_flight: plan.in_flight }
        .closed(move |number| {
            let (stage, (member, _)) = (shared.clone(), turn(&turns, number));
            async move { stage.empty(member).await }
        })
        .await;
    let Run { per_second, p50, p99, errors, .. } = run;
    println!(
        r#"{{"bench":"coupon_rush","strategy":"empty_rpc","per_s":{per_second:.0},"p50_ms":{p50:.2},"p99_ms":{p99:.2},"errors":{errors}}}"#
    );
    cpu.since()?.print("empty_rpc", run.done, began.elapsed());
    Ok(per_second)
}

/// Arrivals at half of the rate, which don't wait for answers: of calls that do nothing, which shows how late the machine is by
/// itself, and of those who ask for coupons.
async fn half_load(plan: &Arc<Plan>, stage: &Arc<Stage>, rate: f64) -> Result<(), Failure> {
    let load = Load { count: plan.all(), in_flight: plan.in_flight };
    let (shared, turns) = (stage.clone(), plan.clone());
    let empty = load
        .open(rate / 2.0, move |number| {
            let (stage, (member, _)) = (shared.clone(), turn(&turns, number));
            async move { stage.empty(member).await }
        })
        .await;
    half_line("empty_rpc", &empty);
    let policies = Arc::new(stage.policies(plan).await?);
    let (shared, turns, asked) = (stage.clone(), plan.clone(), policies.clone());
    let run = load
        .open(rate / 2.0, move |number| {
            let (stage, policies, (member, policy)) = (shared.clone(), asked.clone(), turn(&turns, number));
            async move { stage.ask(member, &policies[policy]).await }
        })
        .await;
    stage.all_issued(&policies, run.done).await?;
    half_line("rush", &run);
    Ok(())
}

fn half_line(strategy: &str, Run { per_second, p50, p99, errors, .. }: &Run) {
    println!(
        r#"{{"bench":"coupon_rush","what":"half_load","strategy":"{strategy}","accepted_per_s":{per_second:.0},"p50_ms":{p50:.2},"p99_ms":{p99:.2},"errors":{errors}}}"#
    );
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let plan = Arc::new(Plan::read()?);
    // Two parts of a program may both set it: it is the same.
    _ = rustls::crypto::ring::default_provider().install_default();
    let services =
        Services { postgres: Postgres::start(Durability::Full), redis: Redis::start(), rabbit: Rabbit::start() };
    locks(&plan, &services).await?;
    let stage = Arc::new(Stage::new(&plan, &services).await?);
    let mut rate = 0.0_f64;
    let mut before = ceiling(&plan, &stage).await?;
    for _ in 0..plan.runs {
        let rushed = if plan.runs("rush") { Some(rush(&plan, &stage).await?) } else { None };
        // What the rush has left to be written and cleaned up is not of what follows.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = ceiling(&plan, &stage).await?;
        if let (Some((accepted, issued)), Some(before), Some(after)) = (rushed, before, after) {
            let ceiling = f64::midpoint(before, after);
            let (accepted, issued) = (accepted / ceiling, issued / ceiling);
            println!(
                r#"{{"bench":"coupon_rush","what":"ratio","accepted_of_empty":{accepted:.3},"issued_of_empty":{issued:.3}}}"#
            );
        }
        // Half of what this minute can do, not of what a faster one could.
        rate = rushed.map_or(rate, |(accepted, _)| accepted);
        before = after;
    }
    if plan.runs("half_load") && rate > 0.0 {
        half_load(&plan, &stage, rate).await?;
    }
    stage.stop().await
}
