//! News: events written in the transaction that makes them true, and carried from there by the relay.

use std::sync::Arc;

use prost::{Message, Name};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait};

use super::caller::Actor;
use super::clock::Clock;
use super::id::Ids;
use super::news::News;
use super::trace;
use super::tx::{Db, Tx};
use crate::error::Error;

/// How many events a statement writes where there are many: of few numbers, since each is a statement to be prepared.
const SIZES: [usize; 4] = [256, 64, 16, 8];

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

    /// Has an event written with the transaction, to be published once it has committed.
    pub fn put<E: Message + Name>(&self, tx: &Tx, cause: Cause<'_>, event: &E) {
        tx.write_events([self.row(cause, event)]);
        self.news.tell_on_commit(tx);
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

/// Writes the events of a transaction.
pub(super) async fn write(conn: &impl ConnectionTrait, mut events: Vec<ActiveModel>) -> Result<(), Error> {
    while !events.is_empty() {
        let left = events.len();
        let size = SIZES.into_iter().find(|size| *size <= left).unwrap_or(left);
        Entity::insert_many(events.drain(..size)).exec_without_returning(conn).await?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::NotFound;
    use crate::harness::Harness;
    use yeyak_proto::yeyak::payment::v1::WebhookReceived;

    /// Guard: events are left by what is kept alone, and written before the commit.
    #[tokio::test]
    async fn events_are_written_with_what_they_tell_of_and_go_with_what_is_refused() {
        let yeyak = Harness::new().await;
        let actor = Actor("a test".to_owned());
        let event = WebhookReceived { provider: "test".to_owned(), payment_id: String::new() };

        let put = async |number: u128| {
            let write = async |tx: Tx| {
                for version in 1..=3 {
                    let cause = Cause { aggregate: Uuid::from_u128(number), version, actor: &actor };
                    yeyak.kit.outbox.put(&tx, cause, &event);
                }
                if number.is_multiple_of(3) { Err(NotFound::new("number", number).into()) } else { Ok(()) }
            };
            yeyak.db.write(write).await
        };

        let outcomes = futures::future::join_all((0..60).map(put)).await;

        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 40);
        let told = Entity::find().all(yeyak.db.read()).await.expect("reads");
        assert_eq!(told.len(), 120);
        assert!(told.iter().all(|row| !row.aggregate.as_u128().is_multiple_of(3)));
    }
}
