//! The data folder, which one process at a time may use.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It can't be made or written.
    #[error("`data` = {0} can't be used: {1}")]
    Unusable(PathBuf, #[source] io::Error),
    /// Another process has it.
    #[error("`data` = {0} is in use by another server; call that one, or give another folder")]
    Locked(PathBuf),
}

/// A data folder, locked while this lives.
#[derive(Debug)]
pub(super) struct Folder {
    _lock: File,
}

impl Folder {
    pub(super) fn lock(path: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable(path.to_owned(), error);
        fs::create_dir_all(path).map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(FolderError::Locked(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}
