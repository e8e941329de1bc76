//! How fast bookings are made: every RPC over real sockets, every commit on disk; on what needs nothing installed, and on
//! PostgreSQL, Redis and RabbitMQ, in one run.
//!
//! `cargo bench --bench booking [-- --seconds N --clients 1,16,64 --properties N --on embedded,production]` prints one line of
//! JSON for each measurement. The absolute numbers are those of a machine that runs clients and server on the same cores; the
//! last lines have the ratios, which travel better: reads against the cheapest RPC, whole bookings against bare commits of one
//! row on the same disk, and on PostgreSQL against the same statements with nothing around them.

#[path = "../allocator/mod.rs"]
mod allocator;
mod bound;
mod catalogue;
mod commits;
mod measure;
mod stage;
mod start;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;
use yeyak::{Client, Options};
use yeyak_server::admin::Checks;
use yeyak_server::config::{Config, Sources};
use yeyak_server::serve::{Platform, World};
use yeyak_services::{Durability, Postgres, Rabbit, Redis};

use self::bound::Recording;
use self::commits::Commits;
use self::measure::{Measured, measure};
use self::stage::Stage;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Done = Result<(), Failure>;

/// What the server's own errors say.
fn told(error: yeyak_server::error::Error) -> Failure {
    error.to_string().into()
}

pub(crate) const PASSWORD: &str = "correct horse battery";
/// At how many clients the ratios are taken.
const AT: usize = 16;
/// How many bookings the bound is taken from.
const RECORDED: usize = 1000;

struct Plan {
    seconds: u64,
    clients: Vec<usize>,
    properties: usize,
    on: Vec<String>,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let on = ["embedded", "production"].map(str::to_owned).to_vec();
        let mut plan = Self { seconds: 5, clients: vec![1, 16, 64], properties: 300, on };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match &*word {
                // What cargo says to every bench.
                "--bench" => {}
                "--seconds" => plan.seconds = value()?.parse()?,
                "--clients" => plan.clients = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--properties" => plan.properties = value()?.parse::<usize>()?.max(1),
                "--on" => plan.on = value()?.split(',').map(str::to_owned).collect(),
                other => return Err(format!("{other} is not an option of this bench").into()),
            }
        }
        Ok(plan)
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum What {
    Empty,
    Search,
    Quote,
    Booking,
    Commit,
    /// The database alone.
    Bound,
}

impl What {
    const MEASURED: [Self; 5] = [Self::Empty, Self::Search, Self::Quote, Self::Booking, Self::Commit];

    fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty_rpc",
            Self::Search => "search",
            Self::Quote => "quote",
            Self::Booking => "booking",
            Self::Commit => "commit",
            Self::Bound => "sql_bound",
        }
    }

    async fn once(self, stage: &Stage, client: usize) -> Done {
        match self {
            Self::Empty => stage.empty(client).await,
            Self::Search => stage.search(client).await,
            Self::Quote => stage.quote(client).await,
            Self::Booking => stage.booking(client).await,
            Self::Commit => stage.commits.one().await,
            Self::Bound => Err("is no call".into()),
        }
    }
}

/// The services of a production installation.
struct Services {
    postgres: Postgres,
    redis: Redis,
    rabbit: Rabbit,
}

impl Services {
    fn start() -> Self {
        Self { postgres: Postgres::start(Durability::Full), redis: Redis::start(), rabbit: Rabbit::start() }
    }
}

/// A platform to measure: what it is on, and where its tables are.
struct Bench<'a> {
    plan: &'a Plan,
    on: &'a str,
    services: Option<&'a Services>,
    database: Option<String>,
}

/// The rate of each kind at [`AT`] clients.
type Rates = Vec<(What, f64)>;

