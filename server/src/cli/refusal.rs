//! A refused call, for people and for machines.

use clap::builder::styling::{AnsiColor, Style};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::kit::clock::words;

const BAD: Style = AnsiColor::Red.on_default().bold();
const NAME: Style = AnsiColor::Yellow.on_default();
const HINT: Style = AnsiColor::Cyan.on_default();

/// `INVALID_ARGUMENT`, as the gRPC documents write it.
pub(super) fn code_name(code: Code) -> String {
    let mut name = String::new();
    for (at, letter) in format!("{code:?}").char_indices() {
        if letter.is_uppercase() && at > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Every malformed field, failed condition and exceeded quota: what, and why.
fn particulars(details: &ErrorDetails) -> Vec<(String, String)> {
    let mut all = Vec::new();
    if let Some(bad) = details.bad_request() {
        all.extend(bad.field_violations.iter().map(|one| (one.field.clone(), one.description.clone())));
    }
    if let Some(failure) = details.precondition_failure() {
        all.extend(failure.violations.iter().map(|one| (one.subject.clone(), one.description.clone())));
    }
    if let Some(failure) = details.quota_failure() {
        all.extend(failure.violations.iter().map(|one| (one.subject.clone(), one.description.clone())));
    }
    // Ours are told by the metadata.
    if let Some(resource) = details.resource_info().filter(|_| details.error_info().is_none()) {
        all.push((format!("{} {}", resource.resource_type, resource.resource_name), resource.description.clone()));
    }
    all
}

/// The refusal on a few lines: reason and message, then every particular, then what to do.
pub(super) fn text(status: &Status) -> String {
    let details = status.get_error_details();
    let code = code_name(status.code());
    let title = match details.error_info() {
        Some(info) if info.reason != code => format!("{BAD}{}{BAD:#} ({code})", info.reason),
        _ => format!("{BAD}{code}{BAD:#}"),
    };
    let particulars = particulars(&details);
    let repeats = particulars.len() > 1 && particulars.iter().all(|(_, why)| status.message().contains(why));
    let message = if repeats { "several things are wrong:" } else { status.message() };
    let mut lines = vec![format!("{title}: {message}")];

    let width = particulars.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    // What the message says is not said again.
    for (name, description) in particulars.into_iter().filter(|(_, description)| description != status.message()) {
        lines.push(format!("  {NAME}{name:width$}{NAME:#}  {description}"));
    }
    let said = |value: &str| value.contains(' ') && status.message().contains(value);
    for (key, value) in metadata(&details).filter(|(_, value)| !said(value)) {
        lines.push(format!("  {key} = {value}"));
    }
    if let Some(id) = request_id(status) {
        lines.push(format!("  request id = {id}"));
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        lines.push(format!("{HINT}Try again in {}.{HINT:#}", words(delay)));
    }
    let nameless = details.error_info().is_none_or(|info| info.reason == code);
    if status.code() == Code::Unauthenticated && nameless {
        lines.push(format!("{HINT}Log in with `yeyak login EMAIL`, or give --token or --api-key.{HINT:#}"));
    }
    lines.join("\n")
}

/// The refusal as one JSON object.
pub(super) fn json(status: &Status) -> Value {
    let details = status.get_error_details();
    let violations: Vec<_> = particulars(&details)
        .into_iter()
        .map(|(field, description)| json!({ "field": field, "description": description }))
        .collect();
    let metadata: serde_json::Map<_, _> = metadata(&details).map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({
        "code": code_name(status.code()),
        "reason": details.error_info().map(|info| info.reason.clone()),
        "message": status.message(),
        "violations": violations,
        "metadata": metadata,
        "retry_after_seconds": details.retry_info().and_then(|info| info.retry_delay).map(|delay| delay.as_secs_f64()),
        "request_id": request_id(status),
    })
}

fn metadata(details: &ErrorDetails) -> impl Iterator<Item = (&String, &String)> {
    let mut all: Vec<_> = details.error_info().into_iter().flat_map(|info| &info.metadata).collect();
    all.sort();
    all.into_iter()
}

/// Names the call in the server's log.
fn request_id(status: &Status) -> Option<&str> {
    status.metadata().get("x-request-id").and_then(|id| id.to_str().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refusal_says_each_thing_once() {
        let mut details = ErrorDetails::new();
        let why = [("why".to_owned(), "it is not one of ours".to_owned()), ("id".to_owned(), "x_1".to_owned())];
        details.set_error_info("QUOTE_INVALID", "yeyak.dev", std::collections::HashMap::from(why));
        let message = "the quote is not valid: it is not one of ours; ask for a new one";
        details.add_precondition_failure_violation("QUOTE_INVALID", "", message);
        details.set_retry_info(Some(Duration::from_secs(2)));

        let told = text(&Status::with_error_details(Code::FailedPrecondition, message, details));

        assert_eq!(told.matches("not one of ours").count(), 1, "{told}");
        assert!(told.contains("id = x_1") && told.contains("Try again in 2 s."), "{told}");
    }
}
