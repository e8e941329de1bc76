//! What the tests of providers stand on: the simulator on a loopback port, and the connector to it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::simulator::{Fault, NewPayment, Settings, Simulator};
use super::toss::{self, Toss};
use super::{Answer, Cancel, Charge, Confirm, Provider};
use crate::kit::clock::{ManualClock, Time};
use crate::kit::id::Ids;
use crate::kit::money::Money;

/// The secret key of all tests.
pub(super) const SECRET: &str = "test_sk_of_the_stage";

pub(super) struct Stage {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) simulator: Simulator,
    pub(super) clock: Arc<ManualClock>,
    pub(super) base: String,
    pub(super) directory: TempDir,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at("2026-05-01T00:00:00Z".parse::<Time>().unwrap()));
        let simulator = open(&directory, &clock).await;
        let base = serve(Router::new().nest("/simulator", simulator.router())).await + "/simulator";
        let provider = connector(&base, |_| {});
        Self { provider, simulator, clock, base, directory }
    }

    /// A payment of an order that the buyer has agreed to.
    pub(super) async fn agreed(&self, order: &str, won: i64) -> String {
        self.simulator.create_payment(NewPayment { agreed: true, ..payment(order, won) }).await.unwrap()
    }

    /// An agreed payment with a fault to come.
    pub(super) async fn troubled(&self, order: &str, fault: Fault) -> String {
        let key = self.agreed(order, 1000).await;
        self.simulator.script(order, fault).await.unwrap();
        key
    }

    /// Confirms 1,000 won of an order under its own idempotency key.
    pub(super) async fn confirm(&self, order: &str, key: &str) -> Answer {
        confirm(&*self.provider, order, key).await
    }

    /// Cancels some won of a payment.
    pub(super) async fn cancel(&self, key: &str, won: i64, idempotency_key: &str) -> Answer {
        let amount = Money::won(won);
        self.provider
            .cancel(Cancel { key, amount, expected_balance: None, reason: "구매자 변심", idempotency_key })
            .await
    }

    /// What the provider knows of an order.
    pub(super) async fn find(&self, order: &str) -> Charge {
        self.provider.find(order).await.unwrap().expect("the order is known")
    }
}

pub(super) async fn confirm(provider: &dyn Provider, order: &str, key: &str) -> Answer {
    let idempotency_key = format!("confirm:{order}");
    provider.confirm(Confirm { order, key, amount: Money::won(1000), idempotency_key: &idempotency_key }).await
}

pub(super) fn payment(order: &str, won: i64) -> NewPayment {
    NewPayment {
        order: order.to_owned(),
        order_name: "한강뷰 스위트 1박".to_owned(),
        amount: Money::won(won),
        success_url: "https://shop.test/paid?from=test".to_owned(),
        fail_url: "https://shop.test/failed".to_owned(),
        agreed: false,
    }
}

pub(super) async fn open(directory: &TempDir, clock: &Arc<ManualClock>) -> Simulator {
    let settings = Settings {
        secret_key: SECRET.to_owned(),
        public_url: "http://127.0.0.1/simulator".to_owned(),
        webhook_url: None,
    };
    let ids = Arc::new(Ids::random());
    Simulator::open(&directory.path().join("simulator.db"), clock.clone(), ids, settings).await.unwrap()
}

/// A connector with short pauses.
pub(super) fn connector(base: &str, change: impl FnOnce(&mut toss::Settings)) -> Arc<dyn Provider> {
    let mut settings = toss::Settings::new("simulator", base, SECRET);
    settings.first_pause = Duration::from_millis(1);
    change(&mut settings);
    Arc::new(Toss::new(settings, Arc::new(Ids::seeded(1))).unwrap())
}

/// Serves a router on a port of its own, for as long as the test runs, and says where.
pub(super) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

impl Answer {
    /// The charge of a success.
    #[track_caller]
    pub(super) fn done(self) -> Charge {
        match self {
            Self::Done(charge) => charge,
            other => panic!("not done: {other:?}"),
        }
    }

    /// The code of a refusal.
    #[track_caller]
    pub(super) fn code(self) -> String {
        match self {
            Self::Refused { code, .. } => code,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}
