//! Why a server can't start, or had to stop.

use super::folder::FolderError;
use crate::config::ConfigError;
use crate::error::Error;
use crate::kit::keyring::KeyringError;

/// Why the server can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The secrets can't be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database can't be opened or migrated.
    #[error("the database can't be used: {0}")]
    Database(String),
    /// An address can't be listened on.
    #[error("{option} = {address} can't be listened on: {source}; is another server running?")]
    Listen {
        /// The option that names it.
        option: &'static str,
        /// Which address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate or key can't be read.
    #[error("`{option}`: {path} can't be read: {source}")]
    Certificate {
        /// The option that names it.
        option: &'static str,
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Error> for ServeError {
    fn from(error: Error) -> Self {
        Self::Database(error.to_string())
    }
}
