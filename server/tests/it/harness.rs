//! A platform of one's own for each test: a folder, a clock that stands still, seeded ids, no socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use tempfile::TempDir;
use yeyak::{Client, Options};
use yeyak_server::config::{Config, Sources};
use yeyak_server::kit::clock::{ManualClock, Time};
use yeyak_server::kit::id::{Ids, MemberId};
use yeyak_server::serve::{Platform, World};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Yeyak {
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: Client,
    members: AtomicU32,
    _folder: TempDir,
}

/// The defaults, in a folder of its own, with the cheapest password hash and no limits that a test would meet.
pub(crate) fn config(folder: &std::path::Path) -> Config {
    Sources::read(None)
        .with("data", folder)
        .with("listen", "127.0.0.1:0")
        .with("http", "127.0.0.1:0")
        .with("metrics", "")
        .with("password.memory_kib", 8)
        .with("limit.member_calls_per_second", 1_000_000)
        .with("limit.member_burst", 1_000_000)
        .with("limit.address_calls_per_second", 1_000_000)
        .with("limit.address_burst", 1_000_000)
        .config()
        .expect("a configuration")
}

impl Yeyak {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let start: Time = "2026-03-02T03:00:00Z".parse().expect("an instant");
        let clock = Arc::new(ManualClock::at(start));
        let world = World { clock: clock.clone(), ids: Arc::new(Ids::seeded(1)) };
        let platform = Platform::open(config(folder.path()), world).await.expect("opens");
        let client = Client::embedded_with(platform.embedded().expect("composes"), Options::default().attempts(1));
        Self { platform, clock, client, members: AtomicU32::new(0), _folder: folder }
    }

    /// A client of a new member.
    pub(crate) async fn member(&self) -> Client {
        let number = self.members.fetch_add(1, Ordering::Relaxed);
        let client = self.client.anonymous();
        client.sign_up(&email(number), PASSWORD, "민아").await.expect("signs up");
        client
    }
}

impl Yeyak {
    /// A client of a new member with the role seller, granted past the services.
    pub(crate) async fn seller(&self) -> Client {
        let client = self.member().await;
        let number = self.members.load(Ordering::Relaxed) - 1;
        let id = client.log_in(&email(number), PASSWORD).await.expect("logs in").id;
        let id: MemberId = id.parse().expect("an id");
        self.platform
            .kit
            .db
            .write(async |tx| {
                let mut update = Query::update();
                update.table("member").value("seller", true).and_where(Expr::col("id").eq(id.0));
                tx.execute(&update).await?;
                Ok(())
            })
            .await
            .expect("grants");
        client.log_in(&email(number), PASSWORD).await.expect("logs in as a seller");
        client
    }
}

pub(crate) fn email(number: u32) -> String {
    format!("member{number}@example.kr")
}
