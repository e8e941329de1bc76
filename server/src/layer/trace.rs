//! Names every call, and logs its refusal: INTERNAL as an error with its cause, any other for who debugs a client.
//!
//! Bodies, tokens and personal data are never logged; so neither is the message of a refusal, which may quote a field.

use std::convert::Infallible;
use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::HeaderMap;
use pin_project_lite::pin_project;
use tonic::{Code, Status};
use tracing::Span;

use super::body::{Watch, code_in, code_name, watched};
use super::context::{REQUEST_ID, RequestContext, RequestId};
use super::proxies::Proxies;
use super::{Answer, Catalog, Request, Response};
use crate::error::{Traced, reason_of};
use crate::kit::clock::Clock;
use crate::kit::id::Ids;

/// Puts a [`RequestContext`] into each request, and its `x-request-id` into the answer.
#[derive(Clone, Debug)]
pub struct Layer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    catalog: Arc<Catalog>,
    proxies: Proxies,
    ids: Arc<Ids>,
    clock: Arc<dyn Clock>,
}

impl Layer {
    /// A layer that looks RPCs up here, takes the word of these proxies, and makes ids of these.
    pub fn new(catalog: Arc<Catalog>, proxies: Proxies, ids: Arc<Ids>, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { catalog, proxies, ids, clock }) }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, shared: self.shared.clone() }
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Tracing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let rpc = self.shared.catalog.find(parts.uri.path());
        let context = RequestContext::new(&parts, rpc, &self.shared.proxies, &self.shared.ids, &*self.shared.clock);
        let request_id = context.request_id.clone();
        let span = tracing::info_span!(
            "rpc",
            rpc = rpc.map_or("unknown", |rpc| rpc.label()),
            request_id = request_id.as_str(),
            trace_id = %context.trace_id,
        );
        parts.extensions.insert(context);
        let inner = span.in_scope(|| self.inner.call(Request::from_parts(parts, body)));
        Tracing { inner, call: Some((span, request_id)) }
    }
}

pin_project! {
    /// A call with a name.
    #[derive(Debug)]
    pub struct Tracing<F> {
        #[pin]
        inner: F,
        call: Option<(Span, RequestId)>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Tracing<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = {
            let _entered = this.call.as_ref().map(|(span, _)| span.enter());
            let Ok(response) = ready!(this.inner.poll(cx));
            response
        };
        let (span, request_id) = this.call.take().expect("a future is not polled after its end");
        response.headers_mut().insert(REQUEST_ID, request_id.header());
        match code_in(response.headers()) {
            Some(Code::Ok) => {}
            Some(code) => {
                // Taken out, so that an error that logs itself when dropped does so under this span.
                let status = response.extensions_mut().remove::<Status>();
                span.in_scope(|| log(code, status.as_ref(), false));
            }
            None => response = watched(response, Sending { span }),
        }
        Poll::Ready(Ok(response))
    }
}

struct Sending {
    span: Span,
}

impl Watch for Sending {
    fn trailers(&mut self, trailers: &mut HeaderMap) {
        let Some(code) = code_in(trailers) else { return };
        if code != Code::Ok {
            let status = Status::from_header_map(trailers);
            self.span.in_scope(|| log(code, status.as_ref(), true));
        }
    }

    fn span(&self) -> Option<&Span> {
        Some(&self.span)
    }
}

/// Logs an internal error in an answer at once, for who can't tell whether anyone waits for that answer.
pub(super) fn log_fault(response: &Response) {
    if let Some(traced) = response.extensions().get::<Status>().and_then(traced) {
        traced.log();
    }
}

fn traced(status: &Status) -> Option<&Traced> {
    status.source()?.downcast_ref()
}

fn log(code: Code, status: Option<&Status>, in_trailers: bool) {
    let name = code_name(code);
    let reason = status.and_then(reason_of).map_or("", |reason| reason.as_str_name());
    if !matches!(code, Code::Internal | Code::Unknown | Code::DataLoss) {
        tracing::debug!(code = name, reason, "refused with {name} {reason}");
        return;
    }
    match status.and_then(traced) {
        Some(traced) => traced.log(),
        // Its `Traced` was dropped as the trailers were made, under this span, and has logged itself.
        None if in_trailers && !reason.is_empty() => {}
        None => {
            let message = status.map_or("", |status| status.message());
            tracing::error!(code = name, "answered {name} without a cause: {message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::{Error, ErrorReason, refusal};
    use crate::layer::testing::{READ, WATCH, catalog, recorded, request, service, streamed, trailers_of};

    fn layer() -> Layer {
        let clock: Arc<dyn Clock> = Arc::new(crate::kit::clock::SystemClock);
        Layer::new(catalog(), Proxies::default(), Arc::new(Ids::seeded(1)), clock)
    }

    #[tokio::test]
    async fn the_request_id_comes_back_and_the_handler_knows_its_call() {
        let handler = service(|request: Request| {
            let context = request.extensions().get::<RequestContext>().unwrap();
            assert_eq!(context.rpc.unwrap().path, READ);
            assert_eq!(context.request_id.as_str(), "r-1");
            streamed(0, Status::ok(""))
        });
        let mut call = request(READ);
        call.headers_mut().insert(REQUEST_ID, "r-1".parse().unwrap());

        let response = layer().layer(handler).oneshot(call).await.unwrap();

        assert_eq!(response.headers()[REQUEST_ID], "r-1");
    }

    #[tokio::test]
    async fn an_internal_error_is_logged_once_with_cause_and_place_and_the_caller_learns_nothing() {
        let (lines, _guard) = recorded();
        let handler = service(|_| Status::from(Error::internal("the disk is on fire")).into_http());

        let response = layer().layer(handler).oneshot(request(READ)).await.unwrap();

        let log = lines.text();
        assert_eq!(log.matches("the disk is on fire").count(), 1, "{log}");
        assert!(
            log.contains("ERROR") && log.contains("trace.rs:") && log.contains("test.v1.TestService/Read"),
            "{log}"
        );
        assert!(!format!("{:?}", response.headers()).contains("fire"));
    }

    #[tokio::test]
    async fn an_internal_error_in_a_stream_is_logged_once_under_its_call() {
        let (lines, _guard) = recorded();
        let handler = service(|_| streamed(1, Error::internal("the disk is on fire").into()));

        let response = layer().layer(handler).oneshot(request(WATCH)).await.unwrap();
        let status = trailers_of(response).await;

        let log = lines.text();
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(log.matches("ERROR").count(), 1, "{log}");
        assert!(log.contains("the disk is on fire") && log.contains("test.v1.TestService/Watch"), "{log}");
    }

    #[tokio::test]
    async fn an_error_without_a_cause_is_still_an_error_and_a_refusal_is_not() {
        let (lines, _guard) = recorded();
        let unknown = service(|_| Status::unknown("odd").into_http());
        let refused = service(|_| refusal(ErrorReason::EmailTaken, "kim@example.com is taken", None).into_http());

        layer().layer(unknown).oneshot(request(READ)).await.unwrap();
        layer().layer(refused).oneshot(request(READ)).await.unwrap();

        let log = lines.text();
        assert!(log.contains("ERROR") && log.contains("odd"), "{log}");
        assert!(log.contains("DEBUG") && log.contains("EMAIL_TAKEN") && !log.contains("kim@"), "{log}");
    }
}
