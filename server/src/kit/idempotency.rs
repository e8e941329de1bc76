//! The same request twice is one effect, and both answers name the same result.
//!
//! A row (caller, method, request id, fingerprint, result) commits together with the effect. [`Requests::once`] looks for it
//! before the work, and once more after any refusal, so that of parallel twins the slower finds what the faster did.
//! Refusals leave no row: who was told "sold out" may ask again.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ExprTrait};
use tonic::Response;
use tonic::metadata::MetadataValue;
use yeyak_proto::{Mutation, REPLAYED_HEADER};

use std::sync::Arc;

use super::clock::{Clock, Time};
use super::forget;
use super::keyring::{Keyring, Purpose};
use super::tx::{Db, Tx};
use super::violation::Violations;
use crate::error::{Error, ErrorReason, Fault};

/// How often an operation whose facts changed under it starts again from its load.
const RERUNS: u32 = 3;

/// What makes two requests the same, as the caller sent it.
#[derive(Clone, Debug, Default)]
pub struct RequestKey {
    id: Option<Uuid>,
    body: Vec<u8>,
}

impl RequestKey {
    /// Reads the `request_id` of a request; without one, every call is a request of its own.
    pub fn of<M: Mutation>(message: &M, violations: &mut Violations) -> Self {
        let id = request_id(message, violations);
        let body = id.map(|_| message.fingerprint()).unwrap_or_default();
        Self { id, body }
    }
}

impl RequestKey {
    /// Tells requests apart by a secret too, of which a MAC is kept as of the body.
    #[must_use]
    pub fn and(mut self, secret: &[u8]) -> Self {
        if self.id.is_some() {
            self.body.extend_from_slice(secret);
        }
        self
    }
}

/// The `request_id` of a request that needs no record, since what it makes is unique by the id itself.
pub fn request_id<M: Mutation>(message: &M, violations: &mut Violations) -> Option<Uuid> {
    let text = message.request_id();
    if text.is_empty() {
        return None;
    }
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    violations.require("request_id", id.is_some(), "must be a UUID of 36 characters");
    id
}

/// A request that may be recorded: who asked what, under which id.
#[derive(Clone, Debug)]
pub struct Record {
    row: Option<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    caller: Uuid,
    method: &'static str,
    id: Uuid,
    fingerprint: Vec<u8>,
    /// What the fingerprint is of.
    message: Arc<[u8]>,
    now: Time,
    expire_time: Time,
}

impl Record {
    /// Records that the request had this result, in the transaction of its effect.
    pub async fn put(&self, tx: &Tx, result: Uuid) -> Result<(), Error> {
        let Some(row) = &self.row else { return Ok(()) };
        let record = ActiveModel {
            caller: ActiveValue::Set(row.caller),
            method: ActiveValue::Set(row.method.to_owned()),
            request_id: ActiveValue::Set(row.id),
            fingerprint: ActiveValue::Set(row.fingerprint.clone()),
            result: ActiveValue::Set(result),
            expire_time: ActiveValue::Set(row.expire_time),
        };
        // A record that has expired makes way; a live one means that a twin was faster.
        let mut replace = OnConflict::columns([Column::Caller, Column::Method, Column::RequestId]);
        replace
            .update_columns([Column::Fingerprint, Column::Result, Column::ExpireTime])
            .action_and_where(Expr::col((Entity, Column::ExpireTime)).lte(row.now));
        let written = Entity::insert(record).on_conflict(replace).exec_without_returning(&**tx).await?;
        if written == 0 { Err(Error::lost("the request")) } else { Ok(()) }
    }
}

/// The answer of an operation, and whether it is that of an earlier request.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    /// The resource, as it is now.
    pub value: T,
    /// Whether this request repeated an earlier one.
    pub replayed: bool,
}

impl<T> Reply<T> {
    /// The same reply with another value.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { value: with(self.value), replayed: self.replayed }
    }

    /// The answer to send, with `yeyak-replayed: true` for a repetition.
    pub fn into_response<P: From<T>>(self) -> Response<P> {
        let mut response = Response::new(self.value.into());
        if self.replayed {
            response.metadata_mut().insert(REPLAYED_HEADER, MetadataValue::from_static("true"));
        }
        response
    }
}

/// The records of requests.
#[derive(Clone, Debug)]
pub struct Requests {
    db: Db,
    clock: Arc<dyn Clock>,
    keys: Arc<Keyring>,
}

impl Requests {
    /// Keeps its records in this database.
    pub fn new(db: Db, clock: Arc<dyn Clock>, keys: Arc<Keyring>) -> Self {
        Self { db, clock, keys }
    }

