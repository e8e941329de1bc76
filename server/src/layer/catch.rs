//! A panic becomes INTERNAL, for this call alone: neither the connection nor the other calls on it notice.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;

use super::{Answer, Request, Response};
use crate::error::Error;

/// Catches panics, in the call and in the body of its answer.
#[derive(Clone, Copy, Debug)]
pub struct Layer;

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner }
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Caught<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(inner) => Caught::Running { inner },
            Err(panic) => Caught::Panicked { status: Some(status(&*panic)) },
        }
    }
}

pin_project! {
    /// A call that may panic.
    #[project = CaughtState]
    #[derive(Debug)]
    pub enum Caught<F> {
        /// It has not, so far.
        Running { #[pin] inner: F },
        /// It did before it could be polled.
        Panicked { status: Option<Status> },
    }
}

impl<F> Caught<F> {
    pub(super) fn new(inner: F) -> Self {
        Self::Running { inner }
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Caught<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = match self.project() {
            CaughtState::Running { inner } => inner,
            CaughtState::Panicked { status } => {
                return Poll::Ready(Ok(status.take().expect("a future is not polled after its end").into_http()));
            }
        };
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(polled) => {
                let Ok(response) = ready!(polled);
                Poll::Ready(Ok(response.map(|inner| Body::new(CaughtBody { inner }))))
            }
            Err(panic) => Poll::Ready(Ok(status(&*panic).into_http())),
        }
    }
}

struct CaughtBody {
    inner: Body,
}

impl http_body::Body for CaughtBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.inner).poll_frame(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.inner = Body::empty();
                let mut trailers = HeaderMap::new();
                status(&*panic).add_header(&mut trailers)?;
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The panic hook has written where it was; this is what stands in the log beside the call.
fn status(panic: &(dyn Any + Send)) -> Status {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is no text");
    Error::internal(format!("the handler panicked: {text}")).into()
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use http_body_util::StreamBody;
    use tonic::Code;
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::{ErrorReason, reason_of};
    use crate::layer::testing::{READ, WATCH, named, service, status_of};

    #[tokio::test]
    async fn a_panic_is_answered_and_tells_nothing() {
        let handler = Layer.layer(service(|_| panic!("the secret is {}", 42)));

        let status = status_of(handler.oneshot(named(READ)).await.unwrap()).await;

        assert_eq!((status.code(), reason_of(&status)), (Code::Internal, Some(ErrorReason::Internal)));
        assert_eq!(status.message(), "internal error");
    }

    #[tokio::test]
    async fn a_panic_in_a_stream_ends_it_with_trailers() {
        let handler = service(|_| {
            let frames = stream::iter([0, 1]).map(|count| {
                assert_eq!(count, 0, "the second frame panics");
                Ok::<_, Status>(Frame::data(Bytes::from_static(&[0; 5])))
            });
            Response::new(Body::new(StreamBody::new(frames)))
        });

        let status = status_of(Layer.layer(handler).oneshot(named(WATCH)).await.unwrap()).await;

        assert_eq!(status.code(), Code::Internal);
    }
}
