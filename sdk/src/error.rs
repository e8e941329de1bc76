//! What a failed call gives.

use std::collections::HashMap;
use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;
use yeyak_proto::ERROR_DOMAIN;
use yeyak_proto::yeyak::common::v1::ErrorReason;

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", self.label())]
#[non_exhaustive]
pub struct Error {
    /// The status code.
    pub code: Code,
    /// The documented reason; `Unspecified` when the error did not come from Yeyak.
    pub reason: ErrorReason,
    /// What happened and what to do, in English.
    pub message: String,
    /// Everything dynamic in the message, under the keys that the reason documents.
    pub metadata: HashMap<String, String>,
    /// Every malformed field, for `InvalidFields`.
    pub violations: Vec<Violation>,
    /// When waiting helps: how long.
    pub retry_after: Option<Duration>,
    /// The status as it came.
    #[source]
    pub status: Box<Status>,
}

/// One malformed field.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// Its path in the request, such as `guests[2].name`.
    pub field: String,
    /// What it must be.
    pub description: String,
}

impl Error {
    /// Whether the same call may succeed when it is repeated under the same `request_id`.
    ///
    /// A stale etag is ABORTED too, and only reading again helps: it carries no delay. Of what is exhausted, the rate of calls
    /// comes back by itself.
    pub fn is_retryable(&self) -> bool {
        match self.code {
            Code::Unavailable => true,
            Code::Aborted => self.retry_after.is_some(),
            Code::ResourceExhausted => self.reason == ErrorReason::RateLimited && self.retry_after.is_some(),
            _ => false,
        }
    }

    fn label(&self) -> &str {
        match self.reason {
            ErrorReason::Unspecified => self.code.description(),
            reason => reason.as_str_name(),
        }
    }

    pub(crate) fn deadline() -> Self {
        Status::deadline_exceeded("the deadline passed; a change may have happened, and its request_id tells").into()
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let status = restored(status);
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == ERROR_DOMAIN);
        let reason = info.and_then(|info| ErrorReason::from_str_name(&info.reason)).unwrap_or_default();
        let violations = details.bad_request().map(|bad| &*bad.field_violations).unwrap_or_default();
        Self {
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
            violations: violations
                .iter()
                .map(|violation| Violation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            status: Box::new(status),
        }
    }
}

/// tonic reports its own deadline as CANCELLED and a broken connection as UNKNOWN; both have codes of their own.
fn restored(status: Status) -> Status {
    match (status.code(), status.message()) {
        (Code::Cancelled, "Timeout expired") => Status::deadline_exceeded("the deadline passed"),
        (Code::Unknown, "transport error") => Status::unavailable("the connection broke"),
        // Hyper's word for a call whose connection ended before the call was sent.
        (Code::Cancelled, message) if message.contains("operation was canceled") => {
            Status::unavailable("the connection broke")
        }
        _ if is_cut_off(&status) => Status::unavailable("the server is closing the connection"),
        // What tonic says of it depends on whether the program is a server too.
        (Code::Unknown, message) if is_fault(&status) => Status::internal(message),
        (Code::Unknown, message) if message.contains("h2 protocol error") || message.contains("connection") => {
            Status::unavailable("the connection broke")
        }
        _ => status,
    }
}

fn h2_errors(status: &Status) -> impl Iterator<Item = &h2::Error> {
    std::iter::successors(status.source(), |error| (**error).source()).filter_map(|error| error.downcast_ref())
}

/// Whether a call ended with its connection: the server said that it goes away (GOAWAY), or broke off. tonic reads the reason
/// that came with it, and says INTERNAL to a server that closes for no fault.
fn is_cut_off(status: &Status) -> bool {
    h2_errors(status).any(|error| error.is_io() || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR))
}

/// Whether one side did not keep to the protocol: the same call would fare no better.
fn is_fault(status: &Status) -> bool {
    use h2::Reason;

    let faults =
        [Reason::PROTOCOL_ERROR, Reason::INTERNAL_ERROR, Reason::FLOW_CONTROL_ERROR, Reason::COMPRESSION_ERROR];
    h2_errors(status).any(|error| error.reason().is_some_and(|reason| faults.contains(&reason)))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use http::{Request, Response};
    use tokio::io::duplex;
    use tokio::sync::oneshot;

    use super::*;

    /// Guard: `is_cut_off`.
    #[tokio::test]
    async fn a_call_cut_off_by_a_server_that_goes_away_is_unavailable() {
        let (near, far) = duplex(16_384);
        let (gone, told) = oneshot::channel();
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(far).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            let _body = respond.send_response(Response::new(()), false).unwrap();
            connection.abrupt_shutdown(h2::Reason::NO_ERROR);
            drop(connection.accept().await);
            gone.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        let (mut client, connection) = h2::client::handshake(near).await.unwrap();
        let mut connection = pin!(connection);
        let (first, _) = client.send_request(Request::new(()), true).unwrap();
        tokio::select! { biased; _ = first => {} _ = &mut connection => {} }
        told.await.unwrap();

        let refused = client.send_request(Request::new(()), true).unwrap_err();

        let error = Error::from(Status::from_error(Box::new(refused)));
        let told = (error.code, error.message.as_str());
        assert_eq!(told, (Code::Unavailable, "the server is closing the connection"));
    }

    #[test]
    fn a_fault_of_the_protocol_is_told_as_it_is() {
        let error = Error::from(Status::from_error(Box::new(h2::Error::from(h2::Reason::PROTOCOL_ERROR))));
        assert_eq!(error.code, Code::Internal, "{error:?}");
    }
}
