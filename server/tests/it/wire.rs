//! What a client sees that knows HTTP/2 and nothing of gRPC, from a server as it is run.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use yeyak::proto::METHODS;
use yeyak::proto::member::v1::{CreateApiKeyRequest, ListLoginEventsRequest, RevokeApiKeyRequest};
use yeyak::proto::stay::v1::SearchStaysRequest;
use yeyak::{Client, Embedded, ErrorReason, Options};
use yeyak_server::serve::{Platform, Ports, ServeError, World};

use crate::harness::{PASSWORD, Yeyak, config};
use crate::raw::framed;

/// A platform that serves until it is told to stop.
pub(crate) struct Serving {
    pub(crate) ports: Ports,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Serving {
    pub(crate) async fn start(platform: Platform) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, ports) = oneshot::channel();
        let ready = move |ports: &Ports| ready.send(*ports).expect("awaited");
        let served = tokio::spawn(platform.serve(ready, async move { _ = stopped.await }));
        Self { ports: ports.await.expect("serves"), stop, served }
    }

    pub(crate) async fn end(self) {
        self.stop.send(()).expect("still serves");
        self.served.await.expect("no panic").expect("ends well");
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let socket = tokio::net::TcpStream::connect(address).await.expect("connects");
    let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

/// Sends a call that can't be answered before its deadline of a millisecond, and waits for all that comes.
async fn late(client: &SendRequest<Bytes>, address: SocketAddr, path: &str, whole: bool) -> Status {
    let request = http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "1m");
    let mut client = client.clone().ready().await.expect("ready");
    let (answer, mut sending) = client.send_request(request.body(()).expect("a request"), false).expect("sends");
    // The refusal may be quicker than the message. Half of one keeps the server waiting for the rest.
    let message = framed(&[]);
    sending.send_data(Bytes::from(if whole { message } else { message[..3].to_vec() }), whole).ok();
    let (parts, mut incoming) = answer.await.expect("an answer, not a reset").into_parts();
    while let Some(data) = incoming.data().await {
        let data = data.expect("a whole stream");
        incoming.flow_control().release_capacity(data.len()).expect("as much as came");
    }
    let trailers = incoming.trailers().await.expect("trailers").unwrap_or_default();
    Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&parts.headers)).expect("a status")
}

/// Guard: the deadline layer's timer, which is polled before tonic's. On several threads, where either could be first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_keeps_waiting_reads_deadline_exceeded_from_a_real_server() {
    let yeyak = Yeyak::new().await;
    let serving = Serving::start(yeyak.platform).await;
    let address = serving.ports.grpc;
    let client = connect(address).await;

    for _ in 0..200 {
        for (path, whole) in [
            ("/yeyak.member.v1.AuthService/VerifyToken", false),
            ("/yeyak.stay.v1.StaySearchService/SearchStays", false),
            ("/grpc.health.v1.Health/Watch", true),
        ] {
            let waited = tokio::time::timeout(Duration::from_secs(20), late(&client, address, path, whole)).await;

            let status = waited.unwrap_or_else(|_| panic!("{path} was never answered"));
            assert_eq!(status.code(), Code::DeadlineExceeded, "{path}: {status:?}");
        }
    }

    drop(client);
    serving.end().await;
}

/// What went over the wire: the encodings of a request and of its answer.
type Encodings = Arc<Mutex<Vec<[Option<String>; 2]>>>;

/// The server, with a note of each call's encodings.
fn noted(server: Embedded, noted: Encodings) -> Embedded {
    BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
        let (server, noted) = (server.clone(), noted.clone());
        async move {
            let encoding = |headers: &http::HeaderMap| Some(headers.get("grpc-encoding")?.to_str().ok()?.to_owned());
            let sent = encoding(request.headers());
            let answer = server.oneshot(request).await?;
            noted.lock().expect("free").push([sent, encoding(answer.headers())]);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer)
        }
    }))
}

#[tokio::test]
async fn messages_are_compressed_both_ways_when_the_client_wants_it_so() {
    let yeyak = Yeyak::new().await;
    let seen = Encodings::default();
    let server = noted(yeyak.platform.embedded().expect("composes"), seen.clone());
    let request = SearchStaysRequest { text: "바다".repeat(20), ..Default::default() };

    for (gzip, expected) in [(true, Some("gzip".to_owned())), (false, None)] {
        let client = Client::embedded_with(server.clone(), Options::default().gzip(gzip));
        let found = client.stay_search().search_stays(request.clone()).await.expect("finds");
        assert_eq!(found.total_count, 0);
        assert_eq!(seen.lock().expect("free").pop(), Some([expected.clone(), expected]));
    }
}

