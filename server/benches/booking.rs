//! How fast bookings are made: every RPC over real sockets, every commit on disk.
//!
//! `cargo bench --bench booking [-- --seconds N --clients 1,16,64 --properties N]` prints one line of JSON for each measurement.
//! The absolute numbers are those of a machine that runs clients and server on the same cores; the last line has the ratios, which
//! travel better: reads against the cheapest RPC, whole bookings against bare commits of one row on the same disk.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{Datelike, Days, NaiveDate};
use futures::StreamExt;
use futures::future::try_join_all;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tokio::sync::oneshot;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{BookingQuote, CreateBookingRequest, GetBookingRequest, Guest, QuoteBookingRequest};
use yeyak::proto::common::v1::{Date, Money as ProtoMoney};
use yeyak::proto::member::v1::{ApproveSellerApplicationRequest, CreateSellerApplicationRequest, VerifyTokenRequest};
use yeyak::proto::payment::v1::{ConfirmPaymentRequest, PreparePaymentRequest};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::{ConfirmationMode, LatePaymentPolicy};
use yeyak::proto::stay::v1::{
    CancellationPolicy, CreatePropertyRequest, CreateRatePlanRequest, CreateRoomTypeRequest, GeoPoint, Guests,
    OpenPropertyRequest, Property, RatePlan, RatePlanPrice, Region, RoomType, SearchStaysRequest,
    UpdateCalendarRequest,
};
use yeyak::{Client, Options};
use yeyak_proto::grpc::health::v1::HealthCheckRequest;
use yeyak_proto::grpc::health::v1::health_check_response::ServingStatus;
use yeyak_proto::grpc::health::v1::health_client::HealthClient;
use yeyak_server::admin::Checks;
use yeyak_server::backend::provider::simulator::{NewPayment, Simulator};
use yeyak_server::config::{Config, Sources};
use yeyak_server::kit::money::Money;
use yeyak_server::serve::{Platform, World};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Done = Result<(), Failure>;

/// What the server's own errors say.
/// The day that the bench runs on.
fn today() -> chrono::NaiveDate {
    chrono::Local::now().date_naive()
}

fn told(error: yeyak_server::error::Error) -> String {
    error.to_string()
}

const PASSWORD: &str = "correct horse battery";
/// Of each room type: more than a run can book in a night.
const ROOMS: i32 = 10_000;
const REGIONS: i32 = 17;
/// At how many clients the ratios are taken.
const AT: usize = 16;

struct Plan {
    seconds: u64,
    clients: Vec<usize>,
    properties: usize,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let mut plan = Self { seconds: 5, clients: vec![1, 16, 64], properties: 300 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &*word {
                // What cargo says to every bench.
                "--bench" => {}
                "--seconds" => plan.seconds = value()?.parse()?,
                "--clients" => plan.clients = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--properties" => plan.properties = value()?.parse::<usize>()?.max(1),
                other => return Err(format!("{other} is not an option of this bench").into()),
            }
        }
        Ok(plan)
    }
}

fn config(folder: &Path) -> Result<Config, Failure> {
    let endless = 1_000_000;
    let mut sources = Sources::read(None)
        .with("data", folder)
        .with("listen", "127.0.0.1:0")
        .with("http", "127.0.0.1:0")
        .with("metrics", "")
        .with("log.filter", "off")
        // Members sign up before anything is measured.
        .with("password.memory_kib", 8)
        .with("booking.holds_per_member", endless);
    for limit in ["member_calls_per_second", "member_burst", "address_calls_per_second", "address_burst"] {
        sources = sources.with(&format!("limit.{limit}"), endless);
    }
    Ok(sources.config()?)
}

/// What can be booked.
struct Room {
    room_type: String,
    rate_plan: String,
}

struct Stage {
    members: Vec<Client>,
    rooms: Vec<Room>,
    simulator: Simulator,
    commits: Commits,
    turns: AtomicU64,
}

