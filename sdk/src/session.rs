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
