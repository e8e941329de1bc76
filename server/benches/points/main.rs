//! Balances and spendings with many wallets, over real sockets, on private PostgreSQL and Redis with every commit on disk.
//!
//! `cargo bench --bench points [-- --wallets 5000000 --reads 200000 --spends 20000 --in-flight 64 --seed 1]` prints a line of JSON for
//! each:
//!
//! - `balance_cached`: balances of ten thousand members, who were asked for before;
//! - `balance_uncached`: of members all over, each for the first time;
//! - `spend_spread`: one point spent by as many members as there are spendings;
//! - `spend_one`: one point spent again and again by one member;
//! - `empty_rpc`: the cheapest RPC through the same connections.
//!
//! At the end the wallets are compared with their lots and movements.

#[path = "../allocator/mod.rs"]
mod allocator;
#[path = "../coupon_rush/load.rs"]
#[expect(dead_code, reason = "another bench needs more of it")]
mod load;
#[path = "../points_daily/memory.rs"]
#[expect(dead_code, reason = "another bench needs more of it")]
mod memory;
#[path = "../points_daily/stage.rs"]
#[expect(dead_code, reason = "another bench needs more of it")]
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::sqlx;
use yeyak::proto::member::v1::VerifyTokenRequest;
use yeyak::proto::point::v1::earn_points_request::Amount;
use yeyak::proto::point::v1::{EarnPointsRequest, GetPointBalanceRequest, SpendPointsRequest};
use yeyak_server::point::Points;
use yeyak_server::point::demo::Size;

use self::load::{Load, Run};
use self::stage::{Stage, told};

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Members who are asked for again and again.
const KNOWN: u64 = 10_000;

struct Plan {
    size: Size,
    reads: usize,
    spends: usize,
    in_flight: usize,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let size = Size { wallets: 5_000_000, movements: 10_000_000, seed: 1 };
        let mut plan = Self { size, reads: 200_000, spends: 20_000, in_flight: 64 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &*word {
                // What cargo says to every bench.
                "--bench" => {}
                "--wallets" => plan.size.wallets = value()?.parse::<u64>()?.max(2 * KNOWN),
                "--reads" => plan.reads = value()?.parse::<usize>()?.max(1),
                "--spends" => plan.spends = value()?.parse::<usize>()?.max(1),
                "--in-flight" => plan.in_flight = value()?.parse::<usize>()?.max(1),
                "--seed" => plan.size.seed = value()?.parse()?,
                other => return Err(format!("{other} is not an option of this bench").into()),
            }
        }
        plan.size.movements = plan.size.wallets * 2;
        Ok(plan)
    }
}

fn line(stage: &Stage, what: &str, run: &Run) {
    let Run { per_second, p50, p99, errors, .. } = run;
    println!(
        r#"{{"bench":"points","what":"{what}","wallets":{},"per_s":{per_second:.0},"p50_ms":{p50:.2},"p99_ms":{p99:.2},"errors":{errors}}}"#,
        stage.loaded.wallets
    );
}

async fn balance(stage: &Stage, number: u64) -> Result<(), Failure> {
    let request = GetPointBalanceRequest { member_id: stage.member(number), ..Default::default() };
    stage.admin.points().get_point_balance(request).await?;
    Ok(())
}

async fn spend(stage: &Stage, number: u64) -> Result<(), Failure> {
    let request = SpendPointsRequest { member_id: stage.member(number), points: 1, ..Default::default() };
    stage.admin.points().spend_points(request).await?;
    Ok(())
}

async fn earn(stage: &Stage, number: u64, points: i64) -> Result<(), Failure> {
    let amount = Some(Amount::Points(points));
    let request = EarnPointsRequest { member_id: stage.member(number), amount, ..Default::default() };
    stage.admin.points().earn_points(request).await?;
    Ok(())
}

