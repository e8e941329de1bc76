//! News: events written in the transaction that makes them true, and carried from there by the relay.

use std::sync::Arc;

use prost::{Message, Name};
use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use super::caller::Actor;
use super::clock::Clock;
use super::id::Ids;
use super::news::News;
use super::trace;
use super::tx::{Db, Tx};
use crate::error::Error;

/// How many events a statement writes.
const TOGETHER: usize = 500;

/// What changed, and who changed it.
#[derive(Clone, Copy, Debug)]
pub struct Cause<'a> {
    /// The aggregate that changed, such as a booking.
    pub aggregate: Uuid,
    /// Its version behind the change: consumers ignore older ones, and tolerate gaps.
    pub version: i64,
    /// Who changed it.
    pub actor: &'a Actor,
}

/// Where events are put.
#[derive(Clone, Debug)]
pub struct Outbox {
    ids: Arc<Ids>,
    clock: Arc<dyn Clock>,
    /// Tells that something was put.
    pub news: News,
}

impl Outbox {
    pub(super) fn new(db: &Db, ids: Arc<Ids>, clock: Arc<dyn Clock>) -> Self {
        Self { ids, clock, news: News::new(db.clone(), "yeyak_outbox") }
    }

    /// Writes an event, to be published once the transaction has committed.
    pub async fn put<E: Message + Name>(&self, tx: &Tx, cause: Cause<'_>, event: &E) -> Result<(), Error> {
        Entity::insert(self.row(cause, event)).exec_without_returning(&**tx).await?;
        self.news.tell_on_commit(tx);
        Ok(())
    }

    /// Writes events that come together.
    pub async fn put_all<E: Message + Name>(&self, tx: &Tx, news: &[(Cause<'_>, E)]) -> Result<(), Error> {
        for some in news.chunks(TOGETHER) {
            let rows = some.iter().map(|(cause, event)| self.row(*cause, event));
            Entity::insert_many(rows).exec_without_returning(&**tx).await?;
        }
        self.news.tell_on_commit(tx);
        Ok(())
    }

    fn row<E: Message + Name>(&self, cause: Cause<'_>, event: &E) -> ActiveModel {
        let now = self.clock.now();
        ActiveModel {
            id: ActiveValue::Set(self.ids.uuid(now)),
            kind: ActiveValue::Set(E::full_name()),
            aggregate: ActiveValue::Set(cause.aggregate),
            version: ActiveValue::Set(cause.version),
            actor: ActiveValue::Set(cause.actor.0.clone()),
            trace: ActiveValue::Set(trace::current()),
            payload: ActiveValue::Set(event.encode_to_vec()),
            create_time: ActiveValue::Set(now),
            claim_time: ActiveValue::Set(None),
        }
    }
}

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "outbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) aggregate: Uuid,
    pub(crate) version: i64,
    pub(crate) actor: String,
    pub(crate) trace: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) create_time: DateTimeUtc,
    /// Until when a relay has it in hand.
    pub(crate) claim_time: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
