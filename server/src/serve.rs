//! The server put together: domains behind the layers, ports, background work, and a stop that loses nothing.

mod error;
mod folder;
pub mod health;
mod http;
mod jobs;
mod metrics;
mod pay;
mod routes;
mod run;
mod schema;
mod watch;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::error::ServeError;
pub(crate) use self::folder::Folder;
pub use self::folder::FolderError;
use self::health::Health;
use self::http::HttpPort;
pub use self::jobs::{Job, Jobs};
pub use self::run::Ports;
pub(crate) use self::schema::Schema;
use crate::admin::Checks;
use crate::backend::provider::simulator::Simulator;
use crate::backend::queue::{self, Consumer, Measure, Queue, Relay};
use crate::backend::rate::Limit;
use crate::backend::redis::Redis;
use crate::backend::{bus, cache, gate};
use crate::booking::{self, BookingSettings, Bookings, ExpireJob};
use crate::config::Config;
use crate::coupon::Coupons;
use crate::coupon::kind::Kinds;
use crate::error::Error;
use crate::inventory::Inventory;
use crate::kit::Kit;
use crate::kit::clock::{Clock, SystemClock};
use crate::kit::id::Ids;
use crate::kit::keyring::{KeyStore, Keyring};
use crate::kit::lease::Leases;
use crate::kit::tx::Db;
use crate::layer::rate::{RateLimits, Rates};
use crate::ledger::Ledger;
use crate::member::{MemberSettings, Members, TidyLogins, TokenSettings};
use crate::payment::Payments;
use crate::point::Points;
use crate::stay::Stays;

/// The file of the secrets, which the first start makes.
const KEYS: &str = "keys.json";

/// Time and chance of a server, and what it knows beside its configuration; tests give their own.
#[derive(Clone, Debug)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub ids: Arc<Ids>,
    /// The benefits and conditions that coupon policies are made of. All processes of an installation have the same.
    pub kinds: Kinds,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(Ids::random()), kinds: Kinds::standard() }
    }
}

/// Everything but sockets: the domains, and what they share.
pub struct Platform {
    /// The configuration it was opened with.
    pub config: Config,
    /// What the domains are built from.
    pub kit: Kit,
    /// The members.
    pub members: Members,
    /// The stays that are sold.
    pub stays: Stays,
    /// The rooms of each night.
    pub inventory: Inventory,
    /// The coupons.
    pub coupons: Coupons,
    /// The points.
    pub points: Points,
    /// The ledger.
    pub ledger: Ledger,
    /// The payments.
    pub payments: Payments,
    /// The bookings.
    pub bookings: Bookings,
    /// The payment provider, when it is the built-in one.
    pub simulator: Option<Simulator>,
    /// Work that repeats.
    pub jobs: Jobs,
    rates: Arc<Rates>,
    /// What carries the events.
    pub queue: Arc<dyn Queue>,
    consumers: Vec<Arc<dyn Consumer>>,
    relay: Relay,
    measure: Measure,
    health: Health,
    http: HttpPort,
    stop: Stop,
    _folder: Folder,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How a server stops: what ends first, and what is waited for.
#[derive(Clone, Debug, Default)]
struct Stop {
    /// Ends open streams.
    streams: CancellationToken,
    /// Ends workers and jobs.
    workers: CancellationToken,
    /// Calls that have begun to change something, workers and jobs.
    tasks: TaskTracker,
}

/// What a platform is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Opening {
    /// To take calls.
    Serve,
    /// To change something by hand; beside running servers, where several processes may use the database.
    Change,
    /// To look.
    Look,
}

impl Platform {
    /// Opens the database, brings it to this release, and puts the domains together, to serve them.
    pub async fn open(config: Config, world: World) -> Result<Self, ServeError> {
        let folder = Folder::of(&config)?;
        Self::open_for(Opening::Serve, folder, config, world).await
    }

    /// Opens to change something by hand: as [`Platform::open`], without a port.
    pub async fn open_to_change(config: Config, world: World) -> Result<Self, ServeError> {
        let folder = Folder::of(&config)?;
        Self::open_for(Opening::Change, folder, config, world).await
    }

    /// Opens beside a running server, to look at what there is; nothing may be changed through it.
    pub async fn open_to_look(config: Config, world: World) -> Result<Self, ServeError> {
        let folder = Folder::share(&config)?;
        Self::open_for(Opening::Look, folder, config, world).await
    }

