//! A platform of one's own for each test: a folder, a clock that stands still, seeded ids, no socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use yeyak::proto::member::v1::{
    ApproveSellerApplicationRequest, CreateApiKeyRequest, CreateSellerApplicationRequest, GetMemberRequest,
};
use yeyak::proto::payment::v1::Payment;
use yeyak::{Client, Options};
use yeyak_server::backend::provider::simulator::Fault;
use yeyak_server::backend::provider::{Answer, Confirm};
use yeyak_server::config::{Config, Sources};
use yeyak_server::kit::clock::{ManualClock, Time};
use yeyak_server::kit::id::Ids;
use yeyak_server::kit::money::Money;
use yeyak_server::serve::{Platform, World};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Yeyak {
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: Client,
    members: AtomicU32,
    admins: AtomicU32,
    pub(crate) folder: TempDir,
}

/// The defaults, in a folder of its own, with the cheapest password hash and no limits that a test would meet.
pub(crate) fn config(folder: &std::path::Path) -> Config {
    Sources::read(None)
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
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(start));
        let world = World { clock: clock.clone(), ids: Arc::new(Ids::seeded(1)) };
        let platform = Platform::open(config(folder.path()), world).await.expect("opens");
        platform.start_http();
        let client = Client::embedded_with(platform.embedded().expect("composes"), Options::default().attempts(1));
        Self { platform, clock, client, members: AtomicU32::new(0), admins: AtomicU32::new(0), folder }
    }

    /// Does everything that is due: webhooks, events, jobs.
    pub(crate) async fn settle(&self) {
        self.platform.settle().await.expect("settles");
    }

    /// The promises of the platform hold, at this moment.
    pub(crate) async fn check(&self) {
        let found = self.platform.checks().run().await.expect("checks");
        assert!(found.is_empty(), "{found:#?}");
    }

    /// How many messages a consumer failed on and has still to take.
    pub(crate) async fn failed_messages(&self) -> i64 {
        let count = "SELECT COUNT(*) AS messages FROM queue_message WHERE failure_count > 0".to_owned();
        let read = self.platform.kit.db.read();
        let count = Statement::from_string(read.get_database_backend(), count);
        let row = read.query_one_raw(count).await.expect("reads").expect("a row");
        row.try_get("", "messages").expect("a number")
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
        let confirm = Confirm { order, key, amount: Money::won(amount), idempotency_key: "lost" };
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
