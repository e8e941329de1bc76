//! A rush for coupons, live in the terminal: many members ask at once for the few coupons of a first-come policy; receipts
//! become coupons behind the answers; and at the end everything is counted.
//!
//! In a server that the example starts itself it makes a policy of 1,000 coupons, for which 3,000 members ask. Against the
//! server that `YEYAK_URL` names, 100 members ask for the open first-come policy that has the most coupons left.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, State, Validity};
use yeyak::proto::coupon::v1::{
    CouponParameter, CouponPolicy, CouponReceipt, CouponTerm, CreateCouponPolicyRequest, GetCouponPolicyReportRequest,
    GetCouponReceiptRequest, IssueCouponRequest, ListOpenCouponPoliciesRequest, coupon_receipt,
};
use yeyak::{Client, Options};
use yeyak_server::config::Sources;
use yeyak_server::serve::{Platform, ServeError, World};

const PASSWORD: &str = "correct horse battery";
const COUPONS: i64 = 1_000;
const MEMBERS: usize = 3_000;
/// A foreign server lets so many sign up from one address without a pause.
const GUESTS: usize = 100;
const AT_ONCE: usize = 200;

type Done = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Done {
    match std::env::var_os("YEYAK_URL") {
        Some(url) => {
            let client = Client::connect(&url.to_string_lossy()).await?;
            let policy = open_policy(&client).await?;
            rush(&client, &policy, GUESTS, None).await
        }
        None => {
            let server = Server::start().await?;
            println!("no YEYAK_URL: started a server at {}", server.url);
            let client = Client::connect_with(&server.url, Options::default().channels(2)).await?;
            let admin = client.anonymous();
            admin.log_in("admin@example.kr", PASSWORD).await?;
            let policy = new_policy(&admin).await?;
            let rushed = rush(&client, &policy, MEMBERS, Some(&admin)).await;
            server.stop().await?;
            rushed
        }
    }
}

/// A server in this process, without the limits that a crowd from one machine would meet.
struct Server {
    url: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let mut sources = Sources::read(None)
            .with("data", folder.path())
            .with("listen", "127.0.0.1:0")
            .with("http", "127.0.0.1:0")
            .with("metrics", "")
            // Passwords of members who live for a minute.
            .with("password.memory_kib", 8);
        for limit in ["member_calls_per_second", "member_burst", "address_calls_per_second", "address_burst"] {
            sources = sources.with(&format!("limit.{limit}"), 1_000_000);
        }
        let platform = Platform::open(sources.config()?, World::default()).await?;
        platform
            .members
            .create_admin("admin@example.kr", PASSWORD, "관리자")
            .await
            .map_err(|error| error.to_string())?;
        let (ready, listening) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(platform.serve(move |ports| _ = ready.send(*ports), async { _ = stopped.await }));
        Ok(Self { url: format!("http://{}", listening.await?.grpc), stop, serving, _folder: folder })
    }

    async fn stop(self) -> Done {
        _ = self.stop.send(());
        Ok(self.serving.await??)
    }
}

async fn new_policy(admin: &Client) -> Result<CouponPolicy, yeyak::Error> {
    let amount = Value::Amount(Money { currency_code: "KRW".into(), minor_units: 10_000 });
    let amount = CouponParameter { name: "amount".into(), value: Some(amount) };
    let policy = CouponPolicy {
        name: "선착순 1,000명 만 원 할인".into(),
        issuing: Issuing::FirstCome.into(),
        benefit: Some(CouponTerm { kind: "FIXED_AMOUNT".into(), parameters: vec![amount] }),
        validity: Some(Validity::ValidDays(30)),
        total_count: Some(COUPONS),
        ..Default::default()
    };
    let create = CreateCouponPolicyRequest { coupon_policy: Some(policy), ..Default::default() };
    admin.coupon_policies().create_coupon_policy(create).await
}

/// The open policy that has the most coupons left.
async fn open_policy(client: &Client) -> Result<CouponPolicy, Box<dyn Error>> {
    let list = client.coupon_policies().list_open_coupon_policies(ListOpenCouponPoliciesRequest::default()).await?;
    let active = list.coupon_policies.into_iter().filter(|policy| policy.state() == State::Active);
    let policy = active.max_by_key(|policy| policy.remaining_count.unwrap_or(i64::MAX));
    Ok(policy.ok_or("no first-come policy issues coupons there: create one, or leave YEYAK_URL unset")?)
}

/// What the terminal shows.
struct Picture {
    answered: ProgressBar,
    issued: ProgressBar,
    outcomes: ProgressBar,
    began: Instant,
    counts: Mutex<BTreeMap<String, u64>>,
    times: Mutex<Vec<Duration>>,
}

impl Picture {
    fn new(members: usize) -> Self {
        let all = MultiProgress::new();
        let bar = |length: u64, what: &str| {
            let style = ProgressStyle::with_template("{prefix:10} {bar:40.green} {pos:>6}/{len} {msg}");
            let bar = all.add(ProgressBar::new(length)).with_style(style.expect("the template is a constant"));
            bar.with_prefix(what.to_owned())
        };
        let answered = bar(members as u64, "answered");
        let issued = bar(0, "issued");
        let line = ProgressStyle::with_template("{msg}").expect("the template is a constant");
        let outcomes = all.add(ProgressBar::new_spinner()).with_style(line);
        let (counts, times) = (Mutex::default(), Mutex::default());
        Self { answered, issued, outcomes, began: Instant::now(), counts, times }
    }

