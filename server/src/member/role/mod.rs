//! Roles: granted and withdrawn by admins, each change on record.
//!
//! Promises:
//! - no role changes without a line that says who did it and why;
//! - there is always an admin, once there was one.

mod change;
mod convert;
mod create_admin;
mod entity;
mod model;
mod rpc;
pub(super) mod store;

pub(super) use self::model::{Change, Role};
