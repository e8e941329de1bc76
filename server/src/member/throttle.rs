//! Guessing passwords is slow: failed attempts are counted for each account and each network address.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use moka::sync::Cache;

use super::error::MemberError;
use crate::error::Error;
use crate::kit::clock::{Clock, Time};

const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// An office or a campus shares an address: it may fail more often than one account.
const ADDRESS_FACTOR: u32 = 10;
/// The most accounts and addresses remembered; beyond it the longest silent are forgotten.
const REMEMBERED: u64 = 100_000;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Time,
}

#[derive(Debug)]
pub(super) struct Throttle {
    clock: Arc<dyn Clock>,
    limit: u32,
    failures: Cache<Vec<u8>, Failures>,
}

impl Throttle {
    pub(super) fn new(clock: Arc<dyn Clock>, limit: u32) -> Self {
        Self { clock, limit, failures: Cache::new(REMEMBERED) }
    }

    /// Refuses when the account or the address has failed too often of late.
    pub(super) fn check(&self, account: &[u8], address: &str) -> Result<(), Error> {
        let address = known(address).and_then(|address| self.wait(address, self.limit * ADDRESS_FACTOR));
        match self.wait(account, self.limit).max(address) {
            Some(wait) => Err(MemberError::LoginThrottled { wait }.into()),
            None => Ok(()),
        }
    }

    fn wait(&self, key: &[u8], limit: u32) -> Option<Duration> {
        let failures = self.failures.get(key)?;
        let left = failures.since + WINDOW - self.clock.now();
        let over = failures.count >= limit && left > TimeDelta::zero();
        over.then(|| left.to_std().ok()).flatten()
    }

    pub(super) fn failed(&self, account: &[u8], address: &str) {
        let now = self.clock.now();
        for key in [Some(account), known(address)].into_iter().flatten() {
            self.failures.entry(key.to_vec()).and_upsert_with(|entry| match entry.map(|entry| entry.into_value()) {
                Some(failures) if now < failures.since + WINDOW => Failures { count: failures.count + 1, ..failures },
                _ => Failures { count: 1, since: now },
            });
        }
    }

    /// The account has shown its password; its address stays counted, since it may try other accounts.
    pub(super) fn succeeded(&self, account: &[u8]) {
        self.failures.invalidate(account);
    }
}

/// A call from this process has no address, and is counted by its account alone.
fn known(address: &str) -> Option<&[u8]> {
    (!address.is_empty()).then_some(address.as_bytes())
}