    fn answer(&self, outcome: &str, took: Duration) {
        let counts = {
            let mut counts = self.counts.lock().expect("nothing panics while it counts");
            *counts.entry(outcome.to_owned()).or_default() += 1;
            counts.clone()
        };
        let median = {
            let mut times = self.times.lock().expect("nothing panics while it counts");
            times.push(took);
            // The latest tell how it goes now.
            let mut latest = times[times.len().saturating_sub(200)..].to_vec();
            latest.sort_unstable();
            latest[latest.len() / 2]
        };
        self.answered.inc(1);
        let rate = self.answered.position() as f64 / self.began.elapsed().as_secs_f64();
        self.answered.set_message(format!("{rate:.0} a second, {:.1} ms each", median.as_secs_f64() * 1000.0));
        let told: Vec<_> = counts.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        self.outcomes.set_message(told.join(", "));
    }

    /// The slowest of 99 in a hundred, in milliseconds.
    fn p99(&self) -> f64 {
        let mut times = self.times.lock().expect("nothing panics while it counts").clone();
        times.sort_unstable();
        times.get(times.len() * 99 / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }
}

async fn rush(client: &Client, policy: &CouponPolicy, members: usize, admin: Option<&Client>) -> Done {
    let left = policy.remaining_count.map_or("coupons without end".to_owned(), |left| format!("{left} coupons"));
    println!("{} ({}): {left}, {members} members", policy.name, policy.id);
    let crowd = sign_up(client, members).await?;
    let picture = Arc::new(Picture::new(members));
    let asks = crowd.iter().map(|member| ask(member, &policy.id, &picture));
    let receipts: Vec<_> =
        futures::stream::iter(asks).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    let took = picture.began.elapsed();
    let coupons = all_issued(&receipts, &picture).await?;
    for bar in [&picture.answered, &picture.issued, &picture.outcomes] {
        bar.finish();
    }
    println!("everybody was answered in {:.2} s, 99 of 100 within {:.1} ms", took.as_secs_f64(), picture.p99());
    audit(policy, &receipts, coupons, admin).await
}

async fn sign_up(client: &Client, count: usize) -> Result<Vec<Client>, yeyak::Error> {
    let run = chrono::Local::now().timestamp_micros();
    let one = |number| async move {
        let member = client.anonymous();
        member.sign_up(&format!("rush{run}.{number}@example.kr"), PASSWORD, "민아").await?;
        Ok(member)
    };
    futures::stream::iter(0..count).map(one).buffer_unordered(16).collect::<Vec<_>>().await.into_iter().collect()
}

/// One member's ask. The SDK asks again under the same request_id where nobody has said yes or no.
async fn ask<'a>(member: &'a Client, policy: &str, picture: &Picture) -> Option<(&'a Client, CouponReceipt)> {
    let request = IssueCouponRequest { policy_id: policy.to_owned(), ..Default::default() };
    let began = Instant::now();
    let answer = member.coupons().issue_coupon(request).await;
    let outcome = answer.as_ref().map_or_else(|error| error.reason.as_str_name(), |_| "ACCEPTED");
    picture.answer(outcome, began.elapsed());
    let receipt = answer.ok()?;
    picture.issued.inc_length(1);
    Some((member, receipt))
}

/// Waits until each receipt is a coupon; how many there are.
async fn all_issued(receipts: &[(&Client, CouponReceipt)], picture: &Picture) -> Result<usize, yeyak::Error> {
    let mut issued = 0;
    for (member, receipt) in receipts {
        loop {
            let request = GetCouponReceiptRequest { id: receipt.id.clone() };
            let now = member.coupons().get_coupon_receipt(request).await?;
            if now.state() == coupon_receipt::State::Issued {
                issued += 1;
                picture.issued.inc(1);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(issued)
}

/// Counts everything once more, by the callers' own word and, where somebody may ask for it, by the server's.
async fn audit(
    policy: &CouponPolicy,
    receipts: &[(&Client, CouponReceipt)],
    coupons: usize,
    admin: Option<&Client>,
) -> Done {
    let mut places: Vec<_> = receipts.iter().map(|(_, receipt)| receipt.place).collect();
    places.sort_unstable();
    places.dedup();
    println!("audit: {} receipts, {} places, {coupons} coupons", receipts.len(), places.len());
    let is_within = policy.total_count.is_none_or(|total| places.last().is_none_or(|last| *last <= total));
    let mut is_right = places.len() == receipts.len() && coupons == receipts.len() && is_within;
    if let Some(admin) = admin {
        let request = GetCouponPolicyReportRequest { id: policy.id.clone() };
        let report = admin.coupon_policies().get_coupon_policy_report(request).await?;
        println!(
            "report: {} receipts, {} coupons, {} pending, {} places given by the gate",
            report.receipt_count,
            report.coupon_count,
            report.pending_count,
            report.gate_count.map_or("unknown".to_owned(), |count| count.to_string()),
        );
        is_right &= report.consistent && report.receipt_count == receipts.len() as i64;
    }
    match is_right {
        true => println!("none was lost, none was given twice, none too many"),
        false => return Err("the numbers do not agree".into()),
    }
    Ok(())
}
