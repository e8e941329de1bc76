//! How often one caller may call: each member, API key, and network address without a token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::rate::{self, Limit, Rate, Who};
use crate::backend::redis::Redis;
use crate::error::{Error, ErrorReason, Fault};
use crate::kit::caller::Caller;
use crate::kit::clock::Clock;

/// How often, by who calls.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// For a member or an API key.
    pub member: Limit,
    /// For a network address that calls without a token.
    pub address: Limit,
}

/// Counts calls.
#[derive(Debug)]
pub struct Rates {
    members: Arc<dyn Rate>,
    addresses: Arc<dyn Rate>,
}

impl Rates {
    /// Counts over all processes when there is a Redis, and otherwise in this one.
    pub fn new(limits: RateLimits, redis: Option<&Redis>, clock: Arc<dyn Clock>) -> Self {
        Self {
            members: rate::open(redis, "member", limits.member, clock.clone()),
            addresses: rate::open(redis, "address", limits.address, clock),
        }
    }

    /// Counts a call, or refuses it. A call from this process without a token has no address, and is not counted.
    pub async fn check(&self, caller: &Caller, peer: Option<IpAddr>) -> Result<(), Error> {
        let taken = match (caller, peer) {
            (Caller::Member(member), _) => self.members.take(Who::Id(member.id.0)).await,
            (Caller::Service { key, .. }, _) => self.members.take(Who::Id(key.0)).await,
            (Caller::Anonymous, Some(peer)) => self.addresses.take(Who::at(peer)).await,
            (Caller::Anonymous, None) => return Ok(()),
        };
        taken.map_err(|wait| RateLimited { wait }.into())
    }

    /// Forgets callers that have been silent long enough to have their full burst again.
    pub fn tidy(&self) {
        self.members.tidy();
        self.addresses.tidy();
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
    use crate::kit::clock::{ManualClock, Time};

    #[tokio::test]
    async fn a_burst_is_taken_and_then_the_wait_is_told() {
        let limits = RateLimits { member: Limit::per_second(1, 1), address: Limit::per_second(1, 3) };
        let rates = Rates::new(limits, None, Arc::new(ManualClock::at(Time::UNIX_EPOCH)));
        let peer = Some(IpAddr::from([127, 0, 0, 1]));

        let mut taken = 0;
        for _ in 0..5 {
            taken += usize::from(rates.check(&Caller::Anonymous, peer).await.is_ok());
        }

        assert_eq!(taken, 3);
        let refused = rates.check(&Caller::Anonymous, peer).await.expect_err("over the limit");
        assert_eq!(refused.reason(), ErrorReason::RateLimited);
        assert_eq!(refused.fault::<RateLimited>().map(|refused| refused.wait), Some(Duration::from_secs(1)));
        let other = Some(IpAddr::from([127, 0, 0, 2]));
        assert!(rates.check(&Caller::Anonymous, other).await.is_ok(), "others are not held up");
    }
}