impl Stage {
    /// Numbers that spread over rooms and dates, another one for each call.
    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
    }

    fn room(&self, turn: u64) -> &Room {
        &self.rooms[usize::try_from(turn).expect("48 bits fit") % self.rooms.len()]
    }

    async fn empty(&self, client: usize) -> Done {
        let request = VerifyTokenRequest { access_token: "x.y.z".into() };
        self.members[client].auth().verify_token(request).await?;
        Ok(())
    }

    async fn search(&self, client: usize) -> Done {
        let turn = self.turn();
        let (check_in, check_out) = stay(turn);
        let region = i32::try_from(turn % 17).expect("is small") + 1;
        let request = SearchStaysRequest {
            check_in_date: check_in,
            check_out_date: check_out,
            guests: Some(Guests { adult_count: 2, ..Default::default() }),
            region,
            ..Default::default()
        };
        let found = self.members[client].stay_search().search_stays(request).await?;
        // With few properties some regions have none.
        let missing = found.offers.is_empty() && self.rooms.len() >= 17;
        if missing { Err(format!("nothing was found in region {region}").into()) } else { Ok(()) }
    }

    async fn quoted(&self, client: usize) -> Result<BookingQuote, Failure> {
        let turn = self.turn();
        let (room, (check_in_date, check_out_date)) = (self.room(turn), stay(turn));
        let request = QuoteBookingRequest {
            room_type_id: room.room_type.clone(),
            rate_plan_id: room.rate_plan.clone(),
            check_in_date,
            check_out_date,
            ..Default::default()
        };
        Ok(self.members[client].bookings().quote_booking(request).await?)
    }

    async fn quote(&self, client: usize) -> Done {
        self.quoted(client).await.map(|_| ())
    }

    /// From the quote until the booking reads CONFIRMED.
    async fn booking(&self, client: usize) -> Done {
        let quote = self.quoted(client).await?;
        let member = &self.members[client];
        let guest = Guest { name: "김민아".into(), email: "guest@example.kr".into(), phone: String::new() };
        let take = CreateBookingRequest { quote_token: quote.token, guest: Some(guest), ..Default::default() };
        let booking = member.bookings().create_booking(take).await?;
        let prepare = PreparePaymentRequest { booking_id: booking.id.clone(), ..Default::default() };
        let payment = member.payments().prepare_payment(prepare).await?;
        let amount = payment.amount.as_ref().map_or(0, |amount| amount.minor_units);
        let agreed = NewPayment {
            order: payment.id.clone(),
            order_name: "stay".into(),
            amount: Money::won(amount),
            success_url: "http://127.0.0.1/paid".into(),
            fail_url: "http://127.0.0.1/declined".into(),
            agreed: true,
        };
        let provider_key = self.simulator.create_payment(agreed).await?;
        let confirm = ConfirmPaymentRequest { id: payment.id, provider_key, ..Default::default() };
        member.payments().confirm_payment(confirm).await?;
        let booking = member.bookings().get_booking(GetBookingRequest { id: booking.id }).await?;
        match booking.state() {
            State::Confirmed => Ok(()),
            state => Err(format!("{} is {}", booking.id, state.as_str_name()).into()),
        }
    }
}

/// One row for each commit, on the same disk and with the same settings as the platform's database.
#[derive(Clone)]
struct Commits {
    db: DatabaseConnection,
}

impl Commits {
    async fn open(folder: &Path) -> Result<Self, Failure> {
        let mut options = ConnectOptions::new(format!("sqlite:{}?mode=rwc", folder.join("commits.db").display()));
        options.max_connections(1).min_connections(1).sqlx_logging(false).test_before_acquire(false);
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite.pragma("journal_mode", "WAL").pragma("synchronous", "FULL").pragma("cache_size", "-16000")
        });
        let db = Database::connect(options).await?;
        db.execute_unprepared("CREATE TABLE row (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)").await?;
        Ok(Self { db })
    }

    async fn one(&self) -> Done {
        self.db.execute_unprepared("INSERT INTO row (at) VALUES (1)").await?;
        Ok(())
    }
}

fn date(day: NaiveDate) -> Option<Date> {
    let [month, day_of_month] = [day.month(), day.day()].map(|part| i32::try_from(part).expect("at most 31"));
    Some(Date { year: day.year(), month, day: day_of_month })
}

/// One or two nights within the next three months.
fn stay(turn: u64) -> (Option<Date>, Option<Date>) {
    let check_in = today() + Days::new(7 + turn / 17 % 80);
    (date(check_in), date(check_in + Days::new(1 + turn % 2)))
}

