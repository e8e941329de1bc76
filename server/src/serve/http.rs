//! The HTTP port: what browsers and payment providers reach.

use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::{QUEUE, ServingStatus};
use super::run::{address, listen};
use super::{Platform, ServeError};

/// The port, bound before anything is put together, so that everyone knows its address; served once it is started.
#[derive(Debug)]
pub(super) struct HttpPort {
    pub(super) address: SocketAddr,
    listener: Mutex<Option<TcpListener>>,
}

impl HttpPort {
    pub(super) async fn bind(wanted: SocketAddr) -> Result<Self, ServeError> {
        let listener = listen("http", &wanted.to_string()).await?;
        Ok(Self { address: address(&listener)?, listener: Mutex::new(Some(listener)) })
    }

    /// The listener, for the one who serves it.
    fn take(&self) -> Option<TcpListener> {
        self.listener.lock().expect("nothing panics while it takes the listener").take()
    }

    pub(super) fn is_started(&self) -> bool {
        self.listener.lock().expect("nothing panics while it looks").is_none()
    }
}

/// What a person finds who opens the port in a browser.
const FRONT: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
    <meta name=viewport content=\"width=device-width,initial-scale=1\"><title>Yeyak</title>\
    <style>body{max-width:40rem;margin:3rem auto;padding:0 1rem;font:16px/1.6 system-ui,sans-serif}</style>\
    <h1>Yeyak</h1><p>This is the HTTP port of a booking platform. What is here:</p><ul>\
    <li><a href=/healthz>/healthz</a>: whether calls are taken\
    <li><a href=/.well-known/jwks.json>/.well-known/jwks.json</a>: the keys that access tokens are signed with\
    <li>/pay/…: the pay page of a payment, its <code>checkout_url</code>\
    <li>/webhooks/…: what payment providers tell</ul>\
    <p>Everything else is gRPC, on a port of its own (7070 unless configured): <code>yeyak call --list</code> shows it.</html>\n";

impl Platform {
    /// Where the HTTP port is; it answers once [`Platform::start_http`] or [`Platform::serve`] was called.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address
    }

    /// Serves the HTTP port without the gRPC port, for tests and for programs that carry the server inside. A second call
    /// changes nothing.
    pub fn start_http(&self) {
        let Some(listener) = self.http.take() else { return };
        let (workers, tasks) = (&self.stop.workers, &self.stop.tasks);
        tasks.spawn(serve(listener, self.http_router(), workers.clone()));
        if let Some(simulator) = &self.simulator {
            tasks.spawn(simulator.clone().run(workers.clone()));
        }
    }

    fn http_router(&self) -> Router {
        let health = self.health.clone();
        let jwks = self.members.jwks();
        let router = Router::new()
            .route("/", get(async || Html(FRONT)))
            .route(
                "/healthz",
                get(async move || match health.get("") {
                    Some(ServingStatus::Serving) if health.get(QUEUE) == Some(ServingStatus::NotServing) => {
                        (StatusCode::OK, "SERVING\nthe queue is away, events wait in the outbox\n")
                    }
                    Some(ServingStatus::Serving) => (StatusCode::OK, "SERVING\n"),
                    _ => (StatusCode::SERVICE_UNAVAILABLE, "NOT_SERVING\n"),
                }),
            )
            .route(
                "/.well-known/jwks.json",
                get(async move || ([(header::CONTENT_TYPE, "application/jwk-set+json")], jwks.clone())),
            )
            .merge(self.payments.http_router());
        match &self.simulator {
            Some(simulator) => router.nest("/simulator", simulator.router()),
            None => router,
        }
    }
}

/// Serves until told to stop, and then until the requests under way are answered.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!("the HTTP port failed: {error}");
    }
}
