//! The HTTP port: what browsers and payment providers reach.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Platform;
use super::health::ServingStatus;

impl Platform {
    pub(super) fn http_router(&self) -> Router {
        let health = self.health.clone();
        let jwks = self.members.jwks();
        Router::new()
            .route(
                "/healthz",
                get(async move || match health.get("") {
                    Some(ServingStatus::Serving) => (StatusCode::OK, "SERVING\n"),
                    _ => (StatusCode::SERVICE_UNAVAILABLE, "NOT_SERVING\n"),
                }),
            )
            .route(
                "/.well-known/jwks.json",
                get(async move || ([(header::CONTENT_TYPE, "application/jwk-set+json")], jwks.clone())),
            )
    }
}

/// Serves until told to stop, and then until the requests under way are answered.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!("the HTTP port failed: {error}");
    }
}
