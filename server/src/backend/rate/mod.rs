//! How often each caller may call: a burst at once, and then one call in so much time.
//!
//! Guarantees:
//! - over all processes no caller is let through more often than the limit says;
//! - without Redis each process goes on with the same limit by itself, which is told in the log and in the metrics;
//! - nobody waits long for an answer, and who floods one process is refused there, without a word to Redis.

mod memory;
mod redis;
#[cfg(test)]
mod suite;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryRate;
pub use self::redis::RedisRate;
use super::redis::Redis;
use crate::kit::clock::Clock;

/// Counts calls of one kind.
#[async_trait]
pub trait Rate: fmt::Debug + Send + Sync + 'static {
    /// Counts a call, or tells how long to wait for the next that is let through.
    async fn take(&self, who: Who) -> Result<(), Duration>;

    /// Forgets callers that have been silent long enough to have their full burst again.
    fn tidy(&self);
}

/// Who calls.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Who {
    /// A member or an API key.
    Id(Uuid),
    /// A network address, as [`Who::at`] has it.
    Address(IpAddr),
}

impl Who {
    /// Who calls from an address: over IPv6 the network of its first 64 bits, all of which is one household's or one
    /// machine's to choose addresses from.
    pub fn at(address: IpAddr) -> Self {
        const NETWORK: u128 = !0 << 64;
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            IpAddr::V6(address) => Self::Address(Ipv6Addr::from_bits(address.to_bits() & NETWORK).into()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.as_simple().fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// How many at once.
    pub burst: NonZeroU32,
    /// How long until one more.
    pub every: Duration,
}

impl Limit {
    /// So many calls a second, and so many at once; at least one of each.
    pub fn per_second(rate: u32, burst: u32) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let every = (Duration::from_secs(1) / rate.max(1)).max(Duration::from_nanos(1));
        Self { burst, every }
    }
}

/// A limit over all processes, or in this process; its name keeps it apart from others.
pub fn open(redis: Option<&Redis>, name: &'static str, limit: Limit, clock: Arc<dyn Clock>) -> Arc<dyn Rate> {
    match redis {
        Some(redis) => Arc::new(RedisRate::new(redis.clone(), name, limit, clock)),
        None => Arc::new(MemoryRate::new(limit, clock)),
    }
}

#[cfg(test)]
mod tests {
    use super::Who;

    #[test]
    fn an_address_of_ipv6_is_its_network_and_one_of_ipv4_is_itself() {
        let at = |address: &str| Who::at(address.parse().expect("an address"));

        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("::ffff:192.0.2.1"), at("::ffff:192.0.2.2"));
    }
}
