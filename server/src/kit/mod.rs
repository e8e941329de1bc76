//! What every domain is built from.

pub mod bulk;
pub mod caller;
pub mod check;
pub mod clock;
pub mod crash;
pub mod date;
pub(crate) mod forget;
pub mod holder;
pub mod id;
pub mod idempotency;
pub mod inbox;
pub mod job;
pub mod keyring;
pub mod lease;
pub mod money;
pub mod news;
pub mod outbox;
pub mod page;
pub mod request;
pub(crate) mod suggest;
pub mod trace;
pub mod turn;
pub mod tx;
pub mod violation;

use std::sync::Arc;

use self::clock::{Clock, Time};
use self::crash::Crash;
use self::id::Ids;
use self::idempotency::Requests;
use self::keyring::Keyring;
use self::outbox::Outbox;
use self::tx::Db;

/// What every domain is given: the database, time, chance, secrets, and the records of requests.
#[derive(Clone, Debug)]
pub struct Kit {
    /// The database.
    pub db: Db,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub ids: Arc<Ids>,
    /// Secrets.
    pub keys: Arc<Keyring>,
    /// What makes a repeated request one effect.
    pub requests: Requests,
    /// Where news is put.
    pub outbox: Outbox,
    /// Where tests make an operation end half-way.
    pub crash: Crash,
}

impl Kit {
    /// Puts the kit together.
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<Ids>, keys: Arc<Keyring>) -> Self {
        let requests = Requests::new(db.clone(), clock.clone(), keys.clone());
        let outbox = Outbox::new(&db, ids.clone(), clock.clone());
        Self { db, clock, ids, keys, requests, outbox, crash: Crash::default() }
    }
}

/// An instant as the proto has it.
pub fn proto_time(time: Time) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or(999_999_999);
    prost_types::Timestamp { seconds: time.timestamp(), nanos }
}