#[tokio::test]
async fn an_encoding_that_no_service_reads_is_refused_with_those_that_they_do() {
    let yeyak = Yeyak::new().await;
    let method = METHODS.iter().find(|method| method.name == "SearchStays").expect("ours");
    let mut headers = crate::raw::headers(None, None);
    headers.insert("grpc-encoding", http::HeaderValue::from_static("br"));

    let answer = crate::raw::call(&yeyak.platform.embedded().expect("composes"), method, headers, framed(&[])).await;

    let refused = answer.error.expect("refused");
    assert_eq!((refused.code, refused.reason), (Code::Unimplemented, ErrorReason::UnknownEncoding));
    let accepted = refused.status.metadata().get("grpc-accept-encoding").expect("named");
    assert!(accepted.to_str().is_ok_and(|accepted| accepted.contains("gzip")), "{accepted:?}");
    assert!(refused.message.contains("gzip"), "{refused}");
}

/// Guard: what each call does again is not repeated once it was sent.
#[tokio::test]
async fn a_call_that_would_make_another_key_is_sent_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let server = BoxCloneSyncService::new(tower::service_fn(move |_: http::Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let answer = Status::unavailable("the connection broke").into_http::<Body>();
        async { Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer) }
    }));
    let client = Client::embedded(server);

    client.api_keys().create_api_key(CreateApiKeyRequest::default()).await.expect_err("no answer");
    let created = calls.swap(0, Ordering::Relaxed);
    client.api_keys().revoke_api_key(RevokeApiKeyRequest::default()).await.expect_err("no answer");

    assert_eq!((created, calls.load(Ordering::Relaxed)), (1, 4), "revoking is keyed, and tried again");
}

/// Whom a new member's login history names, who calls by way of something that says whom it calls for.
async fn caller_behind(proxies: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    let networks: Vec<_> = proxies.iter().map(|network| (*network).to_owned()).collect();
    config.trusted_proxies = networks.try_into().expect("networks");
    let serving = Serving::start(Platform::open(config, World::default()).await.expect("opens")).await;
    let url = format!("http://{}", serving.ports.grpc);
    let channel = Channel::from_shared(url).expect("a URL").connect().await.expect("connects");
    let forwarding = ServiceBuilder::new()
        .map_request(|mut request: http::Request<Body>| {
            request.headers_mut().insert("x-forwarded-for", "192.0.2.1, 203.0.113.9".parse().expect("a header"));
            request
        })
        .map_err(Into::into)
        .service(channel);
    let client = Client::embedded(BoxCloneSyncService::new(forwarding));

    client.sign_up("mina@example.kr", PASSWORD, "민아").await.expect("signs up");
    let history = client.members().list_login_events(ListLoginEventsRequest::default()).await.expect("a history");

    drop(client);
    serving.end().await;
    history.login_events[0].address.clone()
}

/// Guard: the networks of the proxies, from the configuration to what rests on who calls.
#[tokio::test]
async fn callers_behind_a_proxy_are_told_apart_where_it_is_trusted() {
    assert_eq!(caller_behind(&["127.0.0.0/8"]).await, "203.0.113.9");
    assert_eq!(caller_behind(&[]).await, "127.0.0.1");
}

/// Guard: an answer without a body is all headers, of which a client takes 16 KiB.
#[tokio::test]
async fn a_refusal_with_very_much_to_tell_reaches_the_caller() {
    let yeyak = Yeyak::new().await;
    let serving = Serving::start(yeyak.platform).await;
    let client = Client::connect(&format!("http://{}", serving.ports.grpc)).await.expect("connects");
    let request = SearchStaysRequest { amenities: vec![99; 63], ..Default::default() };

    let refused = client.stay_search().search_stays(request).await.expect_err("malformed");

    assert_eq!(refused.reason, ErrorReason::InvalidFields, "{refused:?}");
    assert_eq!(refused.violations.len(), 25);
    assert!(refused.message.ends_with("and 15 more"), "{}", refused.message);
    serving.end().await;
}
