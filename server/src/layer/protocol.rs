//! Closes the gaps between what tonic answers and what the conventions of gRPC ask for.
//!
//! | what comes in | tonic alone | here |
//! |---|---|---|
//! | a content type that is not gRPC's | 200, INTERNAL | HTTP 415, INVALID_ARGUMENT |
//! | a verb other than POST | as if it were POST | HTTP 405, INVALID_ARGUMENT |
//! | a message that can't be read: its bytes, flags or compression | INTERNAL | INVALID_ARGUMENT |
//! | a message or an answer that is too large | OUT_OF_RANGE | RESOURCE_EXHAUSTED |
//! | an unknown RPC, an encoding that is not supported | UNIMPLEMENTED, bare | UNIMPLEMENTED with a reason |
//!
//! What tonic says is known by its lack of details: our own refusals always have some. The refusal of an encoding keeps
//! tonic's `grpc-accept-encoding`, which tells the client what to send instead.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};

use super::body::{Watch, code_in, watched};
use super::call::{Around, Call};
use super::{Answer, Request, RequestContext, Response};
use crate::error::{Error, ErrorReason, refusal};

const ACCEPT_ENCODING: &str = "grpc-accept-encoding";

/// Refuses what is not a call, and puts tonic's own answers right.
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
    type Future = Call<S::Future, Correction>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match not_a_call(&request) {
            Some(refused) => Call::answered(refused),
            None => Call::running(self.inner.call(request), Correction),
        }
    }
}

fn not_a_call(request: &Request) -> Option<Response> {
    if request.method() != Method::POST {
        let status = refusal(ErrorReason::MalformedMessage, "gRPC calls are sent by POST", None);
        let mut response: Response = status.into_http();
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Some(response);
    }
    if !is_grpc(request.headers()) {
        let message = "the content type of a gRPC call is `application/grpc`";
        let mut response: Response = refusal(ErrorReason::MalformedMessage, message, None).into_http();
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Some(response);
    }
    // Before any other layer does work for it.
    let unknown = request.extensions().get::<RequestContext>().is_some_and(|context| context.rpc.is_none());
    unknown.then(|| unknown_method().into_http())
}

/// `application/grpc`, alone or with a subtype or parameters. gRPC-Web is translated to it outside of these layers, so
/// its types are not among them.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let Some((kind, rest)) = kind.split_at_checked("application/grpc".len()) else { return false };
    kind.eq_ignore_ascii_case(b"application/grpc") && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

fn unknown_method() -> Status {
    refusal(ErrorReason::UnknownMethod, "this server has no such RPC", None)
}

/// Puts the answer right on its way out.
#[derive(Debug)]
pub struct Correction;

impl Around for Correction {
    fn answer(self, response: Response) -> Response {
        let Some(code) = code_in(response.headers()) else { return watched(response, self) };
        if code == Code::Ok {
            return response;
        }
        let status = response.extensions().get::<Status>().cloned();
        let status = status.or_else(|| Status::from_header_map(response.headers()));
        match status.and_then(|status| corrected(&status)) {
            Some(status) => status.into_http(),
            None => response,
        }
    }
}

/// What to answer in place of tonic's own status, where headers are all there is: nothing was answered yet, so whatever
/// failed was in the request.
fn corrected(status: &Status) -> Option<Status> {
    if !status.details().is_empty() {
        return None;
    }
    match status.code() {
        Code::Internal | Code::Unknown => {
            let message = format!("the request can't be read: {}", status.message());
            Some(refusal(ErrorReason::MalformedMessage, message, None))
        }
        Code::OutOfRange | Code::ResourceExhausted => Some(too_large(status)),
        Code::Unimplemented => Some(match status.metadata().get(ACCEPT_ENCODING) {
            Some(accepted) => unknown_encoding(accepted),
            None => unknown_method(),
        }),
        _ => None,
    }
}

fn unknown_encoding(accepted: &MetadataValue<Ascii>) -> Status {
    let known = accepted.to_str().unwrap_or("identity");
    let message = format!("this server reads no messages in such an encoding; send one of {known}");
    let mut status = refusal(ErrorReason::UnknownEncoding, message, None);
    status.metadata_mut().insert(ACCEPT_ENCODING, accepted.clone());
    status
}

fn too_large(status: &Status) -> Status {
    refusal(ErrorReason::MessageTooLarge, status.message(), None)
}

impl Watch for Correction {
    /// Behind an answer that had begun, tonic's own status means that the answer could not be written.
    fn trailers(&mut self, trailers: &mut HeaderMap) {
        let has_details = trailers.contains_key(Status::GRPC_STATUS_DETAILS);
        if has_details || code_in(trailers) == Some(Code::Ok) {
            return;
        }
        let Some(status) = Status::from_header_map(trailers) else { return };
        let corrected = match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => too_large(&status),
            Code::Internal | Code::Unknown => Status::from(Error::internal(status)),
            _ => return,
        };
        // It fails for a message that is no header value, which percent-encoding makes of any.
        let _ = corrected.add_header(trailers);
    }
}

#[cfg(test)]
mod tests {
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::reason_of;
    use crate::layer::testing::{READ, named, service, status_of, streamed};

    async fn answer(status: Status) -> Status {
        let handler = service(move |_| status.clone().into_http());
        status_of(Layer.layer(handler).oneshot(named(READ)).await.unwrap()).await
    }

    #[tokio::test]
    async fn what_is_not_a_call_never_reaches_a_handler() {
        let handler = Layer.layer(service(|_| panic!("it was reached")));
        let mut json = named(READ);
        json.headers_mut().insert(CONTENT_TYPE, "application/json".parse().unwrap());
        let mut get = named(READ);
        *get.method_mut() = Method::GET;

        let json = handler.clone().oneshot(json).await.unwrap();
        let get = handler.clone().oneshot(get).await.unwrap();
        let unknown = handler.oneshot(named("/test.v1.TestService/Nothing")).await.unwrap();

        assert_eq!(json.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(reason_of(&status_of(unknown).await), Some(ErrorReason::UnknownMethod));
    }

    #[test]
    fn content_types_of_grpc_and_no_others() {
        let is = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, text.parse().unwrap());
            is_grpc(&headers)
        };

        assert!(is("application/grpc") && is("application/grpc+proto") && is("application/grpc;charset=utf-8"));
        assert!(!is("application/grpc-web") && !is("application/grpcx") && !is("text/plain") && !is(""));
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn bare_answers_are_put_right_and_our_own_are_left_alone() {
        let malformed = answer(Status::internal("invalid wire type")).await;
        let large = answer(Status::out_of_range("message too large")).await;
        let ours = answer(Error::internal("a fault").into()).await;
        let late = answer(refusal(ErrorReason::DeadlinePassed, "late", None)).await;

        assert_eq!(
            (malformed.code(), reason_of(&malformed)),
            (Code::InvalidArgument, Some(ErrorReason::MalformedMessage))
        );
        assert!(malformed.message().ends_with("invalid wire type"));
        assert_eq!((large.code(), reason_of(&large)), (Code::ResourceExhausted, Some(ErrorReason::MessageTooLarge)));
        assert_eq!(ours.code(), Code::Internal);
        assert_eq!(late.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_says_so_in_its_trailers() {
        let handler = Layer.layer(service(|_| streamed(0, Status::out_of_range("encoded message too large"))));

        let status = status_of(handler.oneshot(named(READ)).await.unwrap()).await;

        assert_eq!((status.code(), reason_of(&status)), (Code::ResourceExhausted, Some(ErrorReason::MessageTooLarge)));
    }
}
