//! A provider that fails is left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;

use super::stage::{confirm, connector, serve};
use super::{Answer, Cancel, Provider};
use crate::kit::money::Money;

const ORDER: &str = "attempt_01";

/// What answers every call with the same status: as one who has never heard of the order, or who is out of order itself.
struct Counter {
    provider: Arc<dyn Provider>,
    status: Arc<AtomicU16>,
    calls: Arc<AtomicU32>,
}

impl Counter {
    async fn answering(status: u16) -> Self {
        let (status, calls) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicU32::new(0)));
        let (told, counted) = (status.clone(), calls.clone());
        let answer = move || async move {
            counted.fetch_add(1, Ordering::Relaxed);
            let status = StatusCode::from_u16(told.load(Ordering::Relaxed)).unwrap();
            let code = if status.is_server_error() { "COMMON_ERROR" } else { "NOT_FOUND_PAYMENT" };
            (status, json!({ "code": code, "message": "" }).to_string())
        };
        let base = serve(Router::new().fallback(answer)).await;
        let provider = connector(&base, |settings| settings.left_alone = Duration::from_secs(1));
        Self { provider, status, calls }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Guard: the breaker before every call.
#[tokio::test]
async fn a_provider_that_fails_is_left_alone_for_a_while_and_nothing_becomes_final() {
    let stage = Counter::answering(503).await;
    for _ in 0..10 {
        stage.provider.find(ORDER).await.unwrap_err();
    }
    assert_eq!(stage.calls(), 10);

    let cancel =
        Cancel { key: "key", amount: Money::won(1), expected_balance: None, reason: "r", idempotency_key: "cancel" };
    assert!(matches!(confirm(&*stage.provider, ORDER, "key").await, Answer::Again { .. }));
    assert!(matches!(stage.provider.cancel(cancel).await, Answer::Again { .. }));
    stage.provider.find(ORDER).await.unwrap_err();
    assert_eq!(stage.calls(), 10, "nobody was called");
    stage.status.store(404, Ordering::Relaxed);
    let back = async {
        while stage.provider.find(ORDER).await != Ok(None) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("it is tried again");

    assert_eq!(stage.calls(), 11, "one call has tried");
    assert_eq!(confirm(&*stage.provider, ORDER, "key").await.code(), "NOT_FOUND_PAYMENT");
}

/// Guard: what counts against a provider.
#[tokio::test]
async fn a_provider_that_refuses_is_not_left_alone() {
    for status in [400, 404, 429] {
        let stage = Counter::answering(status).await;

        for _ in 0..30 {
            assert_eq!(stage.provider.find(ORDER).await, Ok(None), "{status}");
        }

        assert_eq!(stage.calls(), 30, "{status}");
    }
}

/// Guard: a connection that can't be made counts, too.
#[tokio::test]
async fn a_provider_out_of_reach_is_left_alone() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let absent = connector(&format!("http://{}", listener.local_addr().unwrap()), |_| {});
    drop(listener);

    let mut told = String::new();
    for _ in 0..11 {
        told = absent.find(ORDER).await.unwrap_err().why;
    }

    assert!(told.contains("left alone"), "{told}");
}
