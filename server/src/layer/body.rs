//! Bodies that a layer has a say in: a response that is watched until its end, a request that need not arrive whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use super::Response;

/// What a layer does while a response body is sent. Dropped with the body: at its end, or when the caller has gone.
pub(super) trait Watch: Send + Unpin + 'static {
    /// Ends the body by these trailers, in place of what would come next.
    fn interrupt(&mut self, _cx: &mut Context<'_>) -> Option<Status> {
        None
    }

    /// Sees the trailers, which come last.
    fn trailers(&mut self, _trailers: &mut HeaderMap) {}

    /// Sees the end of a body that has no trailers.
    fn end(&mut self) {}

    /// Stays in this span while the body is polled.
    fn span(&self) -> Option<&tracing::Span> {
        None
    }
}

/// Has a response body watched. A body that is empty from the start is not: its headers said all there is.
pub(super) fn watched(response: Response, watch: impl Watch) -> Response {
    response.map(|inner| Body::new(Watched { inner, watch, ended: false }))
}

/// A request body that ends with a status once there is one, if the rest of it has not come by then. Asked while the rest is missing.
pub(super) fn arriving(
    inner: Body,
    end: impl FnMut(&mut Context<'_>) -> Option<Status> + Send + Unpin + 'static,
) -> Body {
    Body::new(Arriving { inner, end })
}

struct Arriving<E> {
    inner: Body,
    end: E,
}

impl<E: FnMut(&mut Context<'_>) -> Option<Status> + Unpin> http_body::Body for Arriving<E> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { inner, end } = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut *inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let Some(status) = end(cx) else { return Poll::Pending };
        *inner = Body::empty();
        Poll::Ready(Some(Err(status)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

struct Watched<W> {
    inner: Body,
    watch: W,
    /// Trailers were sent, and nothing follows them.
    ended: bool,
}

impl<W: Watch> http_body::Body for Watched<W> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { inner, watch, ended } = self.get_mut();
        if *ended {
            return Poll::Ready(None);
        }
        if let Some(status) = watch.interrupt(cx) {
            // Dropped now, with the handler's stream in it.
            *inner = Body::empty();
            *ended = true;
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers)?;
            watch.trailers(&mut trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let frame = {
            let _entered = watch.span().map(tracing::Span::enter);
            ready!(Pin::new(inner).poll_frame(cx))
        };
        let Some(frame) = frame else {
            *ended = true;
            watch.end();
            return Poll::Ready(None);
        };
        let mut frame = frame?;
        if let Some(trailers) = frame.trailers_mut() {
            *ended = true;
            watch.trailers(trailers);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The status code in headers or trailers.
pub(super) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// The name of a code, as metrics and logs write it.
pub(super) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::layer::testing::streamed;

    /// Interrupts whatever comes, as a deadline does once it has passed.
    struct Passed {
        after: usize,
    }

    impl Watch for Passed {
        fn interrupt(&mut self, _cx: &mut Context<'_>) -> Option<Status> {
            let now = self.after == 0;
            self.after = self.after.saturating_sub(1);
            now.then(|| Status::deadline_exceeded("late"))
        }
    }

    #[tokio::test]
    async fn trailers_come_once_and_last() {
        for (after, code) in [(0, Code::DeadlineExceeded), (1, Code::DeadlineExceeded), (2, Code::Ok)] {
            let mut body = watched(streamed(1, Status::ok("")), Passed { after }).into_body();
            let mut codes = Vec::new();
            while let Some(frame) = body.frame().await {
                codes.extend(frame.unwrap().trailers_ref().and_then(code_in));
                assert!(codes.len() < 2, "the body goes on behind its trailers");
            }

            assert_eq!(codes, [code], "interrupted after {after} frames");
        }
    }
}
