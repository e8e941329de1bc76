//! A server that shuts down ends its open streams by itself, so that their clients move on: unary calls end anyway.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::body::{Watch, watched};
use super::call::{Around, Call};
use super::{Answer, Request, RequestContext, Response};
use crate::error::{ErrorReason, refusal};

/// By then a client has found another server.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Ends open streams, and refuses new ones, once its token is cancelled.
#[derive(Clone, Debug)]
pub struct Layer {
    drain: CancellationToken,
}

impl Layer {
    /// A layer that waits for this token.
    pub fn new(drain: CancellationToken) -> Self {
        Self { drain }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, drain: self.drain.clone() }
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    drain: CancellationToken,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Call<S::Future, Draining>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let rpc = request.extensions().get::<RequestContext>().and_then(|context| context.rpc);
        let streaming = rpc.is_some_and(|rpc| rpc.streaming);
        if streaming && self.drain.is_cancelled() {
            return Call::answered(shutting_down().into_http());
        }
        let drain = streaming.then(|| self.drain.clone());
        Call::running(self.inner.call(request), Draining { drain })
    }
}

/// The token, where the answer is a stream.
#[derive(Debug)]
pub struct Draining {
    drain: Option<CancellationToken>,
}

impl Around for Draining {
    fn answer(self, response: Response) -> Response {
        match self.drain {
            Some(drain) => watched(response, Open { drained: Box::pin(drain.cancelled_owned()) }),
            None => response,
        }
    }
}

struct Open {
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Watch for Open {
    fn interrupt(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        self.drained.as_mut().poll(cx).is_ready().then(shutting_down)
    }
}

fn shutting_down() -> Status {
    refusal(ErrorReason::ShuttingDown, "the server is shutting down; another one will answer", Some(RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::StreamBody;
    use tonic::Code;
    use tonic::body::Body;
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::reason_of;
    use crate::layer::testing::{READ, WATCH, named, service, status_of, streamed};

    #[tokio::test]
    async fn a_drain_ends_open_streams_and_refuses_new_ones() {
        let drain = CancellationToken::new();
        let hanging = service(|_| Response::new(Body::new(StreamBody::new(stream::pending::<Result<_, Status>>()))));
        let server = Layer::new(drain.clone()).layer(hanging);

        let open = tokio::spawn(status_of(server.clone().oneshot(named(WATCH)).await.unwrap()));
        tokio::task::yield_now().await;
        drain.cancel();
        let late = status_of(server.oneshot(named(WATCH)).await.unwrap()).await;

        for status in [open.await.unwrap(), late] {
            assert_eq!((status.code(), reason_of(&status)), (Code::Unavailable, Some(ErrorReason::ShuttingDown)));
        }
    }

    #[tokio::test]
    async fn unary_calls_are_answered_during_a_drain() {
        let drain = CancellationToken::new();
        drain.cancel();
        let server = Layer::new(drain).layer(service(|_| streamed(1, Status::ok(""))));

        assert_eq!(status_of(server.oneshot(named(READ)).await.unwrap()).await.code(), Code::Ok);
    }
}
