//! What members are refused.

use std::time::Duration;

use crate::error::{ErrorReason, Fault};
use crate::kit::caller::SessionId;

/// Why something about a member, a login or a role was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MemberError {
    /// The address has an account with another password.
    #[error("this e-mail address has an account; log in, or use another address")]
    EmailTaken,
    /// No account has this address and password.
    #[error("the e-mail address and the password do not belong together")]
    WrongCredentials,
    /// Too many failures.
    #[error("too many failed attempts to log in; try again in {} seconds", wait.as_secs().max(1))]
    LoginThrottled {
        /// When the next attempt is taken.
        wait: Duration,
    },
    /// The refresh token is not good.
    #[error("the refresh token is unknown, expired or revoked; log in again")]
    RefreshTokenInvalid,
    /// The refresh token was used long before.
    #[error("the refresh token was used before, so session {0} has been ended; log in again")]
    RefreshTokenReused(SessionId),
}

impl Fault for MemberError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::EmailTaken => ErrorReason::EmailTaken,
            Self::WrongCredentials => ErrorReason::WrongCredentials,
            Self::LoginThrottled { .. } => ErrorReason::LoginThrottled,
            Self::RefreshTokenInvalid => ErrorReason::RefreshTokenInvalid,
            Self::RefreshTokenReused(_) => ErrorReason::RefreshTokenReused,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::EmailTaken => vec![("field", "email".to_owned())],
            Self::RefreshTokenReused(session) => vec![("session_id", session.to_string())],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::LoginThrottled { wait } => Some(*wait),
            _ => None,
        }
    }
}
