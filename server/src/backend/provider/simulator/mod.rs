//! The built-in payment provider: it speaks Toss Payments' core API, asks people to press *Pay*, and fails on demand.
//!
//! Promises:
//! - it keeps its own file, so it remembers what it has done when the process that hosts it is killed;
//! - what it was asked to do it does, even when the caller leaves before the answer;
//! - one idempotency key has one effect: the first answer comes again, an error among them;
//! - it never sends a buyer to an address that was not given when the payment was created.

mod api;
mod cancel;
mod code;
mod confirm;
mod control;
mod create;
mod entity;
mod fault;
mod page;
mod store;
#[cfg(test)]
mod tests;
mod webhook;
mod wire;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use axum::{Router, middleware};
use ring::digest::{SHA256, digest};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use serde_json::Value;
use tokio::sync::Notify;

pub use self::create::{CreateError, NewPayment};
pub use self::fault::{Fault, Hooks, When};
use super::outgoing;
use crate::kit::clock::{Clock, Time};
use crate::kit::id::Ids;

/// How the simulator is set up.
#[derive(Clone)]
pub struct Settings {
    /// The key that the API and the control routes ask for; `test_sk_…` by custom.
    pub secret_key: String,
    /// Where people and programs reach the router: `http://127.0.0.1:8080/simulator`.
    pub public_url: String,
    /// Who is told of changes; nobody when absent.
    pub webhook_url: Option<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("public_url", &self.public_url)
            .field("webhook_url", &self.webhook_url)
            .finish_non_exhaustive()
    }
}

/// Why the simulator did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its file could not be opened or prepared.
    #[error("the simulator's file could not be opened")]
    File(#[from] DbErr),
    /// The HTTP client for webhooks could not be made.
    #[error("the simulator's HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// The simulator: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Simulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: DatabaseConnection,
    clock: Arc<dyn Clock>,
    ids: Arc<Ids>,
    client: reqwest::Client,
    public_url: String,
    secret: Secret,
    webhook_url: RwLock<Option<String>>,
    faults: fault::Book,
    running: Mutex<HashSet<String>>,
    wake: Notify,
}

/// The digest of the secret key: enough to know it again.
struct Secret([u8; 32]);

impl Secret {
    fn of(key: &str) -> Self {
        Self(digest(&SHA256, key.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Simulator {
    /// Opens the simulator with its file, which is made when missing.
    pub async fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        ids: Arc<Ids>,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        let db = store::open(path).await?;
        let faults = fault::Book::load(&db).await?;
        let client =
            outgoing::client().no_proxy().timeout(Duration::from_secs(10)).build().map_err(OpenError::Client)?;
        let inner = Inner {
            db,
            clock,
            ids,
            client,
            public_url: settings.public_url.trim_end_matches('/').to_owned(),
            secret: Secret::of(&settings.secret_key),
            webhook_url: RwLock::new(settings.webhook_url),
            faults,
            running: Mutex::default(),
            wake: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// All routes, to be nested under `/simulator`.
    ///
    /// The API and the control routes need the secret key; the page of a payment needs the payment's key, which is a secret
    /// between the buyer and the merchant.
    pub fn router(&self) -> Router {
        let keyed = api::routes()
            .merge(control::routes())
            .fallback(api::nothing_here)
            .layer(middleware::from_fn_with_state(self.clone(), api::authenticate));
        page::routes().merge(keyed).with_state(self.clone())
    }

    /// Makes the next confirm or cancel of an order go wrong.
    pub async fn script(&self, order: &str, fault: Fault) -> Result<(), DbErr> {
        self.inner.faults.add(&self.inner.db, Some(order), fault, 1).await
    }

    /// Makes the next confirms and cancels go wrong, whatever their order.
    pub async fn script_everywhere(&self, fault: Fault, times: u32) -> Result<(), DbErr> {
        self.inner.faults.add(&self.inner.db, None, fault, times).await
    }

    /// Where a buyer pays.
    pub fn pay_url(&self, key: &str) -> String {
        format!("{}/pay/{key}", self.inner.public_url)
    }

    /// Tells changes from now on to somebody else, or to nobody.
    pub fn set_webhook_url(&self, url: Option<String>) {
        *self.inner.webhook_url.write().expect("nothing panics while it sets a URL") = url;
    }

    fn webhook_url(&self) -> Option<String> {
        self.inner.webhook_url.read().expect("nothing panics while it sets a URL").clone()
    }

    fn db(&self) -> &DatabaseConnection {
        &self.inner.db
    }

    /// Begins what reads and then writes: IMMEDIATE, since other processes of an installation may share the file.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.db().begin_with_options(options).await
    }

    fn now(&self) -> Time {
        self.inner.clock.now()
    }

    fn ids(&self) -> &Ids {
        &self.inner.ids
    }

    fn client(&self) -> &reqwest::Client {
        &self.inner.client
    }

    /// Tells the background task that there is a webhook to deliver.
    fn wake(&self) {
        self.inner.wake.notify_one();
    }

    async fn woken(&self) {
        self.inner.wake.notified().await;
    }

    /// A payment as the API shows it.
    async fn body(&self, conn: &impl ConnectionTrait, payment: &entity::payment::Model) -> Result<Value, DbErr> {
        let untouched = payment.balance == payment.total;
        let cancels = if untouched { Vec::new() } else { store::cancels(conn, &payment.key).await? };
        Ok(wire::payment(payment, &cancels, &self.inner.public_url))
    }
}
