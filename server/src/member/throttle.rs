//! Guessing passwords is slow: failed attempts are counted for each account from each network address, for each account and for
//! each address, by each process alone. A stranger who fails on purpose closes an account to their own address alone, unless they
//! have many.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use moka::sync::Cache;

use crate::backend::rate::Who;
use crate::kit::clock::{Clock, Time};

const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// An office or a campus shares an address: it may fail more often than one account from there.
const ADDRESS_FACTOR: u32 = 10;
/// How much more often an account may fail from all addresses together: by default a hundred times, as many as NIST SP 800-63B
/// (section 5.2.2, rate limiting) lets it fail in a row.
const ACCOUNT_FACTOR: u32 = 10;
/// The most accounts and addresses remembered; beyond it the longest silent are forgotten.
const REMEMBERED: u64 = 100_000;
/// The most addresses of which an account is told at a time: who has many must not fill its history.
const TOLD: usize = 10;

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
    /// The addresses that each account was closed to, and until when.
    refusals: Cache<Vec<u8>, HashMap<String, Time>>,
}

impl Throttle {
    pub(super) fn new(clock: Arc<dyn Clock>, limit: u32) -> Self {
        Self { clock, limit, failures: Cache::new(REMEMBERED), refusals: Cache::new(REMEMBERED) }
    }

    /// Until when attempts are refused, if the account or the address has failed too often of late.
    pub(super) fn closed_until(&self, account: &[u8], address: &str) -> Option<Time> {
        let limits = [1, ACCOUNT_FACTOR, ADDRESS_FACTOR].map(|factor| self.limit.saturating_mul(factor));
        let over = counted(account, address).into_iter().zip(limits).filter_map(|(key, limit)| self.over(&key?, limit));
        over.max()
    }

    fn over(&self, key: &[u8], limit: u32) -> Option<Time> {
        let failures = self.failures.get(key)?;
        let end = failures.since + WINDOW;
        (failures.count >= limit && self.clock.now() < end).then_some(end)
    }

    /// Whether a refusal is the first to this account and address until then: the one of which the account is told.
    pub(super) fn is_first_refusal(&self, account: &[u8], address: &str, until: Time) -> bool {
        let now = self.clock.now();
        let mut is_first = false;
        self.refusals.entry(account.to_vec()).and_upsert_with(|entry| {
            let mut told = entry.map(|entry| entry.into_value()).unwrap_or_default();
            told.retain(|_, end| now < *end);
            is_first = told.len() < TOLD && told.insert(address.to_owned(), until).is_none();
            told
        });
        is_first
    }

    pub(super) fn failed(&self, account: &[u8], address: &str) {
        let now = self.clock.now();
        for key in counted(account, address).into_iter().flatten() {
            self.failures.entry(key).and_upsert_with(|entry| match entry.map(|entry| entry.into_value()) {
                Some(failures) if now < failures.since + WINDOW => Failures { count: failures.count + 1, ..failures },
                _ => Failures { count: 1, since: now },
            });
        }
    }

    /// Whoever is at the address has shown the account's password. The address stays counted, since it may try other accounts, and so
    /// do others that tried this one.
    pub(super) fn succeeded(&self, account: &[u8], address: &str) {
        let [here, everywhere, _] = counted(account, address);
        for key in [here, everywhere].into_iter().flatten() {
            self.failures.invalidate(&key);
        }
    }
}

/// What an attempt is counted for: the account from the address, the account, the address.
fn counted(account: &[u8], address: &str) -> [Option<Vec<u8>>; 3] {
    let known = known(address);
    let here = [account, b"@", known.as_deref().unwrap_or_default()].concat();
    [Some(here), Some(account.to_vec()), known]
}

/// Who is counted for an address: over IPv6 a network, since nobody has one address alone. A call from this process has none, and is
/// counted by its account alone.
fn known(address: &str) -> Option<Vec<u8>> {
    Some(Who::at(address.parse().ok()?).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::clock::ManualClock;

    /// Guard: whoever chooses among the addresses of a network is counted as one.
    #[test]
    fn a_network_of_addresses_fails_together() {
        let throttle = Throttle::new(Arc::new(ManualClock::at(Time::UNIX_EPOCH)), 1);
        let is_closed = |address| throttle.closed_until(b"mina", address).is_some();

        for number in 0..ADDRESS_FACTOR {
            throttle.failed(format!("account {number}").as_bytes(), &format!("2001:db8::{number}"));
        }

        assert!(is_closed("2001:db8::ffff") && !is_closed("2001:db8:0:1::"));
        assert!(!is_closed("") && !is_closed("192.0.2.1"));
    }

    /// Guard: what is counted for an account from one address, beside what is counted for it from all.
    #[test]
    fn a_stranger_who_fails_on_purpose_shuts_out_nobody_else() {
        let throttle = Throttle::new(Arc::new(ManualClock::at(Time::UNIX_EPOCH)), 2);
        let is_closed = |address| throttle.closed_until(b"mina", address).is_some();
        let fail = |address: &str| throttle.failed(b"mina", address);

        (0..2).for_each(|_| fail("192.0.2.1"));
        assert!(is_closed("192.0.2.1") && !is_closed("192.0.2.2") && !is_closed(""));
        throttle.succeeded(b"mina", "192.0.2.2");
        assert!(is_closed("192.0.2.1"), "another has shown the password");

        (0..2 * ACCOUNT_FACTOR).for_each(|number| fail(&format!("198.51.100.{number}")));
        assert!(is_closed("192.0.2.2") && is_closed(""), "many addresses guess together");
        throttle.succeeded(b"mina", "");
        assert!(!is_closed("192.0.2.2"));
    }

    /// Guard: the addresses that an account was told of, for as long as it is closed to them, and how many those may be.
    #[test]
    fn an_account_is_told_once_of_each_address_and_of_few() {
        let clock = Arc::new(ManualClock::at(Time::UNIX_EPOCH));
        let throttle = Throttle::new(clock.clone(), 2);
        let refusal = |address: &str| {
            let until = throttle.closed_until(b"mina", address).expect("is closed");
            throttle.is_first_refusal(b"mina", address, until)
        };
        let fail = || (0..2).for_each(|_| throttle.failed(b"mina", "192.0.2.1"));
        fail();

        assert!(refusal("192.0.2.1") && !refusal("192.0.2.1"));
        (0..10).for_each(|_| fail());
        assert!(refusal("192.0.2.2"), "it is closed to all");
        let others = (0..100).filter(|number| refusal(&format!("2001:db8::{number}")));
        assert_eq!(others.count(), TOLD - 2);
        clock.advance(WINDOW);
        assert_eq!(throttle.closed_until(b"mina", "192.0.2.1"), None);
        fail();
        assert!(refusal("192.0.2.1") && !refusal("192.0.2.1"), "another window, told of again");
    }
}
