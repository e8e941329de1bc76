//! The server put together: domains behind the layers, ports, background work, and a stop that loses nothing.

mod folder;
pub mod health;
mod http;
mod jobs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};
use yeyak_migrations::{Migrator, MigratorTrait};

use self::folder::Folder;
pub use self::folder::FolderError;
use self::health::Health;
pub use self::jobs::{Job, Jobs};
use crate::backend::queue::{Consumer, DatabaseQueue, Queue, Relay};
use crate::config::{Config, ConfigError};
use crate::error::Error;
use crate::inventory::Inventory;
use crate::kit::Kit;
use crate::kit::clock::{Clock, SystemClock};
use crate::kit::id::Ids;
use crate::kit::keyring::{Keyring, KeyringError};
use crate::kit::lease::Leases;
use crate::kit::tx::Db;
use crate::layer::auth::AuthLayer;
use crate::layer::rate::{RateLimits, Rates};
use crate::layer::{self, Catalog};
use crate::member::{MemberSettings, Members, TokenSettings};
use crate::stay::Stays;

/// Why the server can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The secrets can't be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database can't be opened or migrated.
    #[error("the database can't be used: {0}")]
    Database(String),
    /// An address can't be listened on.
    #[error("{option} = {address} can't be listened on: {source}; is another server running?")]
    Listen {
        /// The option that names it.
        option: &'static str,
        /// Which address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate or key can't be read.
    #[error("`{option}`: {path} can't be read: {source}")]
    Certificate {
        /// The option that names it.
        option: &'static str,
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Error> for ServeError {
    fn from(error: Error) -> Self {
        Self::Database(error.to_string())
    }
}

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
    /// The rooms of each night.
    pub inventory: Inventory,
    /// What can be stayed in.
    pub stays: Stays,
    /// Work that repeats.
    pub jobs: Jobs,
    queue: Arc<dyn Queue>,
    consumers: Vec<Arc<dyn Consumer>>,
    relay: Relay,
    health: Health,
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
        let keys = Keyring::load_or_create(&config.data.join("keys.json"), config.master_key.reveal(), &world.ids)?;
        let db = Db::open(&config.database_url(), config.database_connections).await?;
        Migrator::up(db.schema_connection(), None).await.map_err(|error| ServeError::Database(error.to_string()))?;
        let kit = Kit::new(db, world.clock, world.ids, Arc::new(keys));

        let members = Members::new(kit.clone(), &member_settings(&config));
        let inventory = Inventory::new(kit.clone());
        let stays = Stays::new(kit.clone(), Arc::new(inventory.clone()));

        let consumers: Vec<Arc<dyn Consumer>> = Vec::new();
        let queue: Arc<dyn Queue> = Arc::new(DatabaseQueue::new(kit.clone(), &consumers));
        let leases = Leases::new(kit.db.clone(), kit.clock.clone(), kit.ids.uuid(kit.clock.now()));
        let jobs = Jobs::new(leases, vec![Arc::new(jobs::TidyRequests(kit.requests.clone()))]);
        let health = Health::new(service_names());
        Ok(Self {
            relay: Relay::new(kit.clone(), queue.clone()),
            config,
            kit,
            members,
            inventory,
            stays,
            jobs,
            queue,
            consumers,
            health,
            stop: Stop::default(),
            _folder: folder,
        })
    }

    fn routes(&self) -> Result<Routes, ServeError> {
        let limit = self.config.limit.message_bytes;
        let mut routes = Routes::builder();
        let descriptors = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(yeyak_proto::FILE_DESCRIPTOR_SET)
        };
        let other = |error: tonic_reflection::server::Error| ServeError::Other(error.to_string());
        routes
            .add_service(self.health.server())
            .add_service(descriptors().build_v1().map_err(other)?)
            .add_service(descriptors().build_v1alpha().map_err(other)?)
            .add_service(self.members.auth_service().max_decoding_message_size(limit).max_encoding_message_size(limit))
            .add_service(
                self.stays.property_service().max_decoding_message_size(limit).max_encoding_message_size(limit),
            )
            .add_service(
                self.stays.room_type_service().max_decoding_message_size(limit).max_encoding_message_size(limit),
            )
            .add_service(
                self.stays.rate_plan_service().max_decoding_message_size(limit).max_encoding_message_size(limit),
            )
            .add_service(
                self.stays.calendar_service().max_decoding_message_size(limit).max_encoding_message_size(limit),
            )
            .add_service(self.stays.search_service().max_decoding_message_size(limit).max_encoding_message_size(limit));
        Ok(routes.routes().prepare())
    }

    fn stack(
        &self,
    ) -> impl tower::Layer<Routes, Service: layer::Answer + Clone + Send + Sync + 'static> + Clone + use<> {
        let limit = &self.config.limit;
        let parts = layer::Parts {
            catalog: Arc::new(Catalog::new()),
            ids: self.kit.ids.clone(),
            clock: self.kit.clock.clone(),
            tasks: self.stop.tasks.clone(),
            drain: self.stop.streams.clone(),
            deadline: layer::deadline::Limits {
                default: Duration::from_secs(limit.default_deadline_seconds),
                max: Duration::from_secs(limit.longest_deadline_seconds),
            },
            shed: layer::shed::Limits {
                calls: limit.calls,
                calls_per_service: limit.calls_per_service,
                streams: limit.streams,
            },
        };
        let rates = Rates::new(RateLimits {
            member: (limit.member_calls_per_second, limit.member_burst),
            address: (limit.address_calls_per_second, limit.address_burst),
        });
        layer::stack(parts, AuthLayer::new(Arc::new(self.members.clone()), Arc::new(rates)))
    }

    /// The server without a socket, for tests and for programs that carry it inside: the same layers, the same answers.
    pub fn embedded(&self) -> Result<yeyak::Embedded, ServeError> {
        let service = self.stack().layer(self.routes()?);
        Ok(BoxCloneSyncService::new(service.map_err(|never| match never {})))
    }

    /// Does everything that is due now, once: events published, messages taken, jobs run. For tests, which don't wait.
    pub async fn settle(&self) -> Result<(), Error> {
        loop {
            let mut done = self.relay.publish_due().await?;
            for consumer in &self.consumers {
                done += self.queue.consume_due(&**consumer).await?;
            }
            if done == 0 {
                break;
            }
        }
        self.jobs.run_all().await
    }

    /// Listens, says so through `ready`, and serves until `stop` is done; then drains.
    pub async fn serve(
        self,
        ready: impl FnOnce(&Ports),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let grpc = listen("listen", &self.config.listen.to_string()).await?;
        let http = listen("http", &self.config.http.to_string()).await?;
        let ports = Ports { grpc: address(&grpc)?, http: address(&http)? };
        let workers = self.stop.workers.clone();
        let tasks = self.stop.tasks.clone();
        tasks.spawn(http::serve(http, self.http_router(), workers.clone()));
        self.start_work();

        let incoming = TcpIncoming::from(grpc).with_nodelay(Some(true));
        let mut server = Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            // A client that resets streams as fast as it opens them is cut off.
            .http2_max_pending_accept_reset_streams(Some(64))
            .max_concurrent_streams(Some(1024));
        if let Some(tls) = self.tls()? {
            server = server.tls_config(tls).map_err(|error| ServeError::Other(error.to_string()))?;
        }
        let cors =
            layer::cors::layer(&self.config.cors_origins).map_err(|error| ServeError::Other(error.to_string()))?;
        let drained = CancellationToken::new();
        let serving = server
            .layer(cors)
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(self.stack())
            .add_routes(self.routes()?)
            .serve_with_incoming_shutdown(incoming, drained.clone().cancelled_owned());
        let mut serving = tokio::spawn(serving);
        ready(&ports);
        tokio::select! {
            ended = &mut serving => return finished(ended),
            () = stop => {}
        }
        self.drain(drained, serving).await
    }

    /// Refuses new work by health first, then lets what is under way end: streams, calls, workers, in this order.
    async fn drain(
        self,
        drained: CancellationToken,
        serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    ) -> Result<(), ServeError> {
        let patience = self.config.drain();
        tracing::info!("stopping: calls in flight have {} seconds to end", patience.as_secs());
        let ending = async {
            self.health.set_all(health::ServingStatus::NotServing);
            self.stop.streams.cancel();
            drained.cancel();
            let served = serving.await;
            self.stop.workers.cancel();
            self.stop.tasks.close();
            self.stop.tasks.wait().await;
            // Another process need not wait for our leases to run out.
            if let Err(error) = self.jobs.release().await {
                tracing::warn!("leases could not be given up, and run out by themselves: {error}");
            }
            finished(served)
        };
        match tokio::time::timeout(patience, ending).await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::warn!(
                    "calls were still under way after {patience:?}; what they changed is kept or undone whole"
                );
                Ok(())
            }
        }
    }

    fn start_work(&self) {
        let Stop { workers, tasks, .. } = &self.stop;
        let wanted = |name: &str| self.config.workers.iter().any(|worker| worker == "all" || worker == name);
        if wanted("relay") {
            let (relay, stop) = (self.relay.clone(), workers.clone());
            tasks.spawn(async move { relay.run(stop).await });
        }
        for consumer in self.consumers.iter().filter(|consumer| wanted(consumer.name())) {
            let (queue, consumer, stop) = (self.queue.clone(), consumer.clone(), workers.clone());
            tasks.spawn(async move { queue.consume(consumer, stop).await });
        }
        self.jobs.start(&wanted, workers, tasks);
        // Not a worker to be chosen: whoever answers searches needs it.
        let (stays, stop) = (self.stays.clone(), workers.clone());
        tasks.spawn(async move { stays.keep_index(stop).await });
    }

    fn tls(&self) -> Result<Option<ServerTlsConfig>, ServeError> {
        let tls = &self.config.tls;
        if !self.config.has_tls() {
            return Ok(None);
        }
        let read = |option: &'static str, path: &str| {
            std::fs::read(path).map_err(|source| ServeError::Certificate { option, path: path.to_owned(), source })
        };
        let identity = Identity::from_pem(read("tls.certificate", &tls.certificate)?, read("tls.key", &tls.key)?);
        let mut config = ServerTlsConfig::new().identity(identity);
        if !tls.client_authority.is_empty() {
            let authority = read("tls.client_authority", &tls.client_authority)?;
            config = config.client_ca_root(Certificate::from_pem(authority));
        }
        Ok(Some(config))
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// gRPC, gRPC-Web, reflection, health.
    pub grpc: SocketAddr,
    /// Pay pages, webhooks, `/healthz`, the JWKS.
    pub http: SocketAddr,
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

fn service_names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = yeyak_proto::METHODS.iter().map(|method| method.service).collect();
    names.dedup();
    names.into_iter()
}

async fn listen(option: &'static str, address: &str) -> Result<TcpListener, ServeError> {
    let refused = |source| ServeError::Listen { option, address: address.to_owned(), source };
    TcpListener::bind(address).await.map_err(refused)
}

fn address(listener: &TcpListener) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|error| ServeError::Other(error.to_string()))
}

fn finished(ended: Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>) -> Result<(), ServeError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ServeError::Other(error.to_string())),
        Err(error) => Err(ServeError::Other(error.to_string())),
    }
}
