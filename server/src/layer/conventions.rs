//! The conventions of gRPC over a real socket, as a client sees them that was not written by us.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::routing::post;
use bytes::Bytes;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tower::{Layer as _, ServiceExt};
use yeyak_proto::grpc::health::v1::health_check_response::ServingStatus;
use yeyak_proto::grpc::health::v1::health_client::HealthClient;
use yeyak_proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};

use super::testing::{OTHER, READ, Raw, WATCH, WRITE, parts, raw, request, serve, status_of};
use super::{Request, RequestContext, Response, stack};
use crate::error::{ErrorReason, reason_of};
use crate::serve::health::Health;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// Health, and a service whose RPCs hang or panic.
fn routes(health: &Health) -> Routes {
    let mut routes = Routes::new(health.server());
    let hanging = || async { std::future::pending::<Response>().await.map(axum::body::Body::new) };
    let router = routes.axum_router_mut();
    *router = std::mem::take(router)
        .route(OTHER, post(answering_peer))
        .route(READ, post(hanging))
        .route(WATCH, post(hanging))
        .route(WRITE, post(panicking));
    routes
}

async fn answering_peer(request: axum::extract::Request) -> ([(&'static str, String); 2], ()) {
    let peer = request.extensions().get::<RequestContext>().unwrap().peer;
    ([("grpc-status", "0".to_owned()), ("peer", format!("{peer:?}"))], ())
}

async fn panicking() {
    panic!("a bug");
}

fn healthy() -> Health {
    let health = Health::new(["test.v1.TestService"]);
    health.set_all(ServingStatus::Serving);
    health
}

fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat()
}

fn checking(service: &str) -> Vec<u8> {
    framed(0, &HealthCheckRequest { service: service.to_owned() }.encode_to_vec())
}

async fn client(address: SocketAddr) -> HealthClient<Channel> {
    HealthClient::new(Endpoint::new(format!("http://{address}")).unwrap().connect().await.unwrap())
}

async fn call(path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Raw {
    let address = serve(parts(), routes(&healthy())).await;
    let mut request = request(path);
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    raw(address, request, body).await
}

#[tokio::test]
async fn a_good_call_is_answered_with_its_request_id() {
    let answer = call(CHECK, &[("x-request-id", "r-1")], &checking("")).await;

    let reply = HealthCheckResponse::decode(&answer.body[5..]).unwrap();
    assert_eq!((answer.status().code(), reply.status()), (Code::Ok, ServingStatus::Serving));
    assert_eq!(answer.headers["x-request-id"], "r-1");
}

#[tokio::test]
async fn the_other_end_of_the_connection_is_known() {
    let answer = call(OTHER, &[], &framed(0, &[])).await;

    assert_eq!(answer.headers["peer"], "Some(127.0.0.1)");
}

/// Gap a: tonic answers CANCELLED. Run again and again, since its timer is as quick as ours: the guard is that ours is
/// started and polled first. On one thread, where nothing else can let tonic win.
#[tokio::test]
async fn a_client_that_keeps_waiting_reads_deadline_exceeded() {
    let address = serve(parts(), routes(&healthy())).await;
    for timeout in ["1m", "999u", "1n", "0S", "2m", "3m"].iter().cycle().take(60) {
        for path in [READ, WATCH] {
            let mut request = request(path);
            request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());

            let answer = raw(address, request, &framed(0, &[])).await;

            let status = answer.status();
            assert_eq!(status.code(), Code::DeadlineExceeded, "{timeout} {path}");
            assert_eq!(reason_of(&status), Some(ErrorReason::DeadlinePassed));
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_open_at_its_deadline_ends_with_trailers() {
    let answer = call(HEALTH_WATCH, &[("grpc-timeout", "20m")], &checking("")).await;

    assert_eq!(HealthCheckResponse::decode(&answer.body[5..]).unwrap().status(), ServingStatus::Serving);
    assert_eq!(answer.status().code(), Code::DeadlineExceeded);
    assert!(answer.trailers.contains_key("grpc-status"));
}

/// Gap b: tonic-health answers NOT_FOUND.
#[tokio::test]
async fn an_unknown_service_can_be_watched() {
    let health = healthy();
    let address = serve(parts(), routes(&health)).await;
    let mut client = client(address).await;
    let unknown = HealthCheckRequest { service: "later.v1.Later".to_owned() };

    let missing = client.check(unknown.clone()).await.unwrap_err();
    let mut news = client.watch(unknown).await.unwrap().into_inner();

    assert_eq!((missing.code(), reason_of(&missing)), (Code::NotFound, Some(ErrorReason::NotFound)));
    assert_eq!(news.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    health.set("later.v1.Later", ServingStatus::Serving);
    assert_eq!(news.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
}

#[tokio::test]
async fn a_drain_ends_watches_over_the_wire() {
    let parts = parts();
    let address = serve(parts.clone(), routes(&healthy())).await;
    let mut client = client(address).await;
    let mut news = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    news.message().await.unwrap().unwrap();

    parts.drain.cancel();

    let end = news.message().await.unwrap_err();
    assert_eq!((end.code(), reason_of(&end)), (Code::Unavailable, Some(ErrorReason::ShuttingDown)));
}

/// Gap c: tonic answers 200 and INTERNAL.
#[tokio::test]
async fn another_content_type_is_415() {
    let answer = call(CHECK, &[("content-type", "application/json")], b"{}").await;

    assert_eq!(answer.http, http::StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.status().code(), Code::InvalidArgument);
}

/// Gap d: tonic answers 400.
#[tokio::test]
async fn a_browser_may_ask_and_then_call() {
    let address = serve(parts(), routes(&healthy())).await;
    let preflight = format!(
        "OPTIONS {CHECK} HTTP/1.1\r\nhost: {address}\r\norigin: https://shop.example\r\nconnection: close\r\n\
         access-control-request-method: POST\r\naccess-control-request-headers: content-type,x-grpc-web\r\n\r\n"
    );
    let body = checking("");
    let call = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: {address}\r\norigin: https://shop.example\r\nconnection: close\r\n\
         content-type: application/grpc-web+proto\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );

    let preflight = http_1(address, preflight.as_bytes()).await;
    let answer = http_1(address, &[call.as_bytes(), &body].concat()).await;

    assert!(preflight.starts_with("HTTP/1.1 200"), "{preflight}");
    for header in [
        "access-control-allow-origin: https://shop.example",
        "access-control-allow-methods: POST",
        "content-type,grpc-timeout",
        "x-grpc-web",
    ] {
        assert!(preflight.contains(header), "{header} is not in {preflight}");
    }
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("grpc-status-details-bin"), "{answer}");
    assert!(answer.contains("grpc-status:0\r\n"), "{answer}");
}

/// What a server answers to these bytes, until it closes the connection.
async fn http_1(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Gap e: tonic answers OUT_OF_RANGE.
#[tokio::test]
async fn a_message_that_is_too_large_is_resource_exhausted_both_ways() {
    let received = call(CHECK, &[], &checking(&"x".repeat(5000))).await.status();
    let health = healthy();
    let terse = Routes::new(health.server().max_encoding_message_size(1));
    let sent = raw(serve(parts(), terse).await, request(CHECK), &checking("")).await.status();

    for status in [received, sent] {
        assert_eq!((status.code(), reason_of(&status)), (Code::ResourceExhausted, Some(ErrorReason::MessageTooLarge)));
    }
}

#[tokio::test]
async fn an_unknown_rpc_is_unimplemented() {
    for path in ["/no.such.Service/Method", "/grpc.health.v1.Health/Nothing", "/", WATCH] {
        let address = serve(parts(), Routes::new(healthy().server())).await;
        let answer = raw(address, request(path), &checking("")).await;

        let status = answer.status();
        assert_eq!((answer.http.as_u16(), status.code()), (200, Code::Unimplemented), "{path}");
        assert_eq!(reason_of(&status), Some(ErrorReason::UnknownMethod), "{path}");
    }
}

#[tokio::test]
async fn no_malformed_input_is_our_fault() {
    let inputs: [(&str, Vec<u8>); 8] = [
        ("bytes that are no message", framed(0, &[0xff; 20])),
        ("text that is not UTF-8", framed(0, &[0x0a, 1, 0xff])),
        ("compressed without an encoding", framed(1, &[1, 2, 3])),
        ("a flag that does not exist", framed(7, &[])),
        ("half a frame", vec![0, 0, 0]),
        ("half a message", framed(0, &[0; 9])[..8].to_vec()),
        ("a length beyond its frame", vec![0, 0, 0, 0, 9, 1]),
        ("nothing", Vec::new()),
    ];
    for (what, input) in inputs {
        let status = call(CHECK, &[], &input).await.status();

        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::InvalidArgument, Some(ErrorReason::MalformedMessage)),
            "{what}"
        );
    }
}

#[tokio::test]
async fn an_encoding_that_is_not_supported_is_named_with_those_that_are() {
    let answer = call(CHECK, &[("grpc-encoding", "br")], &checking("")).await;

    let status = answer.status();
    assert_eq!((status.code(), reason_of(&status)), (Code::Unimplemented, Some(ErrorReason::UnknownEncoding)));
    assert!(answer.headers.contains_key("grpc-accept-encoding"));
}

#[tokio::test]
async fn a_panic_takes_no_other_call_with_it() {
    let address = serve(parts(), routes(&healthy())).await;
    let mut client = client(address).await;
    let mut news = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    news.message().await.unwrap().unwrap();

    let status = raw(address, request(WRITE), &framed(0, &[])).await.status();

    assert_eq!((status.code(), reason_of(&status)), (Code::Internal, Some(ErrorReason::Internal)));
    assert!(client.check(HealthCheckRequest::default()).await.is_ok());
}

/// The same stack without a socket: what an embedding program calls.
#[tokio::test]
async fn in_process_calls_go_through_the_same_layers() {
    let server = stack(parts(), tower::layer::util::Identity::new()).layer(routes(&healthy()).prepare());
    let mut late = request(READ);
    late.headers_mut().insert("grpc-timeout", "1m".parse().unwrap());
    let body = |bytes: Vec<u8>| Body::new(http_body_util::Full::new(Bytes::from(bytes)));
    let check: Request = request(CHECK).map(|_| body(checking("")));

    let answered = server.clone().oneshot(check).await.unwrap();
    let late: Result<Response, Infallible> = server.clone().oneshot(late).await;
    let mut client = HealthClient::new(server);

    assert!(answered.headers().contains_key("x-request-id"));
    assert_eq!(status_of(answered).await.code(), Code::Ok);
    assert_eq!(status_of(late.unwrap()).await.code(), Code::DeadlineExceeded);
    assert!(client.check(HealthCheckRequest::default()).await.is_ok());
}
