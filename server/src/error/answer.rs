//! What of an error goes into an answer, which is all headers: a client takes no more than so much.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use yeyak_proto::ERROR_DOMAIN;

use super::{ErrorReason, code};

/// The most of a message, in bytes. An answer without a body is all headers, of which a client may take no more than 8 KiB
/// (gRPC core's soft limit), and sees a broken stream where there are more.
const MESSAGE: usize = 800;
/// The most of one value of the metadata, or of all violations together, in bytes.
const DETAIL: usize = 1500;
/// The most of a text that is in the message already, in bytes.
const REPEATED: usize = 200;
/// How many things of a kind are told one by one.
const LISTED: usize = 10;
/// How many things of a kind the metadata names.
pub const NAMED: usize = 31;

/// Things told one by one, or the first of them and how many more there are.
pub fn listed(all: &[impl fmt::Display], separator: &str) -> String {
    let told: Vec<_> = all.iter().take(LISTED).map(ToString::to_string).collect();
    let told = told.join(separator);
    match all.len().saturating_sub(LISTED) {
        0 => told,
        more => format!("{told}{separator}and {more} more"),
    }
}

/// A text, or as much of it as there is room for.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

pub(super) fn status(
    reason: ErrorReason,
    message: String,
    metadata: &[(&'static str, String)],
    retry_after: Option<Duration>,
    violations: Vec<(String, String)>,
) -> Status {
    let message = cut(message, MESSAGE);
    let in_short = || cut(message.clone(), REPEATED);
    let pairs: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), cut(value.clone(), DETAIL))).collect();
    let mut details = ErrorDetails::new();
    details.set_error_info(reason.as_str_name(), ERROR_DOMAIN, pairs);
    let mut room = DETAIL;
    for (field, description) in violations {
        let (field, description) = (cut(field, REPEATED), cut(description, REPEATED));
        let Some(left) = room.checked_sub(field.len() + description.len()) else { break };
        room = left;
        details.add_bad_request_violation(field, description);
    }
    if retry_after.is_some() {
        details.set_retry_info(retry_after);
    }
    let subject = metadata.first().map(|(_, value)| cut(value.clone(), REPEATED)).unwrap_or_default();
    match code(reason) {
        Code::NotFound | Code::AlreadyExists => {
            let resource = metadata.first().map(|(key, value)| (key.trim_end_matches("_id"), value.as_str()));
            let (kind, name) = match metadata {
                [("resource_type", kind), ("resource_id", id), ..] => (kind.as_str(), id.as_str()),
                _ => resource.unwrap_or_default(),
            };
            details.set_resource_info(cut(kind.to_owned(), REPEATED), cut(name.to_owned(), REPEATED), "", in_short());
        }
        Code::FailedPrecondition => {
            details.add_precondition_failure_violation(reason.as_str_name(), subject, in_short());
        }
        Code::ResourceExhausted => {
            details.add_quota_failure_violation(subject, in_short());
        }
        _ => {}
    }
    Status::with_error_details(code(reason), message, details)
}
