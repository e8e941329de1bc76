//! What a client sees that knows HTTP/2 and nothing of gRPC, from a server as it is run.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::oneshot;
use tonic::{Code, Status};
use yeyak_server::serve::{Platform, Ports, ServeError};

use crate::harness::Yeyak;
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
