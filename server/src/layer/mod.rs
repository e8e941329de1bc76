//! The stack that every call goes through, the same over a socket and in-process.
//!
//! Promises:
//! - each refusal is logged once and counted once, whichever layer or handler made it;
//! - malformed input never gives INTERNAL, and a panic never takes a connection with it;
//! - a change that has begun ends, whether or not its caller waits for it;
//! - every answer of these layers carries an `ErrorInfo` with a documented reason.
//!
//! Every layer calls the one inside it at once, not at its first poll: [`deadline`] rests on that.

pub mod arrival;
pub mod auth;
mod body;
mod call;
pub mod catalog;
pub mod catch;
pub mod context;
#[cfg(test)]
mod conventions;
pub mod cors;
pub mod deadline;
pub mod detach;
pub mod drain;
pub mod metrics;
pub mod protocol;
pub mod proxies;
pub mod rate;
pub mod shed;
#[cfg(test)]
pub(crate) mod testing;
pub mod trace;

use std::convert::Infallible;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceBuilder;

pub use catalog::{Catalog, Rpc};
pub use context::RequestContext;
pub use deadline::Deadline;

use self::proxies::Proxies;
use crate::kit::clock::Clock;
use crate::kit::id::Ids;

/// A call on its way in.
pub type Request = http::Request<Body>;

/// Its answer on the way out.
pub type Response = http::Response<Body>;

/// What each layer wraps, and is. Refusals are answers, so it can't fail.
pub trait Answer: tower::Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> {}

impl<S> Answer for S where S: tower::Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> {}

/// What the layer in the place of `auth` wraps.
pub type Core = detach::Service<drain::Service<Routes>>;

/// What the layers share with the rest of the process.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Every RPC that may be called.
    pub catalog: Arc<Catalog>,
    /// Whose word is taken for whom they call for.
    pub proxies: Proxies,
    /// Where request and trace ids come from.
    pub ids: Arc<Ids>,
    /// What dates them.
    pub clock: Arc<dyn Clock>,
    /// Runs the changes; a shutdown closes it and waits for it.
    pub tasks: TaskTracker,
    /// Cancelled by a shutdown: ends the open streams.
    pub drain: CancellationToken,
    /// How long calls may take.
    pub deadline: deadline::Limits,
    /// How many calls may run.
    pub shed: shed::Limits,
}

/// Composes the layers around [`Routes`], with `auth` at its place. CORS and gRPC-Web go outside of it.
///
/// A recorder of metrics must be installed before.
pub fn stack<A>(
    parts: Parts,
    auth: A,
) -> impl tower::Layer<Routes, Service: Answer + Clone + Send + Sync + 'static> + Clone + Send + Sync + 'static
where
    A: tower::Layer<Core, Service: Answer + Clone + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    ServiceBuilder::new()
        // Outermost: names the call, and logs every refusal below once.
        .layer(trace::Layer::new(parts.catalog.clone(), parts.proxies, parts.ids, parts.clock))
        // By (rpc, reason); a dropped call counts as `cancelled`.
        .layer(metrics::Layer::new(&parts.catalog))
        // What is not gRPC ends here, and what tonic answers becomes what the conventions ask for.
        .layer(protocol::Layer)
        // A panic in anything below is an answer like any other.
        .layer(catch::Layer)
        // `grpc-timeout`, capped by configuration; outside of all that may wait.
        .layer(deadline::Layer::new(parts.deadline))
        // Before auth: overload must be cheap to refuse.
        .layer(shed::Layer::new(&parts.catalog, parts.shed))
        // Whoever takes room has to say soon what for.
        .layer(arrival::Layer::new(arrival::PATIENCE))
        // Proves who calls; only health and reflection pass without.
        .layer(auth)
        // Behind all that refuses or gives up: from here on a change runs to its end.
        .layer(detach::Layer::new(parts.tasks))
        // Innermost: it ends the handlers' own streams, at a moment that only the server knows.
        .layer(drain::Layer::new(parts.drain))
        .into_inner()
}
