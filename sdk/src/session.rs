//! The tokens that a client calls with.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use yeyak_proto::yeyak::member::v1::Tokens;

/// How a client shows who it is.
#[derive(Clone, Default)]
pub(crate) enum Identity {
    #[default]
    Nobody,
    Member(Tokens),
    Service {
        key: String,
        act_as: Option<String>,
    },
}

#[derive(Default)]
pub(crate) struct Session {
    identity: Mutex<Identity>,
    /// Held by the one call that refreshes; the others wait for it and use what it got.
    pub(crate) refreshing: tokio::sync::Mutex<()>,
    /// How many refreshes have failed.
    pub(crate) failures: AtomicU64,
}

impl Session {
    pub(crate) fn of(identity: Identity) -> Self {
        Self { identity: Mutex::new(identity), ..Self::default() }
    }

    pub(crate) fn get(&self) -> Identity {
        self.identity.lock().expect("nothing panics while it is held").clone()
    }

    pub(crate) fn set(&self, identity: Identity) {
        *self.identity.lock().expect("nothing panics while it is held") = identity;
    }

    /// Goes on with the successors of tokens, unless somebody has logged in meanwhile, or out; whether it does.
    pub(crate) fn replace(&self, used: &Tokens, next: Tokens) -> bool {
        let mut identity = self.identity.lock().expect("nothing panics while it is held");
        let is_same = matches!(&*identity, Identity::Member(now) if now.refresh_token == used.refresh_token);
        if is_same {
            *identity = Identity::Member(next);
        }
        is_same
    }
}

/// Whether an access token has expired in so long, by this machine's clock. A clock that is wrong costs a refresh too many or
/// one `UNAUTHENTICATED`, after which the client refreshes.
#[expect(clippy::disallowed_methods, reason = "a client has no clock but its machine's")]
pub(crate) fn expires_within(tokens: &Tokens, soon: Duration) -> bool {
    let Some(expire_time) = tokens.access_expire_time else { return false };
    let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) else { return false };
    let expires = u64::try_from(expire_time.seconds).unwrap_or(0);
    now + soon >= Duration::from_secs(expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guard: a refresh that ends late belongs to the session that it began with.
    #[test]
    fn a_late_refresh_takes_the_place_of_nobody_who_has_logged_in_since() {
        let tokens = |name: &str| Tokens { refresh_token: name.to_owned(), ..Default::default() };
        let session = Session::of(Identity::Member(tokens("mina 1")));
        let held = || match session.get() {
            Identity::Member(tokens) => tokens.refresh_token,
            _ => String::new(),
        };

        assert!(session.replace(&tokens("mina 1"), tokens("mina 2")));
        session.set(Identity::Member(tokens("jun 1")));
        assert!(!session.replace(&tokens("mina 2"), tokens("mina 3")));

        assert_eq!(held(), "jun 1");
    }
}
