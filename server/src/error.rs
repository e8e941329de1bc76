//! The one way from a refusal to an answer: domain error → [`ErrorReason`] → code → `Status` with `google.rpc` details.
//!
//! The reason is the identity of an error; its code is a function of the reason; nothing else makes a `Status`.

mod answer;
mod database;
mod queue;

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;
pub use yeyak_proto::yeyak::common::v1::ErrorReason;

use self::answer::status;
pub use self::answer::{NAMED, listed};

/// What a domain error must say about itself to reach a caller.
pub trait Fault: std::error::Error + Any + Send + Sync {
    /// Which of the documented reasons it is.
    fn reason(&self) -> ErrorReason;

    /// Everything dynamic in its message, under the keys that the reason documents.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// When waiting helps: how long.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Every malformed field by its proto path, for `INVALID_FIELDS`.
    fn violations(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// An error on its way to the caller.
#[derive(Clone)]
pub struct Error {
    cause: Arc<Cause>,
}

struct Cause {
    kind: Kind,
    location: &'static Location<'static>,
}

enum Kind {
    /// Refused, for a documented reason.
    Fault(Box<dyn Fault>),
    /// A fact that the decision rested on has changed: run the operation again from its load.
    Lost(String),
    /// The database asks to run the transaction again.
    Contention(Box<dyn std::error::Error + Send + Sync>),
    /// The database can't be reached, and what was asked of it left no effect.
    Unreached(Box<dyn std::error::Error + Send + Sync>),
    /// Ours to mend; the caller learns nothing of it.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A write found that what it was decided on has changed since.
    #[track_caller]
    pub fn lost(what: impl fmt::Display) -> Self {
        Self::of(Kind::Lost(what.to_string()))
    }

    /// A fault of ours, which the caller is told nothing about.
    #[track_caller]
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::Internal(source.into()))
    }

    #[track_caller]
    pub(crate) fn contention(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::Contention(source.into()))
    }

    #[track_caller]
    pub(crate) fn unreached(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Kind::Unreached(source.into()))
    }

    #[track_caller]
    fn of(kind: Kind) -> Self {
        Self { cause: Arc::new(Cause { kind, location: Location::caller() }) }
    }

    /// Another error in place of one that tells that something is not there; any other stays what it is.
    pub fn hidden(self, other: impl FnOnce() -> Self) -> Self {
        if self.fault::<NotFound>().is_some() { other() } else { self }
    }

    /// Whether the operation should run again from its load.
    pub fn is_lost(&self) -> bool {
        matches!(self.cause.kind, Kind::Lost(_))
    }

    /// Whether the same transaction may succeed when run again.
    pub(crate) fn is_repeatable(&self) -> bool {
        matches!(self.cause.kind, Kind::Contention(_) | Kind::Unreached(_))
    }

    /// Whether the database could not be reached.
    pub(crate) fn is_unreached(&self) -> bool {
        matches!(self.cause.kind, Kind::Unreached(_))
    }

    /// Which documented reason the caller is given.
    pub fn reason(&self) -> ErrorReason {
        match &self.cause.kind {
            Kind::Fault(fault) => fault.reason(),
            Kind::Lost(_) | Kind::Contention(_) => ErrorReason::Contention,
            Kind::Unreached(_) => ErrorReason::DependencyUnavailable,
            Kind::Internal(_) => ErrorReason::Internal,
        }
    }

    /// The refusal itself, when it is of the type asked for.
    pub fn fault<F: Fault>(&self) -> Option<&F> {
        match &self.cause.kind {
            Kind::Fault(fault) => {
                let fault: &dyn Any = &**fault;
                fault.downcast_ref()
            }
            _ => None,
        }
    }

    /// Where the error came up.
    pub fn location(&self) -> &'static Location<'static> {
        self.cause.location
    }
}

