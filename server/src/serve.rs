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

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use yeyak_migrations::{Migrator, MigratorTrait};

pub use self::error::ServeError;
pub(crate) use self::folder::Folder;
pub use self::folder::FolderError;
use self::health::Health;
use self::http::HttpPort;
pub use self::jobs::{Job, Jobs};
pub use self::run::Ports;
use crate::admin::Checks;
use crate::backend::bus::MemoryBus;
use crate::backend::provider::simulator::Simulator;
use crate::backend::queue::{Consumer, DatabaseQueue, Queue, Relay};
use crate::booking::{BookingSettings, Bookings, ExpireJob};
use crate::config::Config;
use crate::error::Error;
use crate::inventory::Inventory;
use crate::kit::Kit;
use crate::kit::clock::{Clock, SystemClock};
use crate::kit::id::Ids;
use crate::kit::keyring::Keyring;
use crate::kit::lease::Leases;
use crate::kit::tx::Db;
use crate::layer::rate::{RateLimits, Rates};
use crate::ledger::Ledger;
use crate::member::{MemberSettings, Members, TokenSettings};
use crate::payment::Payments;
use crate::stay::Stays;

/// The file of the secrets, which the first start makes.
const KEYS: &str = "keys.json";

/// Time and chance of a server; tests give their own.
#[derive(Clone, Debug)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub ids: Arc<Ids>,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(Ids::random()) }
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
    queue: Arc<dyn Queue>,
    consumers: Vec<Arc<dyn Consumer>>,
    relay: Relay,
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

impl Platform {
    /// Opens the database, brings it to this release, and puts the domains together.
    pub async fn open(config: Config, world: World) -> Result<Self, ServeError> {
        let folder = Folder::lock(&config.data)?;
        Self::open_in(folder, config, world).await
    }

    /// Opens beside a running server, to look at what there is; nothing may be changed through it.
    pub async fn open_to_look(config: Config, world: World) -> Result<Self, ServeError> {
        let folder = Folder::share(&config.data)?;
        Self::open_in(folder, config, world).await
    }

    async fn open_in(folder: Folder, config: Config, world: World) -> Result<Self, ServeError> {
        let keys = Keyring::load_or_create(&config.data.join(KEYS), config.master_key.reveal(), &world.ids)?;
        let db = Db::open(&config.database_url(), config.database_connections).await?;
        if folder.is_ours() {
            Migrator::up(db.schema_connection(), None)
                .await
                .map_err(|error| ServeError::Database(error.to_string()))?;
        }
        let kit = Kit::new(db, world.clock, world.ids, Arc::new(keys));

        // Who only looks takes calls from nobody.
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let http = HttpPort::bind(if folder.is_ours() { config.http } else { nowhere }).await?;
        let stop = Stop::default();

        let members = Members::new(kit.clone(), &member_settings(&config));
        let ledger = Ledger::new(kit.clone());
        let inventory = Inventory::new(kit.clone());
        let stays = Stays::new(kit.clone(), Arc::new(inventory.clone()));
        let (payments, simulator) = pay::open(&config, &kit, http.address, stop.tasks.clone()).await?;
        let bus = Arc::new(MemoryBus::default());
        let settings = booking_settings(&config);
        let bookings = Bookings::new(kit.clone(), settings, stays.clone(), inventory.clone(), payments.clone(), bus);

        let consumers: Vec<Arc<dyn Consumer>> = vec![payments.consumer()];
        let queue: Arc<dyn Queue> = Arc::new(DatabaseQueue::new(kit.clone(), &consumers));
        let leases = Leases::new(kit.db.clone(), kit.clock.clone(), kit.ids.uuid(kit.clock.now()));
        // The folder's lock says that no other server of this database lives.
        if folder.is_ours() && config.is_embedded() {
            leases.inherit().await?;
        }
        let mut all_jobs: Vec<Arc<dyn Job>> = vec![Arc::new(jobs::TidyRequests(kit.requests.clone()))];
        all_jobs.extend(payments.jobs());
        all_jobs.push(Arc::new(ExpireJob(bookings.clone())));
        let jobs = Jobs::new(leases, all_jobs);
        let rates = Rates::new(RateLimits {
            member: (config.limit.member_calls_per_second, config.limit.member_burst),
            address: (config.limit.address_calls_per_second, config.limit.address_burst),
        });
        let health = Health::new(routes::service_names(&config));
        Ok(Self {
            relay: Relay::new(kit.clone(), queue.clone()),
            config,
            kit,
            members,
            stays,
            inventory,
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
        let Self { inventory, ledger, payments, bookings, .. } = self;
        Checks::new(inventory.clone(), ledger.clone(), payments.clone(), bookings.clone())
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
