//! Why a command failed, and the code that the process exits with.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use tonic::Status;

use super::refusal;
use crate::config::ConfigError;
use crate::error::{Error, ErrorReason};
use crate::serve::{FolderError, ServeError};

/// What `--help` says of exit codes.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   done; for `health`, serving
  1   failed here: configuration, files, database; for `health`, not serving
  2   the command line or the body of a call can't be understood
  3   done, but what was compared differs: for `job run points-daily`
  64+ a server refused: 64 and the gRPC code; so
      67 INVALID_ARGUMENT    69 NOT_FOUND          70 ALREADY_EXISTS
      71 PERMISSION_DENIED   72 RESOURCE_EXHAUSTED 73 FAILED_PRECONDITION
      74 ABORTED             78 UNAVAILABLE        80 UNAUTHENTICATED";

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const DIFFERS: u8 = 3;
const REFUSED: u8 = 64;

/// Why a command failed: what is told on stderr, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    /// What was typed can't be meant.
    pub(super) fn usage(text: impl Display) -> Self {
        Self { text: format!("yeyak: {text}"), code: USAGE }
    }

    /// Something here does not work.
    pub(super) fn failed(text: impl Display) -> Self {
        Self { text: format!("yeyak: {text}"), code: FAILED }
    }

    /// All was done, and something was found that is not as it should be: to do it again changes nothing.
    pub(super) fn differs(text: impl Display) -> Self {
        Self { text: format!("yeyak: {text}"), code: DIFFERS }
    }

    /// A server refused.
    pub(super) fn refused(status: Status) -> Self {
        let status = *yeyak::Error::from(status).status;
        Self { code: code(&status), text: refusal::text(&status) }
    }

    /// A server refused, and a machine reads why.
    pub(super) fn refused_as_json(status: Status) -> Self {
        let status = *yeyak::Error::from(status).status;
        Self { code: code(&status), text: refusal::json(&status).to_string() }
    }

    /// All has been said.
    pub(super) const fn told() -> Self {
        Self { text: String::new(), code: FAILED }
    }

    /// Nobody reads the output any more, as in `yeyak … | head`.
    pub(super) const fn unread() -> Self {
        Self { text: String::new(), code: 0 }
    }

    /// For probes, which know 0 and 1 alone.
    pub(super) fn not_serving(mut self) -> Self {
        self.code = FAILED;
        self
    }

    /// Says what may be behind it when nobody was found who speaks gRPC.
    pub(super) fn when_unreached(self) -> Self {
        match self.code == code(&Status::unavailable("")) {
            true => self.and("Is that its gRPC port, and with https:// if it is encrypted? `yeyak serve` tells both; pages and webhooks have another port."),
            false => self,
        }
    }

    /// Says more, on a line of its own.
    #[must_use]
    pub(super) fn and(mut self, hint: impl Display) -> Self {
        self.text.push_str(&format!("\n{hint}"));
        self
    }

    /// Tells why on stderr.
    pub(super) fn report(self) -> ExitCode {
        if !self.text.is_empty() {
            // Nothing is left to do when even this can't be written.
            _ = writeln!(anstream::stderr(), "{}", self.text);
        }
        ExitCode::from(self.code)
    }
}

fn code(status: &Status) -> u8 {
    REFUSED + u8::try_from(i32::from(status.code())).unwrap_or(2)
}

impl From<yeyak::Error> for Failure {
    fn from(error: yeyak::Error) -> Self {
        Self::refused(*error.status)
    }
}

/// An operation that ran here refuses as a server does; but what is ours to mend is told to who runs it.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.reason() {
            ErrorReason::Internal => Self::failed(error),
            _ => Self::refused(error.into()),
        }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::failed(error)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Self::failed(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::failed(error).and("`yeyak config` shows every option and where it comes from")
    }
}
