//! A message that has begun to arrive arrives soon: until then its call takes room, and has shown nobody who calls.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::body::arriving;
use super::{Answer, Request, RequestContext, Response, Rpc};
use crate::error::{ErrorReason, refusal};

/// For how long a message may arrive: the largest does on a line of seven megabits a second.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Ends calls whose message does not arrive.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    patience: Duration,
}

impl Layer {
    /// A layer that waits so long for the rest of a message.
    pub fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, patience: self.patience }
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    patience: Duration,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let patience = self.patience;
        let rpc = request.extensions().get::<RequestContext>().and_then(|context| context.rpc);
        // Health and reflection take no room, and reflection is a conversation.
        if rpc.is_some_and(Rpc::is_built_in) {
            return self.inner.call(request);
        }
        // Begun by the first look that finds nothing: most messages are there at once.
        let mut late: Option<Pin<Box<Sleep>>> = None;
        let is_late = move |cx: &mut Context<'_>| {
            let late = late.get_or_insert_with(|| Box::pin(sleep(patience)));
            late.as_mut().poll(cx).is_ready().then(|| {
                let message = format!("the message of the call did not arrive whole within {patience:?}");
                refusal(ErrorReason::DeadlinePassed, message, None)
            })
        };
        self.inner.call(request.map(|inner| arriving(inner, is_late)))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tonic::body::Body;
    use tonic::{Code, Status};
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::layer::testing::{READ, named, status_of, streamed};

    const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

    /// Reads its request, as a handler does.
    fn reading() -> impl Answer + Clone {
        tower::service_fn(|request: Request| async {
            Ok(match request.into_body().collect().await {
                Ok(_) => streamed(1, Status::ok("")),
                Err(status) => status.into_http(),
            })
        })
    }

    /// Guard: the time in which a message has to arrive, of which each has its own.
    #[tokio::test]
    async fn a_message_that_does_not_arrive_ends_its_call() {
        let server = Layer::new(Duration::from_millis(5)).layer(reading());
        let half = |path| named(path).map(|_| Body::new(StreamBody::new(stream::pending::<Result<_, Status>>())));

        let (whole, half, conversation) = tokio::join!(
            server.clone().oneshot(named(READ)),
            tokio::time::timeout(Duration::from_secs(10), server.clone().oneshot(half(READ))),
            tokio::time::timeout(Duration::from_millis(100), server.oneshot(half(REFLECTION)))
        );

        assert_eq!(status_of(whole.unwrap()).await.code(), Code::Ok);
        let refused = status_of(half.expect("it ends by itself").unwrap()).await;
        assert_eq!(refused.code(), Code::DeadlineExceeded);
        assert!(conversation.is_err(), "one that takes no room goes on");
    }
}
