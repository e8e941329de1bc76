//! What an answer that is no success means ("Toss Payments core API, error codes").

use std::time::Duration;

use reqwest::StatusCode;

use super::super::Charge;
use super::wire;

/// What one call came to.
#[derive(Debug)]
pub(super) enum Verdict {
    Done(Charge),
    Refused { code: String, message: String },
    Again { after: Option<Duration>, why: String },
    Unknown { why: String },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    /// Did not happen and never will.
    Final,
    /// The same, and someone must mend our side.
    Alert,
    /// Repeat with the same idempotency key.
    Again,
    /// May have happened: look it up.
    LookUp,
}

/// The class of each code, which its HTTP status does not tell: a 400 may be worth repeating.
const CLASSES: &[(Class, &[&str])] = &[
    (
        Class::Again,
        &["PROVIDER_ERROR", "IDEMPOTENT_REQUEST_PROCESSING", "FORBIDDEN_CONSECUTIVE_REQUEST", "TOO_MANY_REQUESTS"],
    ),
    (
        Class::LookUp,
        &[
            // Decided before, by a call whose answer may have been lost.
            "ALREADY_PROCESSED_PAYMENT",
            "ALREADY_CANCELED_PAYMENT",
            // The card company may have done its part.
            "CARD_PROCESSING_ERROR",
            "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
            "FAILED_INTERNAL_SYSTEM_PROCESSING",
            "UNKNOWN_PAYMENT_ERROR",
            "FAILED_REFUND_PROCESS",
            "FAILED_METHOD_HANDLING_CANCEL",
            "FAILED_PARTIAL_REFUND",
            "COMMON_ERROR",
        ],
    ),
    (
        Class::Alert,
        &[
            "INVALID_API_KEY",
            "UNAUTHORIZED_KEY",
            "INCORRECT_BASIC_AUTH_FORMAT",
            "INVALID_IDEMPOTENCY_KEY",
            "NOT_FOUND_TERMINAL_ID",
            "INVALID_UNREGISTERED_SUBMALL",
            "NOT_REGISTERED_BUSINESS",
            "REFUND_REJECTED",
        ],
    ),
    (Class::Final, FINAL),
];

/// Codes that end a try and need nobody: the buyer's card, the buyer's time, or what the buyer's browser sent.
const FINAL: &[&str] = &[
    "ALREADY_REFUND_PAYMENT",
    "BELOW_MINIMUM_AMOUNT",
    "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT",
    "EXCEED_MAX_AMOUNT",
    "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT",
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT",
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT",
    "EXCEED_MAX_PAYMENT_AMOUNT",
    "FORBIDDEN_BANK_REFUND_REQUEST",
    "INVALID_ACCOUNT_INFO_RE_REGISTER",
    "INVALID_AUTHORIZE_AUTH",
    "INVALID_BANK",
    "INVALID_CARD_EXPIRATION",
    "INVALID_CARD_INSTALLMENT_PLAN",
    "INVALID_CARD_LOST_OR_STOLEN",
    "INVALID_CARD_NUMBER",
    "INVALID_REFUND_ACCOUNT_INFO",
    "INVALID_REFUND_ACCOUNT_NUMBER",
    "INVALID_REJECT_CARD",
    "INVALID_REQUEST",
    "INVALID_STOPPED_CARD",
    "NOT_ALLOWED_POINT_USE",
    "NOT_AVAILABLE_PAYMENT",
    "NOT_MATCHES_REFUNDABLE_AMOUNT",
    "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT",
    "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
    "RESTRICTED_TRANSFER_ACCOUNT",
    "UNAPPROVED_ORDER_ID",
    "EXCEED_CANCEL_LIMIT",
    "EXCEED_MAX_AUTH_COUNT",
    "EXCEED_MAX_ONE_DAY_AMOUNT",
    "EXCEED_MAX_REFUND_DUE",
    "FDS_ERROR",
    "FORBIDDEN_REQUEST",
    "INVALID_PASSWORD",
    "NOT_ALLOWED_PARTIAL_REFUND",
    "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT",
    "NOT_AVAILABLE_BANK",
    "NOT_CANCELABLE_AMOUNT",
    "NOT_CANCELABLE_PAYMENT",
    "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER",
    "REJECT_ACCOUNT_PAYMENT",
    "REJECT_CARD_COMPANY",
    "REJECT_CARD_PAYMENT",
    "REJECT_TOSSPAY_INVALID_ACCOUNT",
    "NOT_FOUND",
    "NOT_FOUND_PAYMENT",
    "NOT_FOUND_PAYMENT_SESSION",
];

fn class(status: StatusCode, code: &str) -> Class {
    let known = CLASSES.iter().find(|(_, codes)| codes.contains(&code)).map(|(class, _)| *class);
    match (known, status) {
        (Some(class), _) => class,
        (None, StatusCode::TOO_MANY_REQUESTS) => Class::Again,
        // A code that is new: someone should class it.
        (None, _) if status.is_client_error() => Class::Alert,
        (None, _) => Class::LookUp,
    }
}

/// Reads an answer that is no success: by its code; without one nothing is known, save that 429 did nothing.
pub(super) fn of(status: StatusCode, body: &[u8], after: Option<Duration>) -> Verdict {
    let Some(failure) = wire::failure(body) else {
        let why = format!("{status} without an error code");
        return match status {
            StatusCode::TOO_MANY_REQUESTS => Verdict::Again { after, why },
            _ => Verdict::Unknown { why },
        };
    };
    let wire::Failure { code, message } = failure;
    match class(status, &code) {
        Class::Again => Verdict::Again { after, why: format!("{status} {code}: {message}") },
        Class::LookUp => Verdict::Unknown { why: format!("{status} {code}: {message}") },
        Class::Final => Verdict::Refused { code, message },
        Class::Alert => {
            tracing::error!(code, "the payment provider refused for a cause on our side: {status} {code}: {message}");
            Verdict::Refused { code, message }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Verdict {
        of(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None)
    }

    #[test]
    fn the_code_decides_and_not_the_status() {
        let again = r#"{"code":"PROVIDER_ERROR","message":""}"#;
        let unknown = r#"{"code":"ALREADY_PROCESSED_PAYMENT","message":"","new":1}"#;
        let refused = r#"{"code":"REJECT_CARD_PAYMENT"}"#;

        assert!(matches!(told(400, again), Verdict::Again { .. }));
        assert!(matches!(told(400, unknown), Verdict::Unknown { .. }));
        assert!(matches!(told(403, refused), Verdict::Refused { .. }));
    }

    #[test]
    fn an_unknown_code_is_final_below_500_and_unknown_above() {
        let new = r#"{"code":"BRAND_NEW","message":""}"#;

        assert!(matches!(told(400, new), Verdict::Refused { .. }));
        assert!(matches!(told(429, new), Verdict::Again { .. }));
        assert!(matches!(told(500, new), Verdict::Unknown { .. }));
        assert!(matches!(told(302, new), Verdict::Unknown { .. }));
    }

    #[test]
    fn a_body_that_says_nothing_decides_nothing() {
        assert!(matches!(told(400, "<html>"), Verdict::Unknown { .. }));
        assert!(matches!(told(403, "{}"), Verdict::Unknown { .. }));
        assert!(matches!(told(429, ""), Verdict::Again { .. }));
    }
}
