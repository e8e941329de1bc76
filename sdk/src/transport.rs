//! What carries calls: connections, or a server in the same process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

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
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Transport {
    pub(crate) async fn connect(url: &str, options: &Options) -> Result<Self, Error> {
        let endpoint = endpoint(url)?;
        let mut channels = Vec::with_capacity(options.channels);
        for _ in 0..options.channels {
            let channel = endpoint.connect().await;
            channels.push(channel.map_err(|error| unreachable(url, &error))?);
        }
        Ok(Self::Channels(Arc::new(Channels { channels, next: AtomicUsize::new(0) })))
    }

    /// The service for one call: the connections take turns.
    pub(crate) fn pick(&self) -> Pick {
        match self {
            Self::Channels(all) => {
                let turn = all.next.fetch_add(1, Ordering::Relaxed) % all.channels.len();
                Pick::Channel(all.channels[turn].clone())
            }
            Self::Embedded(service) => Pick::Embedded(service.clone()),
        }
    }
}

fn endpoint(url: &str) -> Result<Endpoint, Error> {
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
        true => endpoint
            .tls_config(tonic::transport::ClientTlsConfig::new().with_webpki_roots())
            .map_err(|error| tonic::Status::internal(error.to_string()))?,
        false => endpoint,
    };
    Ok(endpoint)
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
    Channel(Channel),
    Embedded(Embedded),
}

impl Service<http::Request<Body>> for Pick {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = futures::future::BoxFuture<'static, Result<http::Response<Body>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Channel(channel) => Service::poll_ready(channel, cx).map_err(Into::into),
            Self::Embedded(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self {
            Self::Channel(channel) => {
                let answer = channel.call(request);
                Box::pin(async move { answer.await.map_err(Into::into) })
            }
            Self::Embedded(service) => service.call(request),
        }
    }
}
