//! The data folder, which one process at a time may use.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It can't be made or written.
    #[error("`data` = {0} can't be used: {1}")]
    Unusable(PathBuf, #[source] io::Error),
    /// No server ever used it.
    #[error(
        "no server has kept anything in `data` = {0}; give the folder that the server uses, with --data or --config"
    )]
    Empty(PathBuf),
    /// Another process has it.
    #[error("a server is running on `data` = {0}; stop it first, or give another folder")]
    Locked(PathBuf),
}

/// A data folder, locked while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    lock: Option<File>,
}

impl Folder {
    /// Locks the folder of an embedded installation. Where processes share a database nothing in the folder is worth a lock.
    pub(crate) fn of(config: &Config) -> Result<Self, FolderError> {
        match config.is_embedded() {
            true => Self::lock(&config.data),
            false => {
                fs::create_dir_all(&config.data).map_err(|error| FolderError::Unusable(config.data.clone(), error))?;
                Ok(Self { lock: None })
            }
        }
    }

    /// Locks the folder, unless another process has.
    fn lock(path: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable(path.to_owned(), error);
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { lock: Some(lock) }),
            Err(fs::TryLockError::WouldBlock) => Err(FolderError::Locked(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Locks the folder, or goes on without the lock while a server has it: for who changes nothing.
    pub(crate) fn share(config: &Config) -> Result<Self, FolderError> {
        // Looking must not make an installation.
        if config.is_embedded() && !config.data.join(super::KEYS).exists() {
            return Err(FolderError::Empty(config.data.clone()));
        }
        match Self::of(config) {
            Err(FolderError::Locked(_)) => Ok(Self { lock: None }),
            outcome => outcome,
        }
    }

    /// Whether no other process uses this installation.
    pub(crate) fn is_ours(&self) -> bool {
        self.lock.is_some()
    }
}
