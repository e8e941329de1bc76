//! One query a function.

pub(super) mod lot;
pub(super) mod movement;
pub(super) mod policy;
pub(super) mod purse;
pub(super) mod purses;
pub(super) mod spending;

use crate::error::Error;

/// A row that this release can't read.
fn unreadable(what: &str) -> Error {
    Error::internal(format!("{what} holds what this release does not know"))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::internal)
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(Error::internal)
}
