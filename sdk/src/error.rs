//! What a failed call gives.

use std::collections::HashMap;
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
    /// A stale etag is ABORTED too, and only reading again helps: it carries no delay.
    pub fn is_retryable(&self) -> bool {
        match self.code {
            Code::Unavailable => true,
            Code::Aborted => self.retry_after.is_some(),
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
        (Code::Unknown, message) if message.contains("h2 protocol error") || message.contains("connection") => {
            Status::unavailable("the connection broke")
        }
        _ => status,
    }
}
