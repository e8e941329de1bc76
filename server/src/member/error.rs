//! What members are refused.

use std::time::Duration;

use super::application::{SellerApplicationId, State as ApplicationState};
use crate::error::{ErrorReason, Fault};
use crate::kit::caller::SessionId;
use crate::kit::id::MemberId;

/// Why something about a member, a login or a role was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MemberError {
    /// The address has an account with another password.
    #[error("this e-mail address has an account; log in, or use another address")]
    EmailTaken,
    /// No account has this address and password.
    #[error("the e-mail address and the password do not belong together")]
    WrongCredentials,
    /// The old password is another.
    #[error("the old password is not the one of this account")]
    WrongPassword,
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
    /// The member sells, or waits for a decision.
    #[error("the member is a seller, or has an open application to be one")]
    AlreadySeller,
    /// Someone decided before.
    #[error("application {id} was decided already: it is {}", state.name())]
    ApplicationDecided {
        /// Which.
        id: SellerApplicationId,
        /// How.
        state: ApplicationState,
    },
    /// Nobody would be left to grant roles.
    #[error("{0} is the last admin; make another member an admin first")]
    LastAdmin(MemberId),
    /// An API key that is not good for what it calls.
    #[error("this API key may not call {method}; it needs the scope {scope}")]
    MissingScope {
        /// What was called.
        method: String,
        /// What the key lacks.
        scope: String,
    },
}

impl Fault for MemberError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::EmailTaken => ErrorReason::EmailTaken,
            Self::WrongCredentials => ErrorReason::WrongCredentials,
            Self::WrongPassword => ErrorReason::WrongPassword,
            Self::LoginThrottled { .. } => ErrorReason::LoginThrottled,
            Self::RefreshTokenInvalid => ErrorReason::RefreshTokenInvalid,
            Self::RefreshTokenReused(_) => ErrorReason::RefreshTokenReused,
            Self::AlreadySeller => ErrorReason::AlreadySeller,
            Self::ApplicationDecided { .. } => ErrorReason::ApplicationDecided,
            Self::LastAdmin(_) => ErrorReason::LastAdmin,
            Self::MissingScope { .. } => ErrorReason::AccessDenied,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::EmailTaken => vec![("field", "email".to_owned())],
            Self::RefreshTokenReused(session) => vec![("session_id", session.to_string())],
            Self::ApplicationDecided { id, state } => {
                vec![("application_id", id.to_string()), ("state", state.name().to_owned())]
            }
            Self::LastAdmin(member) => vec![("member_id", member.to_string())],
            Self::MissingScope { method, scope } => {
                vec![("method", method.clone()), ("needs", format!("the scope {scope}"))]
            }
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
