//! API keys: what other services call with.
//!
//! Promises:
//! - a secret is shown once, and kept as a hash;
//! - a key is good for the RPCs that its scopes name, until it expires or is revoked: here at once, elsewhere in two seconds;
//! - who acts for a member is on record as the key, and never is an admin.

mod authenticate;
mod convert;
mod create;
mod entity;
mod model;
mod revoke;
mod rpc;
mod secret;
mod store;

pub(super) use self::authenticate::KnownKeys;
pub(super) use self::secret::PREFIX;
