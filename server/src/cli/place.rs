//! Which installation a command works on, without a server.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::config::{Config, Sources};

/// The installation to work on.
#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// The folder of the embedded database [default: yeyak-data].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Place {
    pub(super) fn config(self, sources: Sources) -> Result<Config, Failure> {
        Ok(self.overrule(sources).config()?)
    }

    /// The options of the installation.
    pub(super) fn overrule(self, sources: Sources) -> Sources {
        match self.data {
            Some(data) => sources.with("data", data),
            None => sources,
        }
    }
}

/// Runs what a command does to an installation.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Runtime::new().map_err(Failure::failed)?.block_on(work)
}
