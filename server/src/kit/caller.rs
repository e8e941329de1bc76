//! Who calls: proved by the auth layer, asked for by type.

use std::fmt;

use super::id::MemberId;
use crate::error::{Error, ErrorReason, Fault};

crate::typed_id!(
    /// The id of a login.
    SessionId,
    "session"
);
crate::typed_id!(
    /// The id of an API key.
    ApiKeyId,
    "apikey"
);

/// What a member may do besides booking: a set, in which no role includes another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Roles {
    /// Sells stays, shows or items of their own.
    pub seller: bool,
    /// Administers the platform.
    pub admin: bool,
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub enum Caller {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// A signed-in member.
    Member(Member),
    /// An API key, perhaps acting for a member.
    Service {
        /// Which key.
        key: ApiKeyId,
        /// For whom.
        acting_for: Option<Member>,
    },
}

/// A member who calls, or for whom an API key does.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// What else they may do.
    pub roles: Roles,
    /// The login that they call with.
    pub session: Option<SessionId>,
    /// The key that acts for them.
    pub by: Option<ApiKeyId>,
}

/// A member with the role `seller`.
#[derive(Clone, Copy, Debug)]
pub struct Seller {
    /// Who.
    pub id: MemberId,
}

/// A member with the role `admin`.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    /// Who.
    pub id: MemberId,
}

/// Who did something, as audit columns and events have it: `member_…`, `apikey_… for member_…`, `job expiry`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor(pub String);

impl Actor {
    /// A job or worker of ours.
    pub fn job(name: &str) -> Self {
        Self(format!("job {name}"))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Member {
    /// Whether they call as an admin: with the role, and in person.
    pub fn is_admin(&self) -> bool {
        self.roles.admin && self.by.is_none()
    }

    /// Who did it, for the record.
    pub fn actor(&self) -> Actor {
        match self.by {
            Some(key) => Actor(format!("{key} for {}", self.id)),
            None => Actor(self.id.to_string()),
        }
    }
}

impl Seller {
    /// Who did it, for the record.
    pub fn actor(&self) -> Actor {
        Actor(self.id.to_string())
    }
}

impl Admin {
    /// Who did it, for the record.
    pub fn actor(&self) -> Actor {
        Actor(self.id.to_string())
    }
}

impl Caller {
    /// Who sent a request. What the auth layer did not prove is nobody.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    /// The member who calls or is acted for, when there is one.
    pub fn known(&self) -> Option<&Member> {
        match self {
            Self::Member(member) | Self::Service { acting_for: Some(member), .. } => Some(member),
            Self::Anonymous | Self::Service { acting_for: None, .. } => None,
        }
    }

    /// The member who calls, or is acted for.
    pub fn member(self) -> Result<Member, Error> {
        match self {
            Self::Member(member) | Self::Service { acting_for: Some(member), .. } => Ok(member),
            Self::Service { acting_for: None, .. } => Err(Denied { needs: "the header yeyak-act-as" }.into()),
            Self::Anonymous => Err(Unauthenticated::Nobody.into()),
        }
    }

    /// The seller who calls.
    pub fn seller(self) -> Result<Seller, Error> {
        let member = self.member()?;
        if member.roles.seller { Ok(Seller { id: member.id }) } else { Err(Denied { needs: "the role seller" }.into()) }
    }

    /// The admin who calls. An API key never is one.
    pub fn admin(self) -> Result<Admin, Error> {
        let member = self.member()?;
        if member.is_admin() { Ok(Admin { id: member.id }) } else { Err(Denied { needs: "the role admin" }.into()) }
    }
}

/// The caller is not known.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// They say nothing of who they are, or not as a bearer token.
    #[error("log in, and send the access token as `authorization: Bearer …`")]
    Nobody,
    /// What they send as a token is none, or no longer one.
    #[error("the token is not known here, its time is over, or its session or key has ended: get another")]
    Token,
}

impl Fault for Unauthenticated {
    fn reason(&self) -> ErrorReason {
        ErrorReason::Unauthenticated
    }
}

/// The caller is known, and this is not for them.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this needs {needs}")]
pub struct Denied {
    /// What the caller lacks.
    pub needs: &'static str,
}

impl Fault for Denied {
    fn reason(&self) -> ErrorReason {
        ErrorReason::AccessDenied
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("needs", self.needs.to_owned())]
    }
}