    async fn open_for(purpose: Opening, folder: Folder, config: Config, world: World) -> Result<Self, ServeError> {
        let db = Db::open(&config.database_settings()).await?;
        // Beside a server that runs, a newer release that only looks must not change the schema under it.
        if purpose != Opening::Look || folder.is_ours() {
            schema::bring_up(&db, &config).await?;
        }
        let keys = Keyring::load_or_create(&key_store(&db, &config), config.master_key.reveal(), &world.ids).await?;
        let kit = Kit::new(db, world.clock, world.ids, Arc::new(keys));

        // Who does not serve takes calls from nobody.
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let http = HttpPort::bind(if purpose == Opening::Serve { config.http } else { nowhere }).await?;
        let stop = Stop::default();

        let members = Members::new(kit.clone(), &member_settings(&config));
        let ledger = Ledger::new(kit.clone());
        let inventory = Inventory::new(kit.clone());
        let redis = config.redis.reveal().map(|url| Redis::open(url, &config.redis_prefix)).transpose()?;
        let bus = bus::open(redis.as_ref())?;
        let stays = Stays::new(kit.clone(), Arc::new(inventory.clone()), bus.clone());
        let (payments, simulator) = pay::open(&config, &kit, http.address, stop.tasks.clone()).await?;
        let leases = Leases::new(kit.db.clone(), kit.clock.clone(), kit.ids.uuid(kit.clock.now()));
        // The folder's lock says that no other server of this database lives.
        if folder.is_ours() {
            leases.inherit().await?;
        }
        let gate = gate::open(redis.as_ref());
        let coupons = Coupons::new(kit.clone(), gate, bus.clone(), leases.clone(), stop.tasks.clone());
        let coupons = coupons.with_kinds(world.kinds);
        let cache = cache::open(redis.as_ref(), kit.clock.clone())?;
        let runs = match config.job_database_settings() {
            Some(settings) => Some(Db::open(&settings).await?),
            None => None,
        };
        let points = Points::new(kit.clone(), cache, stop.tasks.clone()).with_job_database(runs);
        let settings = booking_settings(&config);
        let parts = booking::Parts {
            stays: stays.clone(),
            inventory: inventory.clone(),
            payments: payments.clone(),
            coupons: coupons.clone(),
            points: points.clone(),
        };
        let bookings = Bookings::new(kit.clone(), settings, parts, bus);

        let consumers: Vec<Arc<dyn Consumer>> = vec![payments.consumer(), coupons.consumer()];
        let queue = queue::open(&kit, config.queue_url(), &config.queue_prefix, &consumers)?;
        let mut all_jobs: Vec<Arc<dyn Job>> =
            vec![Arc::new(jobs::TidyRequests(kit.clone())), Arc::new(TidyLogins(members.clone()))];
        all_jobs.extend(payments.jobs());
        all_jobs.push(Arc::new(ExpireJob(bookings.clone())));
        all_jobs.extend(coupons.jobs());
        all_jobs.extend(points.jobs());
        let jobs = Jobs::new(leases, all_jobs);
        // By the machine's own clock: where a test's stands still, nobody would be let through after a while.
        let rates = Rates::new(rate_limits(&config), redis.as_ref(), Arc::new(SystemClock));
        let health = Health::new(routes::service_names(&config));
        Ok(Self {
            relay: Relay::new(kit.clone(), queue.clone()),
            measure: Measure::new(kit.clone(), queue.clone()),
            config,
            kit,
            members,
            stays,
            inventory,
            coupons,
            points,
            ledger,
            payments,
            bookings,
            simulator,
            jobs,
            rates: Arc::new(rates),
            queue,
            consumers,
            health,
            http,
            stop,
            _folder: folder,
        })
    }

    /// What compares the tables with the promises of the platform.
    pub fn checks(&self) -> Checks {
        Checks {
            inventory: self.inventory.clone(),
            coupons: self.coupons.clone(),
            points: self.points.clone(),
            ledger: self.ledger.clone(),
            payments: self.payments.clone(),
            bookings: self.bookings.clone(),
        }
    }

    /// Does everything that is due now, once: webhooks delivered, events published, messages taken, jobs run. For tests,
    /// which don't wait.
    pub async fn settle(&self) -> Result<(), Error> {
        loop {
            let mut done = self.deliver_webhooks().await?;
            done += self.relay.publish_due().await?;
            for consumer in &self.consumers {
                done += self.queue.consume_due(&**consumer).await?;
            }
            if done == 0 {
                break;
            }
        }
        self.jobs.run_all().await
    }

    /// Has the simulator deliver its webhooks, when there is one and somebody to take them.
    async fn deliver_webhooks(&self) -> Result<usize, Error> {
        match &self.simulator {
            Some(simulator) if self.http.is_started() => Ok(simulator.deliver_due().await?),
            _ => Ok(0),
        }
    }
}

/// Where the secrets of an installation are.
pub(crate) fn key_store(db: &Db, config: &Config) -> KeyStore {
    match config.is_embedded() {
        true => KeyStore::File(config.data.join(KEYS)),
        false => KeyStore::Table(db.schema_connection().clone()),
    }
}

fn member_settings(config: &Config) -> MemberSettings {
    MemberSettings {
        tokens: TokenSettings {
            issuer: config.token.issuer.clone(),
            access_life: chrono::TimeDelta::minutes(config.token.access_minutes),
            refresh_life: chrono::TimeDelta::days(config.token.refresh_days),
        },
        failed_logins: config.password.failed_logins,
        hash_memory_kib: config.password.memory_kib,
    }
}

fn rate_limits(config: &Config) -> RateLimits {
    let limit = &config.limit;
    RateLimits {
        member: Limit::per_second(limit.member_calls_per_second, limit.member_burst),
        address: Limit::per_second(limit.address_calls_per_second, limit.address_burst),
    }
}

fn booking_settings(config: &Config) -> BookingSettings {
    let booking = &config.booking;
    BookingSettings {
        hold: chrono::TimeDelta::minutes(booking.hold_minutes),
        longest_hold: chrono::TimeDelta::minutes(booking.longest_hold_minutes),
        quote: chrono::TimeDelta::minutes(booking.quote_minutes),
        holds_per_member: booking.holds_per_member,
        request: chrono::TimeDelta::hours(booking.request_hours),
        paying: chrono::TimeDelta::minutes(booking.paying_minutes),
    }
}