impl Bench<'_> {
    fn config(&self, folder: &Path) -> Result<Config, Failure> {
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
        if let (Some(services), Some(database)) = (self.services, &self.database) {
            sources = sources
                .with("database", database)
                .with("redis", services.redis.url())
                .with("queue", services.rabbit.url())
                .with("payment.allow_simulator", true);
        }
        for limit in ["member_calls_per_second", "member_burst", "address_calls_per_second", "address_burst"] {
            sources = sources.with(&format!("limit.{limit}"), endless);
        }
        Ok(sources.config()?)
    }

    async fn run(&self) -> Done {
        let folder = tempfile::tempdir()?;
        let most = u32::try_from(self.plan.clients.iter().copied().max().unwrap_or(1))?;
        let commits = Commits::open(folder.path(), self.database.as_deref(), most).await?;
        let data = folder.path().join("data");
        let platform = Platform::open(self.config(&data)?, World::default()).await?;
        platform.members.create_admin("admin@example.kr", PASSWORD, "관리자").await.map_err(told)?;
        let simulator = platform.simulator.clone().ok_or("the provider is the simulator")?;
        let checks = platform.checks();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, listening) = oneshot::channel();
        let serving = tokio::spawn(platform.serve(move |ports| _ = ready.send(*ports), async { _ = stopped.await }));
        let ports = listening.await?;

        let client = Client::connect_with(&format!("http://{}", ports.grpc), Options::default().channels(4)).await?;
        let rooms = catalogue::catalogue(&client, self.plan.properties).await?;
        let members = catalogue::members(&client, usize::try_from(most)?).await?;
        let stage = Arc::new(Stage::new(members, rooms, simulator, commits));
        let mut rates = self.measured(&stage, &checks).await?;
        if let (Some(services), Some(database)) = (self.services, &self.database) {
            let bound = self.bound(services, database, &stage).await?;
            rates.push((What::Bound, bound));
        }
        drop((stage, checks, client));
        _ = stop.send(());
        serving.await??;
        if self.services.is_none() {
            start::start(&data).await?;
        }
        self.print_ratios(&rates);
        Ok(())
    }

    async fn measured(&self, stage: &Arc<Stage>, checks: &Checks) -> Result<Rates, Failure> {
        let mut rates = Vec::new();
        for &clients in &self.plan.clients {
            for what in What::MEASURED {
                // Connections, statements and branch predictors are warm.
                for client in 0..clients {
                    what.once(stage, client).await?;
                }
                let shared = stage.clone();
                let call = move |client| {
                    let stage = shared.clone();
                    async move { what.once(&stage, client).await }
                };
                let Measured { per_second, p50, p99, errors } = measure(self.plan.seconds, clients, call).await;
                let violations = if what == What::Booking { checks.run().await.map_err(told)?.len() } else { 0 };
                println!(
                    r#"{{"bench":"booking","on":"{}","what":"{}","clients":{clients},"per_s":{per_second:.0},"p50_ms":{p50:.3},"p99_ms":{p99:.3},"errors":{errors},"violations":{violations}}}"#,
                    self.on,
                    what.name()
                );
                if errors > 0 || violations > 0 {
                    return Err(format!("{errors} calls failed, and {violations} promises are broken").into());
                }
                if clients == AT {
                    rates.push((what, per_second));
                }
            }
        }
        Ok(rates)
    }

    /// The same statements as whole bookings have, with nothing around them.
    async fn bound(&self, services: &Services, database: &str, stage: &Stage) -> Result<f64, Failure> {
        // The copy needs a moment in which nobody is connected; it is written from a dump instead.
        let before = services.postgres.duplicate(database);
        bound::log_statements(&services.postgres, true);
        let began = services.postgres.log().len();
        for number in 0..RECORDED {
            bound::mark(database, number).await?;
            stage.booking(number % stage.members.len()).await?;
        }
        bound::log_statements(&services.postgres, false);
        let recording = Recording::read(&services.postgres.log()[began..]);
        let statements = recording.statements();
        let per_second = recording.replay(&before, AT).await?;
        println!(
            r#"{{"bench":"booking","on":"{}","what":"sql_bound","clients":{AT},"per_s":{per_second:.0},"statements":{statements:.1},"errors":0}}"#,
            self.on
        );
        Ok(per_second)
    }

    fn print_ratios(&self, rates: &Rates) {
        let rate = |wanted| rates.iter().find(|(what, _)| *what == wanted).map(|(_, rate)| *rate);
        let ratio = |of, by| match (rate(of), rate(by)) {
            (Some(of), Some(by)) => format!("{:.3}", of / by),
            _ => "null".to_owned(),
        };
        println!(
            r#"{{"bench":"booking","on":"{}","what":"ratios","search_of_empty":{},"quote_of_empty":{},"booking_of_commit":{},"booking_of_sql_bound":{}}}"#,
            self.on,
            ratio(What::Search, What::Empty),
            ratio(What::Quote, What::Empty),
            ratio(What::Booking, What::Commit),
            ratio(What::Booking, What::Bound)
        );
    }
}

#[tokio::main]
async fn main() -> Done {
    let plan = Plan::read()?;
    // Two parts of a program may both set it: it is the same.
    _ = rustls::crypto::ring::default_provider().install_default();
    for on in &plan.on {
        match &**on {
            "embedded" => Bench { plan: &plan, on, services: None, database: None }.run().await?,
            "production" => {
                let services = Services::start();
                let database = Some(services.postgres.create());
                Bench { plan: &plan, on, services: Some(&services), database }.run().await?;
            }
            other => return Err(format!("--on {other}: it may be embedded or production").into()),
        }
    }
    Ok(())
}
