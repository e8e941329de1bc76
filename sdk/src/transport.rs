//! What carries calls: connections, or a server in the same process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::error::Error;
use crate::options::Options;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A server in the same process: its router behind its layers.
pub type Embedded = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, BoxError>;

#[derive(Clone)]
pub(crate) enum Transport {
    Channels(Arc<Channels>),
    Embedded(Embedded),
}

pub(crate) struct Channels {
    channels: Vec<Server>,
    next: AtomicUsize,
    began: Instant,
}

/// One connection, and whether its server is to be left alone for a while.
struct Server {
    channel: Channel,
    /// The address that it is one of several connections to.
    address: usize,
    /// Until when it is avoided, in milliseconds since the client began: it could not be reached, or was shutting down.
    rests_until: AtomicU64,
}

/// How long a server that could not be reached is avoided, while another can be.
const REST: Duration = Duration::from_secs(1);

impl Transport {
    pub(crate) async fn connect(urls: &str, options: &Options) -> Result<Self, Error> {
        let mut endpoints = Vec::new();
        for url in urls.split(',').map(str::trim) {
            endpoints.push((url, endpoint(url, options)?));
        }
        let (mut channels, mut refused) = (Vec::new(), None);
        let mut answered = false;
        for _ in 0..options.channels {
            for (address, (url, endpoint)) in endpoints.iter().enumerate() {
                let channel = match endpoint.connect().await {
                    Ok(channel) => {
                        answered = true;
                        channel
                    }
                    // Others may answer meanwhile.
                    Err(error) => {
                        refused = Some(unreachable(url, &error));
                        endpoint.connect_lazy()
                    }
                };
                channels.push(Server { channel, address, rests_until: AtomicU64::new(0) });
            }
        }
        if let Some(refused) = refused.filter(|_| !answered) {
            return Err(refused);
        }
        Ok(Self::Channels(Arc::new(Channels { channels, next: AtomicUsize::new(0), began: Instant::now() })))
    }

    /// The service for a try of a call that was at these addresses in vain: the connections take turns, but those come last whose
    /// servers the call was at, and of the others those that are avoided; of them the one first that could not be reached longest
    /// ago, and may be back.
    pub(crate) fn pick(&self, tried: &[usize]) -> Pick {
        match self {
            Self::Channels(all) => {
                let (turn, now, count) = (all.next.fetch_add(1, Ordering::Relaxed), all.now(), all.channels.len());
                let rests = |server: &Server| Some(server.rests_until.load(Ordering::Relaxed)).filter(|end| *end > now);
                let in_turn = (0..count).map(|step| &all.channels[turn.wrapping_add(step) % count]);
                let server = in_turn.min_by_key(|server| (tried.contains(&server.address), rests(server)));
                let server = server.expect("there is an address");
                Pick::Channel { channel: server.channel.clone(), address: server.address }
            }
            Self::Embedded(service) => Pick::Embedded(service.clone()),
        }
    }

    /// Leaves the server of a call alone for a while, which was at these addresses before; whether there is one that it was not at.
    pub(crate) fn avoid(&self, pick: &Pick, tried: &mut Vec<usize>) -> bool {
        let (Self::Channels(all), Pick::Channel { address, .. }) = (self, pick) else { return false };
        tried.push(*address);
        let until = all.now() + u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        for server in all.channels.iter().filter(|server| server.address == *address) {
            server.rests_until.store(until, Ordering::Relaxed);
        }
        all.channels.iter().any(|server| !tried.contains(&server.address))
    }
}

