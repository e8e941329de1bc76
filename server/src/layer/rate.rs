//! How often one caller may call: a token bucket for each member, API key, and network address without a token.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

use crate::error::{Error, ErrorReason, Fault};
use crate::kit::caller::Caller;

/// Calls a second, and how many may come at once.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// For a member or an API key.
    pub member: (u32, u32),
    /// For a network address that calls without a token.
    pub address: (u32, u32),
}

/// Counts calls.
#[derive(Debug)]
pub struct Rates {
    members: DefaultKeyedRateLimiter<Uuid>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

fn quota((rate, burst): (u32, u32)) -> Quota {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(rate)).allow_burst(at_least_one(burst))
}

impl Rates {
    /// Counts from nothing.
    pub fn new(limits: RateLimits) -> Self {
        Self {
            members: RateLimiter::keyed(quota(limits.member)),
            addresses: RateLimiter::keyed(quota(limits.address)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a call, or refuses it. A call from this process without a token has no address, and is not counted.
    pub fn check(&self, caller: &Caller, peer: Option<IpAddr>) -> Result<(), Error> {
        let refused = match (caller, peer) {
            (Caller::Member(member), _) => self.members.check_key(&member.id.0),
            (Caller::Service { key, .. }, _) => self.members.check_key(&key.0),
            (Caller::Anonymous, Some(peer)) => self.addresses.check_key(&peer),
            (Caller::Anonymous, None) => return Ok(()),
        };
        refused.map_err(|until| RateLimited { wait: until.wait_time_from(self.clock.now()) }.into())
    }

    /// Forgets callers that have been silent long enough to have their full burst again.
    pub fn tidy(&self) {
        self.members.retain_recent();
        self.addresses.retain_recent();
    }
}

/// The caller calls too often.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many calls; try again in {} ms", wait.as_millis().max(1))]
pub struct RateLimited {
    /// When the next call is taken.
    pub wait: Duration,
}

impl Fault for RateLimited {
    fn reason(&self) -> ErrorReason {
        ErrorReason::RateLimited
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("limit", "calls_per_second".to_owned())]
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_wait_is_told() {
        let rates = Rates::new(RateLimits { member: (1, 1), address: (1, 3) });
        let peer = Some(IpAddr::from([127, 0, 0, 1]));

        let taken = (0..5).filter(|_| rates.check(&Caller::Anonymous, peer).is_ok()).count();

        assert_eq!(taken, 3);
        let refused = rates.check(&Caller::Anonymous, peer).expect_err("over the limit");
        assert_eq!(refused.reason(), ErrorReason::RateLimited);
        assert!(rates.check(&Caller::Anonymous, Some(IpAddr::from([127, 0, 0, 2]))).is_ok(), "others are not held up");
    }
}
