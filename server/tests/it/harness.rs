//! A platform of one's own for each test: a folder and a database, a clock that stands still, seeded ids, no socket.
//!
//! On what needs nothing installed; with `YEYAK_TEST_BACKENDS=production` on the real services.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use yeyak::proto::member::v1::{
    ApproveSellerApplicationRequest, CreateApiKeyRequest, CreateSellerApplicationRequest, GetMemberRequest,
};
use yeyak::proto::payment::v1::Payment;
use yeyak::{Client, Options};
use yeyak_server::backend::provider::simulator::Fault;
use yeyak_server::backend::provider::{Answer, Confirm};
use yeyak_server::config::{Config, Sources};
use yeyak_server::coupon::kind::Kinds;
use yeyak_server::error::Unavailable;
use yeyak_server::kit::clock::{ManualClock, Time};
use yeyak_server::kit::id::Ids;
use yeyak_server::kit::money::Money;
use yeyak_server::serve::{Platform, World};
use yeyak_services::{Postgres, Rabbit, Redis, unique};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Yeyak {
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: Client,
    members: AtomicU32,
    admins: AtomicU32,
    // Behind the platform, whose connections end before their database does.
    pub(crate) installation: Installation,
}

/// What outlives the processes of an installation.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    database: Option<Database>,
    /// Where its other services are, by option.
    services: Vec<(&'static str, String)>,
}

impl Installation {
    pub(crate) async fn new(production: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if !production {
            return Self { folder, database: None, services: Vec::new() };
        }
        let services = vec![
            ("redis", Redis::shared().url()),
            ("redis_prefix", unique("test")),
            ("queue", Rabbit::shared().url()),
            ("queue_prefix", unique("test")),
        ];
        Self { folder, database: Some(Database::new().await), services }
    }

    /// One over services that a test may break.
    pub(crate) fn over(postgres: &Postgres, services: &[(&'static str, String)]) -> Self {
        let database = Some(Database { url: postgres.create(), is_shared: false });
        Self { folder: tempfile::tempdir().expect("a folder"), database, services: services.to_vec() }
    }

    /// Everything that is kept, as it is kept.
    pub(crate) fn content(&self) -> Vec<Vec<u8>> {
        let folder = std::fs::read_dir(self.folder.path()).expect("the data folder");
        let mut content: Vec<_> =
            folder.map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a file")).collect();
        content.extend(self.database.as_ref().map(|database| Postgres::shared().dump(&database.url).into_bytes()));
        content
    }

    fn config(&self) -> Config {
        config_on(self.folder.path(), self.database.as_ref().map(|database| &*database.url), &self.services)
    }

    /// Where its tables are.
    pub(crate) fn database(&self) -> &str {
        &self.database.as_ref().expect("an installation on PostgreSQL").url
    }

    /// Asks the database something in SQL; one line for each row.
    pub(crate) fn query(&self, statement: &str) -> String {
        let database = self.database.as_ref().expect("an installation on PostgreSQL");
        Postgres::ask(&database.url, statement).trim().to_owned()
    }

    /// The environment by which a process of its own finds it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![("YEYAK_DATA".to_owned(), self.folder.path().display().to_string())];
        if let Some(database) = &self.database {
            variables.push(("YEYAK_DATABASE".to_owned(), database.url.clone()));
            variables.push(("YEYAK_PAYMENT__ALLOW_SIMULATOR".to_owned(), "true".to_owned()));
        }
        variables.extend(
            self.services.iter().map(|(option, url)| (format!("YEYAK_{}", option.to_uppercase()), url.clone())),
        );
        variables
    }
}

/// A database: in the PostgreSQL of this test run, or in one that ends with its test.
struct Database {
    url: String,
    is_shared: bool,
}

impl Database {
    /// A copy of one that has this release's tables.
    async fn new() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let migrated = || async {
            let folder = tempfile::tempdir().expect("a folder");
            let url = Postgres::shared().create();
            let platform =
                Platform::open(config_on(folder.path(), Some(&url), &[]), World::default()).await.expect("opens");
            platform.kit.db.close().await;
            url
        };
        Self { url: Postgres::shared().copy(TEMPLATE.get_or_init(migrated).await), is_shared: true }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_shared {
            Postgres::shared().drop(&self.url);
        }
    }
}

/// The defaults, in a folder of its own, with the cheapest password hash and no limits that a test would meet.
pub(crate) fn config(folder: &Path) -> Config {
    config_on(folder, None, &[])
}

fn config_on(folder: &Path, database: Option<&str>, services: &[(&str, String)]) -> Config {
    let sources = Sources::read(None);
    services
        .iter()
        .fold(sources, |sources, (option, url)| sources.with(option, url))
        .with("database", database.unwrap_or_default())
        .with("database_connections", 4)
        .with("payment.allow_simulator", true)
        .with("data", folder)
        .with("listen", "127.0.0.1:0")
        .with("http", "127.0.0.1:0")
        .with("metrics", "")
        .with("password.memory_kib", 8)
        // Tests move the clock by months.
        .with("token.refresh_days", 3650)
        .with("limit.member_calls_per_second", 1_000_000)
        .with("limit.member_burst", 1_000_000)
        .with("limit.address_calls_per_second", 1_000_000)
        .with("limit.address_burst", 1_000_000)
        .config()
        .expect("a configuration")
}

