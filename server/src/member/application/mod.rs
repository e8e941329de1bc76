//! Applications to be a seller.
//!
//! Promises:
//! - a member has one open application at most;
//! - an application is decided once;
//! - an approval and the role that it grants are one change.

mod convert;
mod create;
mod decide;
mod entity;
mod model;
mod read;
mod rpc;
mod store;

pub use self::model::{SellerApplicationId, State};