impl Channels {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg_attr(not(feature = "tls"), expect(unused_variables, reason = "only encrypted connections have options"))]
fn endpoint(url: &str, options: &Options) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|_| tonic::Status::invalid_argument(format!("{url} is not a URL such as http://127.0.0.1:7070")))?
        .user_agent(concat!("yeyak-rust/", env!("CARGO_PKG_VERSION")))
        .map_err(|error| tonic::Status::internal(error.to_string()))?
        .connect_timeout(Duration::from_secs(5))
        // Without these a call on a connection whose peer is gone would wait for ever.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    #[cfg(feature = "tls")]
    let endpoint = match url.starts_with("https://") {
        true => endpoint.tls_config(tls(options)).map_err(|error| tonic::Status::internal(error.to_string()))?,
        false => endpoint,
    };
    Ok(endpoint)
}

/// Who is trusted, and who this client is.
#[cfg(feature = "tls")]
fn tls(options: &Options) -> tonic::transport::ClientTlsConfig {
    use tonic::transport::{Certificate, ClientTlsConfig, Identity};
    let tls = match &options.authority {
        Some(authority) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)),
        None => ClientTlsConfig::new().with_webpki_roots(),
    };
    match &options.identity {
        Some(own) => tls.identity(Identity::from_pem(&own.certificate, &own.key)),
        None => tls,
    }
}

fn unreachable(url: &str, error: &tonic::transport::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    tonic::Status::unavailable(format!("nothing answers at {url} ({cause}); is the server running?")).into()
}

/// One of the transports, as tonic's client takes it.
#[derive(Clone)]
pub(crate) enum Pick {
    Channel { channel: Channel, address: usize },
    Embedded(Embedded),
}

impl Service<http::Request<Body>> for Pick {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = futures::future::BoxFuture<'static, Result<http::Response<Body>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Channel { channel, .. } => Service::poll_ready(channel, cx).map_err(Into::into),
            Self::Embedded(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self {
            Self::Channel { channel, .. } => {
                let answer = channel.call(request);
                Box::pin(async move { answer.await.map_err(Into::into) })
            }
            Self::Embedded(service) => service.call(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(addresses: usize) -> Transport {
        let server = |address| Server {
            channel: Endpoint::from_static("http://127.0.0.1:1").connect_lazy(),
            address,
            rests_until: AtomicU64::new(0),
        };
        // Two connections to each.
        let channels = (0..2 * addresses).map(|at| server(at % addresses)).collect();
        Transport::Channels(Arc::new(Channels { channels, next: AtomicUsize::new(0), began: Instant::now() }))
    }

    fn address(pick: &Pick) -> usize {
        match pick {
            Pick::Channel { address, .. } => *address,
            Pick::Embedded(_) => panic!("there are connections"),
        }
    }

    #[tokio::test]
    async fn a_server_that_could_not_be_reached_is_left_alone_by_all_calls() {
        let transport = transport(3);
        let first = transport.pick(&[]);
        assert!(transport.avoid(&first, &mut Vec::new()));

        let picked: Vec<_> = (0..12).map(|_| address(&transport.pick(&[]))).collect();

        assert!(picked.iter().all(|picked| *picked != address(&first)), "{picked:?}");
        assert!((1..3).all(|other| picked.contains(&other)), "the others take turns: {picked:?}");
    }

    /// Guard: where a call was, by which two that went away one after the other are told apart.
    #[tokio::test]
    async fn a_call_goes_where_it_was_not_yet_though_nobody_answered_there_a_moment_ago() {
        let transport = transport(2);
        let gone = transport.pick(&[]);
        transport.avoid(&gone, &mut Vec::new());
        tokio::time::sleep(Duration::from_millis(5)).await;

        // It is back, which nobody knows; and now the other goes away.
        let mut tried = Vec::new();
        let other = transport.pick(&tried);
        assert_ne!(address(&other), address(&gone));
        assert!(transport.avoid(&other, &mut tried), "there is one that the call was not at");

        assert!((0..4).all(|_| address(&transport.pick(&tried)) == address(&gone)));
        assert!((0..4).all(|_| address(&transport.pick(&[])) == address(&gone)), "it is longest ago");
        assert!(!transport.avoid(&gone, &mut tried), "the call was everywhere");
    }
}
