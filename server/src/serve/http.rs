//! The HTTP port: what browsers and payment providers reach.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::Html;
use axum::routing::get;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::select;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

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

/// How much a stranger may have of a port.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How long the head of a request may take, and a connection may wait for its next.
    head: Duration,
    /// How long a request may take, with its body.
    whole: Duration,
    /// How long a connection may last: behind it, the request under way is its last.
    life: Duration,
    /// Who comes beyond so many connections waits until one ends.
    connections: u32,
}

/// Proxies keep a connection for a minute by default, and would lose a request to one that is closed before they do.
const LIMITS: Limits = Limits {
    head: Duration::from_secs(75),
    whole: Duration::from_secs(60),
    life: Duration::from_secs(300),
    connections: 1_024,
};
/// The most of a request's head.
const HEAD_BYTES: usize = 64 * 1024;

/// Serves until told to stop, and then until the requests under way are answered.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_within(LIMITS, listener, router, stop).await;
}

async fn serve_within(limits: Limits, mut listener: TcpListener, router: Router, stop: CancellationToken) {
    let late = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.whole);
    let service = TowerToHyperService::new(router.layer(late));
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_BYTES);
    let room = Arc::new(Semaphore::new(limits.connections as usize));
    let mut next = async || {
        let place = room.clone().acquire_owned().await.expect("it is never closed");
        // What can't be accepted now is tried again inside.
        (place, Listener::accept(&mut listener).await.0)
    };
    while let Some((place, stream)) = stop.run_until_cancelled(next()).await {
        let connection = http.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        let stop = stop.clone();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = select! {
                ended = &mut connection => ended,
                () = async { _ = stop.run_until_cancelled(sleep(limits.life)).await } => {
                    connection.as_mut().graceful_shutdown();
                    timeout(limits.whole, connection).await.unwrap_or(Ok(()))
                }
            };
            if let Err(error) = ended {
                tracing::debug!("a connection of the HTTP port ended: {error}");
            }
            drop(place);
        });
    }
    // Who comes now is refused at once; those who are here are answered.
    drop(listener);
    _ = room.acquire_many(limits.connections).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    async fn port(limits: Limits) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let (at, stop) = (listener.local_addr().expect("it is bound"), CancellationToken::new());
        let router = Router::new().route("/", get(async || "here").post(async |body: String| body));
        tokio::spawn(serve_within(limits, listener, router, stop.clone()));
        (at, stop)
    }

    async fn open(at: SocketAddr, said: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(at).await.expect("somebody listens");
        stream.write_all(said).await.expect("it is open");
        stream
    }

    /// Everything until the other side closes.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        // A side that closes while something is unread may reset.
        _ = stream.read_to_string(&mut text).await;
        text
    }

    fn short() -> Limits {
        let [head, whole, life] = [200, 400, 60_000].map(Duration::from_millis);
        Limits { head, whole, life, connections: 8 }
    }

    /// Guards: the time for a head, which an idle connection has too, and that for a request.
    #[tokio::test]
    async fn who_says_nothing_or_half_a_request_is_not_waited_for() {
        let (at, _stop) = port(short()).await;
        let began = Instant::now();

        let silent = rest(open(at, b"").await).await;
        let half_a_head = rest(open(at, b"GET / HTTP/1.1\r\nhost: ").await).await;
        let idle = rest(open(at, ASK).await).await;
        let half_a_body = rest(open(at, b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\n\r\nhalf").await).await;

        assert!(silent.is_empty() && !half_a_head.contains("200"), "{silent:?}, {half_a_head:?}");
        assert!(idle.starts_with("HTTP/1.1 200") && idle.ends_with("here"), "{idle}");
        assert!(half_a_body.starts_with("HTTP/1.1 408"), "{half_a_body}");
        assert!(began.elapsed() < Duration::from_secs(10), "each ended by itself");
    }

    /// Guards: the limit of connections, and the place that one which ends gives back.
    #[tokio::test]
    async fn who_comes_beyond_the_connections_that_there_may_be_waits_for_a_place() {
        let (at, _stop) = port(Limits { connections: 1, ..short() }).await;
        let first = open(at, b"").await;
        // It would be answered at once, and closed.
        let second = rest(open(at, b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").await);
        tokio::pin!(second);

        let early = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
        drop(first);
        let late = second.await;

        assert!(early.is_err(), "the first has the only place");
        assert!(late.starts_with("HTTP/1.1 200"), "{late}");
    }

    /// Guard: the life of a connection, whatever is sent over it.
    #[tokio::test]
    async fn a_connection_that_is_used_again_and_again_ends_too() {
        let (at, _stop) = port(Limits { life: Duration::from_millis(300), ..short() }).await;
        let mut stream = open(at, ASK).await;
        let began = Instant::now();
        let mut read = [0; 1_024];

        while stream.read(&mut read).await.is_ok_and(|count| count > 0) {
            sleep(Duration::from_millis(20)).await;
            _ = stream.write_all(ASK).await;
        }

        assert!(began.elapsed() < Duration::from_secs(10), "it ended by itself");
    }

    /// Guard: the end of what is under way behind a stop, and no sooner.
    #[tokio::test]
    async fn a_stop_waits_for_the_requests_under_way_and_lets_nobody_in() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let (at, stop) = (listener.local_addr().expect("it is bound"), CancellationToken::new());
        let (begun, ended) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (begins, ends) = (begun.clone(), ended.clone());
        let slow = async move || {
            begins.notify_one();
            sleep(Duration::from_millis(200)).await;
            ends.store(true, Ordering::SeqCst);
            "late"
        };
        let serving = tokio::spawn(serve(listener, Router::new().route("/", get(slow)), stop.clone()));
        let mut asked = open(at, ASK).await;
        begun.notified().await;

        stop.cancel();
        sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(at).await.is_err() || ended.load(Ordering::SeqCst), "nobody listens any more");
        serving.await.expect("it ends");

        assert!(ended.load(Ordering::SeqCst), "it was waited for");
        let mut answer = String::new();
        asked.read_to_string(&mut answer).await.expect("it is closed in order");
        assert!(answer.ends_with("late"), "{answer}");
    }
}