    /// Runs an operation unless this request was done before; then, and when a twin is faster, gives what it made.
    ///
    /// `run` puts the record it is given in its transaction. It starts again when the facts it rests on have changed, three
    /// times at most. `load` reads the result of the earlier request as it is now.
    pub async fn once<T, R, RF, L, LF>(
        &self,
        caller: Uuid,
        method: &'static str,
        key: &RequestKey,
        load: L,
        run: R,
    ) -> Result<Reply<T>, Error>
    where
        L: Fn(Uuid) -> LF,
        LF: Future<Output = Result<T, Error>>,
        R: Fn(Record) -> RF,
        RF: Future<Output = Result<T, Error>>,
    {
        let record = self.record(caller, method, key);
        if let Some(result) = self.find(&record).await? {
            return Ok(Reply { value: load(result).await?, replayed: true });
        }
        let mut reruns = 0;
        loop {
            let refused = match run(record.clone()).await {
                Ok(value) => return Ok(Reply { value, replayed: false }),
                Err(refused) => refused,
            };
            if let Some(result) = self.find(&record).await? {
                return Ok(Reply { value: load(result).await?, replayed: true });
            }
            reruns += 1;
            if !refused.is_lost() || reruns > RERUNS {
                return Err(refused);
            }
        }
    }

    fn record(&self, caller: Uuid, method: &'static str, key: &RequestKey) -> Record {
        let row = key.id.map(|id| {
            let now = self.clock.now();
            let message: Arc<[u8]> = [method.as_bytes(), &key.body].concat().into();
            let fingerprint = self.keys.mac(Purpose::Request, &message).to_vec();
            Row { caller, method, id, fingerprint, message, now, expire_time: now + life(method) }
        });
        Record { row }
    }

    async fn find(&self, record: &Record) -> Result<Option<Uuid>, Error> {
        let Some(row) = &record.row else { return Ok(None) };
        let key = (row.caller, row.method.to_owned(), row.id);
        let Some(found) = Entity::find_by_id(key).one(self.db.read()).await? else { return Ok(None) };
        if found.expire_time <= row.now {
            return Ok(None);
        }
        // By any of our keys: the keys may have been rotated since.
        if !self.keys.verify(Purpose::Request, &row.message, &found.fingerprint) {
            return Err(RequestIdReused { id: row.id }.into());
        }
        Ok(Some(found.result))
    }

    /// Deletes a slice of the records that have expired; whether there may be more.
    pub async fn tidy(&self) -> Result<bool, Error> {
        forget::until::<Entity>(&self.db, Column::ExpireTime, self.clock.now()).await
    }
}

/// Payments are remembered as long as Toss Payments remembers an idempotency key: 15 days.
fn life(method: &str) -> TimeDelta {
    match method.contains("Payment") {
        true => TimeDelta::days(15),
        false => TimeDelta::hours(24),
    }
}

/// The `request_id` was used for a request with other content.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("`request_id` {id} was used for another request; use a fresh one")]
pub struct RequestIdReused {
    id: Uuid,
}

impl Fault for RequestIdReused {
    fn reason(&self) -> ErrorReason {
        ErrorReason::RequestIdReused
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("request_id", self.id.to_string())]
    }
}

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "request_record")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    caller: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    method: String,
    #[sea_orm(primary_key, auto_increment = false)]
    request_id: Uuid,
    fingerprint: Vec<u8>,
    result: Uuid,
    expire_time: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;
    use crate::kit::id::Ids;

    async fn ask(requests: &Requests, db: &Db, key: &RequestKey, result: Uuid) -> Result<Reply<Uuid>, Error> {
        let run = async |record: Record| {
            db.write(async |tx| record.put(&tx, result).await).await?;
            Ok(result)
        };
        requests.once(Uuid::nil(), "CreateBooking", key, async |found| Ok(found), run).await
    }

    /// Guard: the fingerprint is compared under every key.
    #[tokio::test]
    async fn a_request_from_before_a_rotation_is_known_after_it() {
        let yeyak = Harness::new().await;
        let mut rotated = Keyring::generate(&Ids::seeded(7));
        rotated.rotate(&Ids::seeded(8));
        let [before, after] = [Keyring::generate(&Ids::seeded(7)), rotated]
            .map(|keys| Requests::new(yeyak.db.clone(), yeyak.clock.clone(), Arc::new(keys)));
        let key = RequestKey { id: Some(Uuid::from_u128(1)), body: b"two nights".to_vec() };
        let first = ask(&before, &yeyak.db, &key, Uuid::from_u128(2)).await.expect("runs");

        let again = ask(&after, &yeyak.db, &key, Uuid::from_u128(3)).await.expect("is known");
        let other = ask(&after, &yeyak.db, &RequestKey { body: b"three nights".to_vec(), ..key }, Uuid::nil()).await;

        assert_eq!((first.replayed, again.replayed, again.value), (false, true, first.value));
        assert_eq!(other.expect_err("another request").reason(), ErrorReason::RequestIdReused);
    }
}
