//! How a client behaves.

use std::time::Duration;

/// How a client behaves.
///
/// ```
/// let options = yeyak::Options::default().channels(4).deadline(std::time::Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How long a call may take, with its retries; 10 seconds unless set.
    pub deadline: Duration,
    /// How many connections; 1 unless set. One carries about 80,000 calls a second.
    pub channels: usize,
    /// How often a call is tried; 4 unless set.
    pub attempts: u32,
    /// Compress requests of more than a few hundred bytes with gzip, and take compressed answers.
    pub gzip: bool,
    /// Who vouches for the server, as PEM, in place of the web's authorities.
    #[cfg(feature = "tls")]
    pub(crate) authority: Option<String>,
    /// What this client shows to a server that asks for certificates.
    #[cfg(feature = "tls")]
    pub(crate) identity: Option<Certified>,
}

/// A certificate and its key, as PEM.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

#[cfg(feature = "tls")]
impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certified").finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            channels: 1,
            attempts: 4,
            gzip: false,
            #[cfg(feature = "tls")]
            authority: None,
            #[cfg(feature = "tls")]
            identity: None,
        }
    }
}

impl Options {
    /// Sets how long a call may take, with its retries.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how many connections there are; at least one.
    #[must_use]
    pub fn channels(mut self, channels: usize) -> Self {
        self.channels = channels.max(1);
        self
    }

    /// Sets how often a call is tried; at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Turns compression on or off.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// Trusts servers that this authority vouches for, given as PEM, and no others.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn authority(mut self, pem: impl Into<String>) -> Self {
        self.authority = Some(pem.into());
        self
    }

    /// Shows a certificate to a server that asks for one: certificate and key, as PEM.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn certificate(mut self, certificate: impl Into<String>, key: impl Into<String>) -> Self {
        self.identity = Some(Certified { certificate: certificate.into(), key: key.into() });
        self
    }
}
