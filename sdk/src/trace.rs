//! The trace that a call belongs to, as W3C Trace Context writes it.

use std::num::{NonZeroU64, NonZeroU128};

use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};

use crate::error::Error;

pub(crate) const HEADER: &str = "traceparent";

/// A trace of its own, which is to be recorded.
pub(crate) fn fresh() -> MetadataValue<Ascii> {
    let trace: NonZeroU128 = rand::random();
    let parent: NonZeroU64 = rand::random();
    let text = format!("00-{trace:032x}-{parent:016x}-01");
    MetadataValue::try_from(text).expect("hexadecimal digits and hyphens make a header")
}

/// The trace that a caller is in.
pub(crate) fn given(traceparent: &str) -> Result<MetadataValue<Ascii>, Error> {
    let value = MetadataValue::try_from(traceparent).ok().filter(|_| is_valid(traceparent));
    let refused = || Status::invalid_argument(format!("{traceparent:?} is not a traceparent of W3C Trace Context"));
    value.ok_or_else(|| refused().into())
}

/// Whether a server goes on with it: it starts another trace for what it can't read, and tells nobody.
fn is_valid(traceparent: &str) -> bool {
    let fields: Vec<_> = traceparent.split('-').collect();
    let ["00", trace, parent, flags] = fields[..] else { return false };
    let lengths = [trace.len(), parent.len(), flags.len()] == [32, 16, 2];
    let lower_hex = |field: &str| field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |id: &str| id.bytes().all(|byte| byte == b'0');
    lengths && [trace, parent, flags].into_iter().all(lower_hex) && !is_zero(trace) && !is_zero(parent)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tonic::body::Body;
    use tower::util::BoxCloneSyncService;

    use super::*;
    use crate::client::Client;
    use crate::proto::member::v1::RevokeApiKeyRequest;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// A client whose every try is in vain, and the traces of its tries.
    fn client() -> (Client, Arc<Mutex<Vec<String>>>) {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = seen.clone();
        let server = BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
            let trace = request.headers().get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
            noted.lock().expect("free").push(trace.to_owned());
            let answer = Status::unavailable("the connection broke").into_http::<Body>();
            async { Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer) }
        }));
        (Client::embedded(server), seen)
    }

    async fn traces(client: &Client, seen: &Mutex<Vec<String>>) -> Vec<String> {
        client.api_keys().revoke_api_key(RevokeApiKeyRequest::default()).await.expect_err("no answer");
        std::mem::take(&mut *seen.lock().expect("free"))
    }

    /// Guard: the trace is made once for a call, outside the loop of its tries.
    #[tokio::test]
    async fn all_tries_of_a_call_are_one_trace_and_the_next_call_is_another() {
        let (client, seen) = client();

        let first = traces(&client, &seen).await;
        let second = traces(&client, &seen).await;

        assert_eq!(first.len(), 4);
        assert!(is_valid(&first[0]) && first.iter().all(|trace| *trace == first[0]), "{first:?}");
        assert!(is_valid(&second[0]) && second[0] != first[0], "{second:?}");
    }

    /// Guard: what a client was told of its caller's trace, which other callers over its connections keep.
    #[tokio::test]
    async fn calls_go_on_in_the_trace_of_their_caller() {
        let (client, seen) = client();
        let traced = client.in_trace(TRACE).expect("a trace");

        assert!(traces(&traced, &seen).await.iter().all(|trace| trace == TRACE));
        assert_eq!(traces(&traced.with_api_key("key"), &seen).await, [TRACE]);
        assert_ne!(traces(&client, &seen).await, [TRACE], "the client itself is in none");
    }

    #[test]
    fn what_no_server_would_go_on_with_is_refused() {
        assert!(given(TRACE).is_ok());
        for bad in [
            String::new(),
            TRACE.to_uppercase(),
            format!("{TRACE}-more"),
            TRACE.replacen("00-", "01-", 1),
            TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            TRACE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            TRACE.replace("00f067aa0ba902b7", "f067aa0ba902b7"),
        ] {
            assert!(given(&bad).is_err(), "{bad:?}");
        }
    }
}