async fn room(seller: &Client, number: usize) -> Result<Room, yeyak::Error> {
    let place = i32::try_from(number).expect("is small");
    let property = Property {
        name: format!("바다가 보이는 집 {number}"),
        name_en: format!("House by the Sea {number}"),
        region: place % REGIONS + 1,
        address: "바닷가길 1".into(),
        location: Some(GeoPoint { latitude_e7: 334_600_000 + place * 1000, longitude_e7: 1_263_100_000 }),
        confirmation_mode: ConfirmationMode::Instant.into(),
        late_payment_policy: LatePaymentPolicy::Refund.into(),
        ..Default::default()
    };
    debug_assert!(Region::try_from(property.region).is_ok());
    let create = CreatePropertyRequest { property: Some(property), ..Default::default() };
    let property = seller.properties().create_property(create).await?;
    let room_type = RoomType {
        property_id: property.id.clone(),
        name: "온돌방".into(),
        base_occupancy: 2,
        max_occupancy: 4,
        room_count: ROOMS,
        ..Default::default()
    };
    let create = CreateRoomTypeRequest { room_type: Some(room_type), ..Default::default() };
    let room_type = seller.room_types().create_room_type(create).await?;
    let rate_plan = RatePlan {
        room_type_id: room_type.id.clone(),
        name: "기본".into(),
        cancellation_policy: Some(CancellationPolicy { preset: Preset::Flexible.into(), tiers: Vec::new() }),
        ..Default::default()
    };
    let create = CreateRatePlanRequest { rate_plan: Some(rate_plan), ..Default::default() };
    let rate_plan = seller.rate_plans().create_rate_plan(create).await?;
    let price = ProtoMoney { currency_code: "KRW".into(), minor_units: 80_000 + i64::from(place % 50) * 1000 };
    let today = today();
    let calendar = UpdateCalendarRequest {
        room_type_id: room_type.id.clone(),
        start_date: date(today),
        end_date: date(today + Days::new(120)),
        prices: vec![RatePlanPrice { rate_plan_id: rate_plan.id.clone(), price: Some(price) }],
        ..Default::default()
    };
    seller.calendars().update_calendar(calendar).await?;
    let open = OpenPropertyRequest { id: property.id, ..Default::default() };
    seller.properties().open_property(open).await?;
    Ok(Room { room_type: room_type.id, rate_plan: rate_plan.id })
}

/// A member who may sell, and an admin who says so.
async fn seller(client: &Client) -> Result<Client, yeyak::Error> {
    let (seller, admin) = (client.anonymous(), client.anonymous());
    seller.sign_up("seller@example.kr", PASSWORD, "민박").await?;
    admin.log_in("admin@example.kr", PASSWORD).await?;
    let application = CreateSellerApplicationRequest {
        business_name: "바다 민박".into(),
        business_number: "123-45-67891".into(),
        ..Default::default()
    };
    let application = seller.seller_applications().create_seller_application(application).await?;
    let approve = ApproveSellerApplicationRequest { id: application.id, ..Default::default() };
    admin.seller_applications().approve_seller_application(approve).await?;
    Ok(seller)
}

async fn catalogue(client: &Client, count: usize) -> Result<Vec<Room>, Failure> {
    let seller = seller(client).await?;
    let made = futures::stream::iter(0..count).map(|number| room(&seller, number)).buffered(16);
    let rooms: Vec<_> = made.collect().await;
    Ok(rooms.into_iter().collect::<Result<_, _>>()?)
}

async fn members(client: &Client, count: usize) -> Result<Vec<Client>, Failure> {
    let sign_up = |number| async move {
        let member = client.anonymous();
        member.sign_up(&format!("member{number}@example.kr"), PASSWORD, "민아").await?;
        Ok::<_, Failure>(member)
    };
    try_join_all((0..count).map(sign_up)).await
}

/// What one phase came to.
struct Measured {
    per_second: f64,
    p50: f64,
    p99: f64,
    errors: usize,
}

/// So many clients, each with one call at a time, until the time is over.
async fn measure<F, Fut>(seconds: u64, clients: usize, call: F) -> Measured
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Done> + Send,
{
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let call = call.clone();
            tokio::spawn(async move {
                let (mut times, mut errors) = (Vec::new(), 0);
                while Instant::now() < end {
                    let begun = Instant::now();
                    match call(client).await {
                        Ok(()) => times.push(begun.elapsed()),
                        Err(error) => {
                            if errors == 0 {
                                eprintln!("client {client}: {error}");
                            }
                            errors += 1;
                        }
                    }
                }
                (times, errors)
            })
        })
        .collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for task in tasks {
        let (some, failed) = task.await.expect("a client does not panic");
        times.extend(some);
        errors += failed;
    }
    let taken = start.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    Measured { per_second: times.len() as f64 / taken, p50: at(0.5), p99: at(0.99), errors }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum What {
    Empty,
    Search,
    Quote,
    Booking,
    Commit,
}

impl What {
    const ALL: [Self; 5] = [Self::Empty, Self::Search, Self::Quote, Self::Booking, Self::Commit];

    fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty_rpc",
            Self::Search => "search",
            Self::Quote => "quote",
            Self::Booking => "booking",
            Self::Commit => "commit",
        }
    }

    async fn once(self, stage: &Stage, client: usize) -> Done {
        match self {
            Self::Empty => stage.empty(client).await,
            Self::Search => stage.search(client).await,
            Self::Quote => stage.quote(client).await,
            Self::Booking => stage.booking(client).await,
            Self::Commit => stage.commits.one().await,
        }
    }
}

/// The rate of each kind at [`AT`] clients.
type Rates = Vec<(What, f64)>;

async fn run(plan: &Plan, stage: &Arc<Stage>, checks: &Checks) -> Result<Rates, Failure> {
    let mut rates = Vec::new();
    for &clients in &plan.clients {
        for what in What::ALL {
            // Connections, statements and branch predictors are warm.
            for client in 0..clients {
                what.once(stage, client).await?;
            }
            let shared = stage.clone();
            let call = move |client| {
                let stage = shared.clone();
                async move { what.once(&stage, client).await }
            };
            let Measured { per_second, p50, p99, errors } = measure(plan.seconds, clients, call).await;
            let violations = if what == What::Booking { checks.run().await.map_err(told)?.len() } else { 0 };
            println!(
                r#"{{"bench":"booking","what":"{}","clients":{clients},"per_s":{per_second:.0},"p50_ms":{p50:.3},"p99_ms":{p99:.3},"errors":{errors},"violations":{violations}}}"#,
                what.name()
            );
            if clients == AT {
                rates.push((what, per_second));
            }
        }
    }
    Ok(rates)
}

/// A child that ends with this process.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Starts the binary on a folder that is in use for some time, until it says that it serves.
async fn start(folder: &Path) -> Done {
    let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
    let (grpc, http) = (free()?, free()?);
    let mut command = Command::new(env!("CARGO_BIN_EXE_yeyak"));
    command.args(["serve", "--listen", &grpc.to_string(), "--http", &http.to_string(), "--data"]).arg(folder);
    command.env("YEYAK_METRICS", "").env("YEYAK_LOG__FILTER", "warn").stdout(Stdio::null());
    let begun = Instant::now();
    let child = Running(command.spawn()?);
    let url = format!("http://{grpc}");
    while !serves(&url).await {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err("the server did not start within 20 seconds".into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    println!(r#"{{"bench":"booking","what":"start","ms":{ms:.0},"rss_mb":{:.1}}}"#, kilobytes / 1024.0);
    Ok(())
}

async fn serves(url: &str) -> bool {
    let Ok(client) = Client::connect_with(url, Options::default().attempts(1)).await else { return false };
    let check = HealthClient::new(client.raw()).check(HealthCheckRequest { service: String::new() }).await;
    check.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}

fn print_ratios(rates: &Rates) {
    let rate = |wanted| rates.iter().find(|(what, _)| *what == wanted).map_or(f64::NAN, |(_, rate)| *rate);
    let (empty, commit) = (rate(What::Empty), rate(What::Commit));
    if rates.is_empty() {
        return;
    }
    println!(
        r#"{{"bench":"booking","what":"ratios","search_of_empty":{:.3},"quote_of_empty":{:.3},"booking_of_commit":{:.3}}}"#,
        rate(What::Search) / empty,
        rate(What::Quote) / empty,
        rate(What::Booking) / commit
    );
}

#[tokio::main]
async fn main() -> Done {
    let plan = Plan::read()?;
    // Two parts of a program may both set it: it is the same.
    _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let commits = Commits::open(folder.path()).await?;
    let data = folder.path().join("data");
    let platform = Platform::open(config(&data)?, World::default()).await?;
    platform.members.create_admin("admin@example.kr", PASSWORD, "관리자").await.map_err(told)?;
    let (simulator, checks) = (platform.simulator.clone().ok_or("the provider is the simulator")?, platform.checks());
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, listening) = oneshot::channel();
    let serving = tokio::spawn(platform.serve(move |ports| _ = ready.send(*ports), async { _ = stopped.await }));
    let ports = listening.await?;

    let client = Client::connect_with(&format!("http://{}", ports.grpc), Options::default().channels(4)).await?;
    let begun = Instant::now();
    let rooms = catalogue(&client, plan.properties).await?;
    let members = members(&client, plan.clients.iter().copied().max().unwrap_or(1)).await?;
    eprintln!("{} properties and {} members in {:.1?}", rooms.len(), members.len(), begun.elapsed());
    let stage = Arc::new(Stage { members, rooms, simulator, commits, turns: AtomicU64::new(0) });
    let rates = run(&plan, &stage, &checks).await?;
    drop((stage, checks, client));
    _ = stop.send(());
    serving.await??;

    start(&data).await?;
    print_ratios(&rates);
    Ok(())
}
