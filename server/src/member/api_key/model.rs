//! What an API key is, and what it may call.

use std::fmt;
use std::str::FromStr;

use yeyak_proto::yeyak::common::v1::Access;
use yeyak_proto::{METHODS, Method};

use crate::kit::caller::ApiKeyId;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;

const ACT_AS: &str = "act_as";

/// What a service calls with, without its secret.
#[derive(Clone, Debug)]
pub(super) struct ApiKey {
    pub(super) id: ApiKeyId,
    pub(super) name: String,
    pub(super) scopes: Scopes,
    pub(super) hint: String,
    pub(super) created_by: MemberId,
    pub(super) revoked_by: Option<MemberId>,
    pub(super) create_time: Time,
    pub(super) expire_time: Option<Time>,
    pub(super) last_use_time: Option<Time>,
    pub(super) revoke_time: Option<Time>,
}

impl ApiKey {
    pub(super) fn is_live(&self, now: Time) -> bool {
        self.revoke_time.is_none() && self.expire_time.is_none_or(|expire_time| now < expire_time)
    }
}

/// One thing that a key may do: `package.Service/Method`, `package.Service/*` or `act_as`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Scope(String);

/// A string that names nothing a key could do.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum NotAScope {
    #[error("must be package.Service/Method, package.Service/* or act_as")]
    Malformed,
    #[error("must name an RPC of this server; there is no {0}")]
    Unknown(String),
    #[error("must name what API keys may call, and {0} is not for them")]
    Closed(String),
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        if text == ACT_AS {
            return Ok(Self(text.to_owned()));
        }
        // Longer than any name of ours, and short enough to be told back.
        let (service, name) = text.split_once('/').filter(|_| text.len() <= 200).ok_or(NotAScope::Malformed)?;
        let mut named = METHODS.iter().filter(|method| covers(service, name, method)).peekable();
        if named.peek().is_none() {
            return Err(NotAScope::Unknown(text.to_owned()));
        }
        match named.any(|method| method.access.contains(&Access::Service)) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAScope::Closed(text.to_owned())),
        }
    }
}

fn covers(service: &str, name: &str, method: &Method) -> bool {
    service == method.service && (name == "*" || name == method.name)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key may do.
#[derive(Clone, Debug)]
pub(super) struct Scopes(Vec<Scope>);

impl Scopes {
    /// In order, and none twice.
    pub(super) fn new(mut scopes: Vec<Scope>) -> Self {
        scopes.sort();
        scopes.dedup();
        Self(scopes)
    }

    /// Those that were checked when the key was made; one that names nothing any more allows nothing.
    pub(super) fn stored(text: &str) -> Self {
        Self(text.split_whitespace().map(|scope| Scope(scope.to_owned())).collect())
    }

    /// As they are stored: names have no spaces.
    pub(super) fn text(&self) -> String {
        self.names().join(" ")
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(Scope::to_string).collect()
    }

    /// Whether a key with these may call the RPC. What is open to everyone needs no scope.
    pub(super) fn allow(&self, method: &Method) -> bool {
        method.access.contains(&Access::Public)
            || self
                .0
                .iter()
                .filter_map(|scope| scope.0.split_once('/'))
                .any(|(service, name)| covers(service, name, method))
    }

    /// Whether a key with these may act for members; else the scope that it lacks.
    pub(super) fn allow_acting(&self) -> Result<(), &'static str> {
        if self.0.iter().any(|scope| scope.0 == ACT_AS) { Ok(()) } else { Err(ACT_AS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(path: &str) -> &'static Method {
        METHODS.iter().find(|method| method.to_string() == path).expect("an RPC")
    }

    #[test]
    fn a_scope_names_what_keys_may_call() {
        for good in ["act_as", "yeyak.member.v1.MemberService/GetMember", "yeyak.member.v1.MemberService/*"] {
            assert!(good.parse::<Scope>().is_ok(), "{good}");
        }
        let long = format!("yeyak/{}", "x".repeat(200));
        for bad in ["", "*", "act_as ", "yeyak.member.v1.MemberService", &long] {
            assert!(matches!(bad.parse::<Scope>(), Err(NotAScope::Malformed)), "{bad}");
        }
        for unknown in ["*/*", "yeyak.member.v1.*/GetMember", "yeyak.member.v1.MemberService/Get"] {
            assert!(matches!(unknown.parse::<Scope>(), Err(NotAScope::Unknown(_))), "{unknown}");
        }
        for closed in ["yeyak.member.v1.RoleService/*", "yeyak.member.v1.MemberService/ChangePassword"] {
            assert!(matches!(closed.parse::<Scope>(), Err(NotAScope::Closed(_))), "{closed}");
        }
    }

    #[test]
    fn a_key_may_do_what_its_scopes_cover() {
        let one = Scopes::stored("act_as yeyak.member.v1.MemberService/GetMember");
        let all = Scopes::stored("yeyak.member.v1.MemberService/*");
        let (get, update) =
            (method("yeyak.member.v1.MemberService/GetMember"), method("yeyak.member.v1.MemberService/UpdateMember"));

        assert_eq!((one.allow(get), one.allow(update)), (true, false));
        assert_eq!((all.allow(get), all.allow(update)), (true, true));
        assert!(!all.allow(method("yeyak.booking.v1.BookingService/GetBooking")));
        assert_eq!((one.allow_acting(), all.allow_acting()), (Ok(()), Err("act_as")));
    }
}
