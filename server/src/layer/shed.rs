//! Bounds how much runs at once, and refuses the rest while that is still cheap.
//!
//! A call has its room until its answer has ended, or what it began, if its caller left that behind.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::body::{Watch, watched};
use super::call::{Around, Call};
use super::{Answer, Catalog, Request, RequestContext, Response, Rpc};
use crate::error::{ErrorReason, refusal};

/// When a refused caller should try again. Callers spread this themselves.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How many calls may run at once, until the end of their answers. Health and reflection are never counted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Unary calls in all.
    pub calls: usize,
    /// Unary calls of any one service, so that a rush on one leaves room for the others.
    pub calls_per_service: usize,
    /// Streams in all, counted apart: they last, and would take the room of unary calls for good.
    pub streams: usize,
}

/// Refuses calls beyond the limits.
#[derive(Clone, Debug)]
pub struct Layer {
    room: Arc<Room>,
}

impl Layer {
    /// A layer with these limits; everything that it wraps shares them.
    pub fn new(catalog: &Catalog, limits: Limits) -> Self {
        let room = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let services = (0..catalog.service_count()).map(|_| room(limits.calls_per_service)).collect();
        let refused =
            refusal(ErrorReason::Overloaded, "the server takes no more work at the moment", Some(RETRY_AFTER));
        Self { room: Arc::new(Room { calls: room(limits.calls), services, streams: room(limits.streams), refused }) }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, room: self.room.clone() }
    }
}

struct Room {
    calls: Arc<Semaphore>,
    services: Vec<Arc<Semaphore>>,
    streams: Arc<Semaphore>,
    /// Made once: under overload it is what is answered most.
    refused: Status,
}

impl Room {
    fn admit(&self, rpc: Option<Rpc>) -> Option<Permits> {
        let take = |room: &Arc<Semaphore>| room.clone().try_acquire_owned().ok();
        match rpc {
            Some(rpc) if rpc.is_built_in() => Some(Permits::default()),
            Some(rpc) if rpc.streaming => Some(Permits::of(take(&self.streams)?, None)),
            Some(rpc) => {
                let service = take(&self.services[rpc.service_index()])?;
                Some(Permits::of(take(&self.calls)?, Some(service)))
            }
            None => Some(Permits::of(take(&self.calls)?, None)),
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("calls", &self.calls).field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    room: Arc<Room>,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Call<S::Future, Permits>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let rpc = request.extensions().get::<RequestContext>().and_then(|context| context.rpc);
        match self.room.admit(rpc) {
            Some(permits) => {
                request.extensions_mut().insert(permits.clone());
                Call::running(self.inner.call(request), permits)
            }
            None => Call::answered(self.room.refused.clone().into_http()),
        }
    }
}

/// The room that a call takes, given back when the body of its answer has ended; an extension of its request, for what goes on
/// when its caller has gone.
#[derive(Clone, Debug, Default)]
pub struct Permits {
    _taken: Option<Arc<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>>,
}

impl Permits {
    fn of(all: OwnedSemaphorePermit, service: Option<OwnedSemaphorePermit>) -> Self {
        Self { _taken: Some(Arc::new((all, service))) }
    }
}

impl Around for Permits {
    fn answer(self, response: Response) -> Response {
        watched(response, self)
    }
}

impl Watch for Permits {}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::reason_of;
    use crate::layer::testing::{OTHER, READ, WATCH, catalog, named, service, status_of, streamed};

    const HEALTH: &str = "/grpc.health.v1.Health/Check";

    fn answering(limits: Limits) -> impl Answer + Clone {
        Layer::new(&catalog(), limits).layer(service(|_| streamed(1, Status::ok(""))))
    }

    #[tokio::test]
    async fn room_is_given_back_at_the_end_of_the_body() {
        let server = answering(Limits { calls: 1, calls_per_service: 1, streams: 1 });

        let held = server.clone().oneshot(named(READ)).await.unwrap();
        let refused = status_of(server.clone().oneshot(named(READ)).await.unwrap()).await;
        drop(held);
        let again = status_of(server.oneshot(named(READ)).await.unwrap()).await;

        assert_eq!((refused.code(), reason_of(&refused)), (Code::Unavailable, Some(ErrorReason::Overloaded)));
        assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(RETRY_AFTER));
        assert_eq!(again.code(), Code::Ok);
    }

    #[tokio::test]
    async fn a_rush_on_one_service_leaves_room_for_another() {
        let server = answering(Limits { calls: 10, calls_per_service: 1, streams: 1 });

        let _held = server.clone().oneshot(named(READ)).await.unwrap();
        let same = status_of(server.clone().oneshot(named(READ)).await.unwrap()).await;
        let other = status_of(server.oneshot(named(OTHER)).await.unwrap()).await;

        assert_eq!(same.code(), Code::Unavailable);
        assert_eq!(other.code(), Code::Ok);
    }

    #[tokio::test]
    async fn streams_and_calls_do_not_take_each_others_room_and_health_needs_none() {
        let server = answering(Limits { calls: 1, calls_per_service: 1, streams: 1 });

        let _stream = server.clone().oneshot(named(WATCH)).await.unwrap();
        let call = server.clone().oneshot(named(READ)).await.unwrap();
        let stream = status_of(server.clone().oneshot(named(WATCH)).await.unwrap()).await;
        let health = status_of(server.oneshot(named(HEALTH)).await.unwrap()).await;

        assert_eq!(stream.code(), Code::Unavailable);
        assert_eq!(health.code(), Code::Ok);
        assert_eq!(status_of(call).await.code(), Code::Ok);
    }

    #[tokio::test]
    async fn a_refusal_by_one_limit_leaves_the_other_as_it_was() {
        let server = answering(Limits { calls: 1, calls_per_service: 1, streams: 1 });

        let held = server.clone().oneshot(named(READ)).await.unwrap();
        let refused = status_of(server.clone().oneshot(named(OTHER)).await.unwrap()).await;
        drop(held);
        let other = status_of(server.oneshot(named(OTHER)).await.unwrap()).await;

        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(other.code(), Code::Ok);
    }
}
