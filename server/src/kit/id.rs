//! Typed, opaque ids: a prefix and a UUIDv7 in base32, the TypeID form. Stored as 16 bytes.

use std::fmt::Debug;
use std::sync::Mutex;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use uuid::Uuid;

use super::clock::Time;

/// A string that is not an id of the kind asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be an id of the form `{prefix}_…` with 26 characters of base32 behind the prefix")]
pub struct NotAnId {
    /// What the id should begin with.
    pub prefix: &'static str,
}

/// Reads the UUID of `prefix_…`.
pub fn parse(prefix: &'static str, text: &str) -> Result<Uuid, NotAnId> {
    let not_an_id = NotAnId { prefix };
    // 63 characters of prefix, an underscore and 26 characters are the most that the form allows.
    if text.len() > 90 {
        return Err(not_an_id);
    }
    let id: type_safe_id::TypeSafeId<type_safe_id::DynamicType> = text.parse().map_err(|_| not_an_id.clone())?;
    if id.type_prefix() == prefix { Ok(id.uuid()) } else { Err(not_an_id) }
}

/// Writes a UUID as `prefix_…`.
pub fn format(prefix: &'static str, uuid: Uuid) -> String {
    let kind = type_safe_id::DynamicType::new(prefix).expect("prefixes are constants, and tested");
    type_safe_id::TypeSafeId::from_type_and_uuid(kind, uuid).to_string()
}

/// Makes an id type: `typed_id!(/** The id of a hold. */ HoldId, "hold")`.
#[macro_export]
macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, sea_orm::DeriveValueType)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// What the id begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; ids of later instants sort behind it.
            pub fn new(ids: &$crate::kit::id::Ids, now: $crate::kit::clock::Time) -> Self {
                Self(ids.uuid(now))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::kit::id::format($prefix, self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::kit::id::NotAnId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::kit::id::parse($prefix, text).map(Self)
            }
        }
    };
}

typed_id!(
    /// The id of a member. It stands here because every record of who did what names one.
    MemberId,
    "member"
);

typed_id!(
    /// The id of a booking. It stands here because inventory, payments and the ledger are kept for one.
    BookingId,
    "booking"
);

typed_id!(
    /// The id of a move of a booking to other dates that is paid first. It stands here because payments are made for one.
    ChangeId,
    "change"
);

/// Where ids and other chance come from: the machine's randomness, or a seed in tests.
#[derive(Debug)]
pub struct Ids {
    rng: Mutex<StdRng>,
}

impl Ids {
    /// Seeded by the operating system.
    pub fn random() -> Self {
        Self { rng: Mutex::new(StdRng::from_os_rng()) }
    }

    /// The same ids in every run.
    pub fn seeded(seed: u64) -> Self {
        Self { rng: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// A UUIDv7 of the given instant.
    pub fn uuid(&self, now: Time) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Fills a buffer with chance, good enough for secrets: `StdRng` is a cryptographic generator.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.rng.lock().expect("nothing panics while it draws").fill_bytes(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_kind_is_refused() {
        let id = MemberId(Ids::seeded(1).uuid(Time::UNIX_EPOCH));

        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("member_"));
        assert_eq!(parse("booking", &id.to_string()), Err(NotAnId { prefix: "booking" }));
        assert!(parse("member", "").is_err());
        assert!(parse("member", &"x".repeat(1000)).is_err());
        assert!(parse("member", "member_8zzzzzzzzzzzzzzzzzzzzzzzzz").is_err(), "overflows 128 bits");
    }
}
