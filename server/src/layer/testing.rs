//! What the tests of the layers call, and call with.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::layer::util::Identity;
use tower_http::cors::CorsLayer;
use tracing_subscriber::fmt::MakeWriter;
use yeyak_proto::yeyak::common::v1::Access;
use yeyak_proto::{Effect, Method};

use super::proxies::Proxies;
use super::{Answer, Catalog, Parts, Request, RequestContext, Response, cors, deadline, shed, stack};
use crate::kit::clock::SystemClock;
use crate::kit::id::Ids;

pub(super) const READ: &str = "/test.v1.TestService/Read";
pub(super) const WRITE: &str = "/test.v1.TestService/Write";
pub(super) const WATCH: &str = "/test.v1.TestService/Watch";
pub(super) const OTHER: &str = "/test.v1.OtherService/Read";

static METHODS: &[Method] = &[
    method(READ, "test.v1.TestService", Effect::None, false),
    method(WRITE, "test.v1.TestService", Effect::Once, false),
    Method { access: &[Access::Member], ..method(WATCH, "test.v1.TestService", Effect::None, true) },
    method(OTHER, "test.v1.OtherService", Effect::None, false),
];

const fn method(path: &'static str, service: &'static str, effect: Effect, streaming: bool) -> Method {
    Method { path, service, name: "Test", effect, streaming, access: &[] }
}

pub(super) fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::of(METHODS))
}

/// A call as it comes in.
pub(super) fn request(path: &str) -> Request {
    let request = http::Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    request.body(Body::empty()).unwrap()
}

/// A call as the trace layer hands it on.
pub(super) fn named(path: &str) -> Request {
    let (mut parts, body) = request(path).into_parts();
    let context = RequestContext::new(&parts, catalog().find(path), &Proxies::default(), &Ids::seeded(1), &SystemClock);
    parts.extensions.insert(context);
    Request::from_parts(parts, body)
}

/// A handler that answers at once.
pub(super) fn service(
    answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static,
) -> impl Answer + Clone + Send + Sync + 'static {
    tower::service_fn(move |request| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer(request)) }
    })
}

/// A handler that never answers.
pub(super) fn endless() -> impl Answer + Clone + Send + Sync + 'static {
    tower::service_fn(|_: Request| std::future::pending::<Result<Response, Infallible>>())
}

/// An answer of empty messages and then a status in the trailers, which is made when they are sent.
pub(super) fn streamed(messages: usize, status: Status) -> Response {
    let messages = stream::iter((0..messages).map(|_| Ok(Frame::data(Bytes::from_static(&[0; 5])))));
    let trailers = stream::once(async move {
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers)?;
        Ok::<_, Status>(Frame::trailers(trailers))
    });
    let body = StreamBody::new(futures::StreamExt::chain(messages, Box::pin(trailers)));
    http::Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}

/// The status at the end of an answer.
pub(super) async fn trailers_of(response: Response) -> Status {
    let trailers = response.into_body().collect().await.unwrap().trailers().cloned().unwrap();
    Status::from_header_map(&trailers).unwrap()
}

/// The status of an answer, wherever it stands.
pub(super) async fn status_of(response: Response) -> Status {
    match Status::from_header_map(response.headers()) {
        Some(status) => status,
        None => trailers_of(response).await,
    }
}

/// Layers with ample limits.
pub(super) fn parts() -> Parts {
    Parts {
        proxies: Proxies::default(),
        catalog: catalog(),
        ids: Arc::new(Ids::seeded(1)),
        clock: Arc::new(SystemClock),
        tasks: TaskTracker::new(),
        drain: CancellationToken::new(),
        deadline: deadline::Limits { default: Duration::from_secs(10), max: Duration::from_secs(60) },
        shed: shed::Limits { calls: 100, calls_per_service: 100, streams: 100 },
    }
}

/// Serves these routes behind the whole stack, CORS for one origin, and gRPC-Web, on a port of its own.
pub(super) async fn serve(parts: Parts, routes: Routes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cors: CorsLayer = cors::layer(&["https://shop.example".to_owned()]).unwrap();
    let router = Server::builder()
        .accept_http1(true)
        .layer(cors)
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(stack(parts, Identity::new()))
        .add_routes(routes);
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

/// What a client sees that knows HTTP/2 and nothing of gRPC.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) http: http::StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
}

impl Raw {
    pub(super) fn status(&self) -> Status {
        let trailers = Status::from_header_map(&self.trailers);
        trailers.or_else(|| Status::from_header_map(&self.headers)).unwrap()
    }
}

/// Sends a request over HTTP/2, and waits for all of its answer: no deadline of its own cuts it short.
pub(super) async fn raw(address: SocketAddr, request: Request, body: &[u8]) -> Raw {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let (mut parts, _) = request.into_parts();
    parts.uri = format!("http://{address}{}", parts.uri.path()).parse().unwrap();
    let (answer, mut sending) = client.send_request(http::Request::from_parts(parts, ()), false).unwrap();
    // A refusal may be quicker than the body, and close the stream to it.
    sending.send_data(Bytes::copy_from_slice(body), true).ok();
    let (parts, mut incoming) = answer.await.unwrap().into_parts();
    let mut body = Vec::new();
    while let Some(data) = incoming.data().await {
        let data = data.unwrap();
        incoming.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    let trailers = incoming.trailers().await.unwrap().unwrap_or_default();
    Raw { http: parts.status, headers: parts.headers, body, trailers }
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Two subscribers that live as long as the tests do. While there is but one, tracing asks the thread that first reaches an
/// event whether anyone listens, and keeps its answer: a test without a subscriber would silence it for all the others.
static LISTENERS: LazyLock<[tracing::Dispatch; 2]> = LazyLock::new(|| [listener(io::sink), listener(io::sink)]);

fn listener(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> tracing::Dispatch {
    let subscriber = tracing_subscriber::fmt().with_writer(writer).with_ansi(false);
    subscriber.with_max_level(tracing::Level::DEBUG).finish().into()
}

/// Records what this thread logs, until the guard is dropped.
pub(crate) fn recorded() -> (Lines, tracing::dispatcher::DefaultGuard) {
    LazyLock::force(&LISTENERS);
    let lines = Lines::default();
    let guard = tracing::dispatcher::set_default(&listener(lines.clone()));
    (lines, guard)
}