impl<F: Fault> From<F> for Error {
    #[track_caller]
    fn from(fault: F) -> Self {
        Self::of(Kind::Fault(Box::new(fault)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause.kind {
            Kind::Fault(fault) => fault.fmt(f),
            Kind::Lost(what) => write!(f, "{what} was changed by another call at the same moment"),
            Kind::Contention(source) => write!(f, "the database asked to try again: {source}"),
            Kind::Unreached(source) => write!(f, "the database can't be reached: {source}"),
            Kind::Internal(source) => {
                write!(f, "{source}")?;
                let mut source = source.source();
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self} (at {})", self.reason().as_str_name(), self.location())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let reason = error.reason();
        let (message, metadata, retry_after, violations) = match &error.cause.kind {
            Kind::Fault(fault) => (fault.to_string(), fault.metadata(), fault.retry_after(), fault.violations()),
            Kind::Lost(_) | Kind::Contention(_) => (
                "other calls changed the same rows; try again".to_owned(),
                Vec::new(),
                Some(CONTENTION_DELAY),
                Vec::new(),
            ),
            Kind::Unreached(_) => {
                let told = Unavailable { what: "the database" };
                (told.to_string(), Vec::new(), told.retry_after(), Vec::new())
            }
            Kind::Internal(_) => ("internal error".to_owned(), Vec::new(), None, Vec::new()),
        };
        let mut status = status(reason, message, &metadata, retry_after, violations);
        status.set_source(Arc::new(Traced { error, logged: AtomicBool::new(false) }));
        status
    }
}

/// Carries an [`Error`] inside a `Status` to the trace layer, which logs it with its source and place.
///
/// An INTERNAL error is logged once, whatever becomes of its `Status`: one that never reaches the trace layer, since it ends
/// a stream or its caller has gone, is logged when it is dropped.
#[derive(Debug)]
pub struct Traced {
    error: Error,
    logged: AtomicBool,
}

impl Traced {
    /// Logs the error, if it is ours to mend and was not logged before.
    pub fn log(&self) {
        if self.error.reason() == ErrorReason::Internal && !self.logged.swap(true, Ordering::Relaxed) {
            let Self { error, .. } = self;
            tracing::error!(location = %error.location(), "internal error: {error}");
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.log();
    }
}

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Traced {}

/// Which documented reason a status gives, if any.
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let source = std::error::Error::source(status);
    if let Some(traced) = source.and_then(|source| source.downcast_ref::<Traced>()) {
        return Some(traced.error.reason());
    }
    ErrorReason::from_str_name(&status.get_details_error_info()?.reason)
}

const CONTENTION_DELAY: Duration = Duration::from_millis(50);

/// A refusal by the layers, which have a reason and a sentence and nothing else to say.
pub fn refusal(reason: ErrorReason, message: impl Into<String>, retry_after: Option<Duration>) -> Status {
    status(reason, message.into(), &[], retry_after, Vec::new())
}

/// The status code of each reason: the same table as the comments of `error_reason.proto`, which a test compares.
pub const fn code(reason: ErrorReason) -> Code {
    use ErrorReason as R;
    match reason {
        R::Unspecified | R::Internal => Code::Internal,
        R::InvalidFields | R::RequestIdReused | R::PageTokenInvalid | R::MalformedMessage => Code::InvalidArgument,
        R::Unauthenticated => Code::Unauthenticated,
        R::AccessDenied => Code::PermissionDenied,
        R::NotFound => Code::NotFound,
        R::EtagMismatch | R::Contention => Code::Aborted,
        R::RateLimited | R::MessageTooLarge => Code::ResourceExhausted,
        R::Overloaded | R::DependencyUnavailable | R::ShuttingDown => Code::Unavailable,
        R::DeadlinePassed => Code::DeadlineExceeded,
        R::UnknownMethod | R::UnknownEncoding => Code::Unimplemented,
        // member
        R::WrongCredentials | R::RefreshTokenInvalid | R::RefreshTokenReused => Code::Unauthenticated,
        R::WrongPassword => Code::PermissionDenied,
        R::EmailTaken => Code::AlreadyExists,
        R::LoginThrottled => Code::ResourceExhausted,
        R::AlreadySeller | R::ApplicationDecided | R::LastAdmin => Code::FailedPrecondition,
        // stay
        R::CurrencyMismatch => Code::InvalidArgument,
        R::CatalogueLimitReached => Code::ResourceExhausted,
        R::StayRefused | R::ListingIncomplete | R::RoomsSold => Code::FailedPrecondition,
        // inventory
        R::NightsTaken => Code::FailedPrecondition,
        // coupon
        R::CouponAlreadyYours => Code::AlreadyExists,
        R::CouponSoldOut | R::CouponLimitReached | R::CouponPolicyLimitReached | R::CouponBudgetSpent => {
            Code::ResourceExhausted
        }
        R::CouponGateClosed => Code::Unavailable,
        R::CouponNotStarted | R::CouponPolicyEnded | R::CouponPolicyPaused | R::CouponWrongIssuing => {
            Code::FailedPrecondition
        }
        R::CouponTotalTooSmall | R::CouponBudgetTooSmall => Code::FailedPrecondition,
        R::CouponCodeInvalid | R::CouponNotAvailable => Code::FailedPrecondition,
        R::CouponNotGiftable | R::CouponNotApplicable => Code::FailedPrecondition,
        // point
        R::PointGiftLimitReached => Code::ResourceExhausted,
        R::PointsNotEnough | R::PointsNotUsable | R::PointGiftRefused => Code::FailedPrecondition,
        R::PointSpendingClosed | R::PointSpendingTooSmall => Code::FailedPrecondition,
        // payment
        R::TooManyAttempts => Code::ResourceExhausted,
        R::PaymentNotReady | R::RefundTooLarge | R::PaymentDecided => Code::FailedPrecondition,
        // booking
        R::TooManyHolds => Code::ResourceExhausted,
        R::QuoteInvalid | R::QuoteExpired | R::PriceChanged => Code::FailedPrecondition,
        R::BookingExpired | R::ActionBlocked => Code::FailedPrecondition,
    }
}

/// There is no such resource, or it is not the caller's: the two are told apart to nobody.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no {kind} {id}")]
pub struct NotFound {
    /// What was looked for: `booking`, `property`.
    pub kind: &'static str,
    /// Its id, as it was given.
    pub id: String,
}

impl NotFound {
    /// No resource of this kind has the id, for this caller.
    pub fn new(kind: &'static str, id: impl fmt::Display) -> Self {
        Self { kind, id: id.to_string() }
    }
}

impl Fault for NotFound {
    fn reason(&self) -> ErrorReason {
        ErrorReason::NotFound
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("resource_type", self.kind.to_owned()), ("resource_id", self.id.clone())]
    }
}

/// The resource has another etag than the one that an update names.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{id} was changed since it was read; read it again")]
pub struct EtagMismatch {
    /// Which resource.
    pub id: String,
}

impl Fault for EtagMismatch {
    fn reason(&self) -> ErrorReason {
        ErrorReason::EtagMismatch
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("resource_id", self.id.clone())]
    }
}

/// Something that the server needs did not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} can't be reached; try again")]
pub struct Unavailable {
    /// `the database`, `the payment provider`.
    pub what: &'static str,
}

impl Fault for Unavailable {
    fn reason(&self) -> ErrorReason {
        ErrorReason::DependencyUnavailable
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }
}
