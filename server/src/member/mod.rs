//! Members: who they are, how they log in, and what they may do.
//!
//! Promises:
//! - an e-mail address belongs to one member;
//! - a role is never taken from a request: an admin grants it, and the grant is on record;
//! - what a login says and how long it takes never tells whether an address has an account;
//! - a refresh token works once, and used later again it ends its session;
//! - an ended session, a changed password and a withdrawn role count at once here, and within two seconds elsewhere.

mod api_key;
mod application;
mod authenticate;
mod change_password;
mod convert;
pub mod directory;
mod entity;
mod error;
mod liveness;
mod log_in;
mod model;
mod password;
mod read;
mod recent;
mod role;
mod rpc;
mod session;
mod sign_up;
mod store;
mod throttle;
mod tidy;
mod token;
mod update;

use std::sync::Arc;

use self::api_key::KnownKeys;
pub use self::application::{SellerApplicationId, State as SellerApplicationState};
pub use self::error::MemberError;
use self::liveness::Liveness;
pub use self::model::{Email, Profile};
use self::password::Passwords;
use self::throttle::Throttle;
pub use self::tidy::TidyLogins;
pub use self::token::TokenSettings;
use self::token::Tokens;
use crate::kit::Kit;

/// The members of this installation.
#[derive(Clone, Debug)]
pub struct Members {
    kit: Kit,
    passwords: Passwords,
    tokens: Arc<Tokens>,
    liveness: Liveness,
    keys: KnownKeys,
    throttle: Arc<Throttle>,
}

/// What can be set.
#[derive(Clone, Debug)]
pub struct MemberSettings {
    /// How long tokens live, and who signs them.
    pub tokens: TokenSettings,
    /// Failed attempts to log in before an address or an account must wait.
    pub failed_logins: u32,
    /// The cost of a password hash; tests take the least.
    pub hash_memory_kib: u32,
}

impl Members {
    /// Members kept in the kit's database.
    pub fn new(kit: Kit, settings: &MemberSettings) -> Self {
        Self {
            passwords: Passwords::new(settings.hash_memory_kib),
            tokens: Arc::new(Tokens::new(kit.clone(), settings.tokens.clone())),
            liveness: Liveness::new(kit.clone()),
            keys: KnownKeys::new(kit.clone()),
            throttle: Arc::new(Throttle::new(kit.clock.clone(), settings.failed_logins)),
            kit,
        }
    }

    /// The public keys of access tokens, as a JSON Web Key Set.
    pub fn jwks(&self) -> String {
        self.tokens.jwks()
    }
}