/// Makes members of those who spend: what is loaded are wallets alone.
async fn sign_up(stage: &Stage, numbers: impl Iterator<Item = u64>) -> Result<(), Failure> {
    let ids: Vec<_> = numbers.map(|number| Points::demo_member(stage.seed, number % stage.loaded.wallets).0).collect();
    let insert = "INSERT INTO member (id, email_index, email_sealed, phone_sealed, password_hash, display_name, locale, \
                    time_zone, seller, admin, version, create_time, update_time) \
                  SELECT id, uuid_send(id), '', '', '', '민아', 'ko-KR', 'Asia/Seoul', false, false, 1, now(), now() \
                  FROM unnest($1::uuid[]) AS x (id) ON CONFLICT DO NOTHING";
    sqlx::query(insert).bind(ids).execute(&stage.database).await?;
    Ok(())
}

async fn bench(plan: &Plan) -> Result<(), Failure> {
    let stage = Arc::new(Stage::new(plan.size, None).await?);
    let known = |number: usize| number as u64 % KNOWN;
    // Far from those who are known, and no two the same for as long as there are others: each a prime step beyond the one before.
    let fresh = Arc::new(AtomicU64::new(0));
    let wallets = stage.loaded.wallets;
    let next = move || KNOWN + fresh.fetch_add(1, Ordering::Relaxed).wrapping_mul(2_654_435_761) % (wallets - KNOWN);
    let reads = Load { count: plan.reads, in_flight: plan.in_flight };
    let few = Load { count: plan.reads / 4, ..reads };
    let spends = Load { count: plan.spends, ..reads };

    let all = stage.clone();
    Load { count: usize::try_from(KNOWN)?, ..reads }
        .closed(move |number| {
            let stage = all.clone();
            async move { balance(&stage, known(number)).await }
        })
        .await;
    let all = stage.clone();
    let run = reads.closed(move |number| {
        let stage = all.clone();
        async move { balance(&stage, known(number)).await }
    });
    line(&stage, "balance_cached", &run.await);
    let (all, other) = (stage.clone(), next.clone());
    let run = few.closed(move |_| {
        let (stage, number) = (all.clone(), other());
        async move { balance(&stage, number).await }
    });
    line(&stage, "balance_uncached", &run.await);

    let spread: Vec<u64> = (0..plan.spends).map(|_| next()).collect();
    sign_up(&stage, spread.iter().copied().chain([1])).await?;
    let spread = Arc::new(spread);
    let (all, members) = (stage.clone(), spread.clone());
    let prepare = spends.closed(move |number| {
        let (stage, member) = (all.clone(), members[number]);
        async move { earn(&stage, member, 10).await }
    });
    let prepared = prepare.await;
    if prepared.errors > 0 {
        return Err(format!("{} members earned nothing", prepared.errors).into());
    }
    let (all, members) = (stage.clone(), spread.clone());
    let run = spends.closed(move |number| {
        let (stage, member) = (all.clone(), members[number]);
        async move { spend(&stage, member).await }
    });
    line(&stage, "spend_spread", &run.await);
    earn(&stage, 1, i64::try_from(plan.spends)?).await?;
    let all = stage.clone();
    let one = Load { count: plan.spends / 10, ..spends };
    let run = one.closed(move |_| {
        let stage = all.clone();
        async move { spend(&stage, 1).await }
    });
    line(&stage, "spend_one", &run.await);
    let all = stage.clone();
    let run = reads.closed(move |_| {
        let stage = all.clone();
        async move {
            stage.admin.auth().verify_token(VerifyTokenRequest { access_token: "x.y.z".into() }).await?;
            Ok(())
        }
    });
    line(&stage, "empty_rpc", &run.await);

    let violations = stage.points.check().await.map_err(told)?;
    println!(r#"{{"bench":"points","what":"check","violations":{}}}"#, violations.len());
    if let Some(first) = violations.first() {
        return Err(format!("{first:?}").into());
    }
    let stage = Arc::try_unwrap(stage).map_err(|_| "the stage is still in use")?;
    stage.stop().await
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(&plan))
}