impl Yeyak {
    pub(crate) async fn new() -> Self {
        Self::at("2026-03-02T03:00:00Z".parse().expect("an instant")).await
    }

    /// One whose clock stands at another instant.
    pub(crate) async fn at(start: Time) -> Self {
        Self::on(Installation::new(yeyak_services::on_production()).await, start).await
    }

    /// One over an installation.
    pub(crate) async fn on(installation: Installation, start: Time) -> Self {
        Self::knowing(Kinds::standard(), installation, start).await
    }

    /// One that knows other kinds of coupons than Yeyak comes with.
    pub(crate) async fn knowing(kinds: Kinds, installation: Installation, start: Time) -> Self {
        let clock = Arc::new(ManualClock::at(start));
        let world = World { clock: clock.clone(), ids: Arc::new(Ids::seeded(1)), kinds };
        let platform = Platform::open(installation.config(), world).await.expect("opens");
        platform.start_http();
        let client = Client::embedded_with(platform.embedded().expect("composes"), Options::default().attempts(1));
        Self { platform, clock, client, members: AtomicU32::new(0), admins: AtomicU32::new(0), installation }
    }

    /// Ends this process of the installation, which others may go on with.
    pub(crate) async fn leave(self) -> Installation {
        let Self { platform, installation, client, .. } = self;
        drop(client);
        platform.kit.db.close().await;
        drop(platform);
        installation
    }

    /// Does everything that is due: webhooks, events, jobs. A broker that takes long to be reached, as on a busy machine, is tried
    /// again, as workers do.
    pub(crate) async fn settle(&self) {
        for _ in 0..10 {
            match self.platform.settle().await {
                Err(error) if error.fault::<Unavailable>().is_some_and(|away| away.what == "RabbitMQ") => {}
                settled => return settled.expect("settles"),
            }
        }
        panic!("RabbitMQ stays away");
    }

    /// The promises of the platform hold, at this moment.
    pub(crate) async fn check(&self) {
        let found = self.platform.checks().run().await.expect("checks");
        assert!(found.is_empty(), "{found:#?}");
    }

    /// How many messages a consumer failed on and has still to take.
    pub(crate) async fn failed_messages(&self) -> u64 {
        let listing = self.platform.queue.list().await.expect("lists");
        listing.delayed_count + listing.queues.iter().map(|queue| queue.aside_count).sum::<u64>()
    }

    /// Makes the provider's next answer about an attempt go wrong.
    pub(crate) async fn fault(&self, attempt: &Payment, fault: Fault) {
        let simulator = self.platform.simulator.as_ref().expect("the provider is the simulator");
        simulator.script(&attempt.id, fault).await.expect("scripts");
    }

    /// The provider takes the money without our asking, as when the answer to a confirm of ours was lost long ago.
    pub(crate) async fn capture_behind_our_back(&self, attempt: &Payment, key: &str, amount: i64) {
        let answer = self.capture_if_possible(attempt, key, amount).await;
        assert!(matches!(answer, Answer::Done(_)), "{answer:?}");
    }

    /// As [`Self::capture_behind_our_back`], where the provider may refuse it.
    pub(crate) async fn capture_if_possible(&self, attempt: &Payment, key: &str, amount: i64) -> Answer {
        let order = attempt.id.as_str();
        let confirm = Confirm { order, key, amount: Money::won(amount), idempotency_key: order };
        self.platform.payments.provider().confirm(confirm).await
    }

    /// A client of a new member.
    pub(crate) async fn member(&self) -> Client {
        let number = self.members.fetch_add(1, Ordering::Relaxed);
        let client = self.client.anonymous();
        client.sign_up(&email(number), PASSWORD, "민아").await.expect("signs up");
        client
    }

    /// A client of a new admin, made as `yeyak admin create` does.
    pub(crate) async fn admin(&self) -> Client {
        let email = format!("admin{}@example.kr", self.admins.fetch_add(1, Ordering::Relaxed));
        self.platform.members.create_admin(&email, PASSWORD, "관리자").await.expect("creates");
        let client = self.client.anonymous();
        client.log_in(&email, PASSWORD).await.expect("logs in");
        client
    }

    /// A client of a new member whose application to sell was approved by an admin.
    pub(crate) async fn seller(&self) -> Client {
        let (seller, admin) = (self.member().await, self.admin().await);
        let application = seller.seller_applications().create_seller_application(application()).await.expect("applies");
        let request = ApproveSellerApplicationRequest { id: application.id, ..Default::default() };
        admin.seller_applications().approve_seller_application(request).await.expect("approves");
        seller
    }

    /// The secret of a new API key with these scopes.
    pub(crate) async fn api_key(&self, scopes: &[&str]) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let request = CreateApiKeyRequest { name: "partner".into(), scopes, expire_time: None };
        self.admin().await.api_keys().create_api_key(request).await.expect("creates").secret
    }
}

/// A good application to be a seller.
pub(crate) fn application() -> CreateSellerApplicationRequest {
    CreateSellerApplicationRequest {
        business_name: "바다 민박".into(),
        business_number: "123-45-67891".into(),
        ..Default::default()
    }
}

/// The id of the member that a client calls as.
pub(crate) async fn id_of(client: &Client) -> String {
    client.members().get_member(GetMemberRequest { id: "me".into() }).await.expect("reads").id
}

pub(crate) fn email(number: u32) -> String {
    format!("member{number}@example.kr")
}
