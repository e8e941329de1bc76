//! The inbox of a consumer: an event that comes twice has one effect.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, TryInsertResult};

use super::clock::Time;
use super::forget;
use super::tx::{Db, Tx};
use crate::error::Error;

/// Records, in the transaction of its effect, that a consumer has taken an event; false when it had before.
pub async fn first(tx: &Tx, consumer: &str, event: Uuid, now: Time) -> Result<bool, Error> {
    let row = ActiveModel {
        consumer: ActiveValue::Set(consumer.to_owned()),
        event_id: ActiveValue::Set(event),
        create_time: ActiveValue::Set(now),
    };
    let written = Entity::insert_many([row]).on_conflict_do_nothing().exec_without_returning(&**tx).await?;
    Ok(matches!(written, TryInsertResult::Inserted(1)))
}

/// Records, in the transaction of their effects, that a consumer has taken events; those that it had not before.
pub async fn first_of(tx: &Tx, consumer: &str, events: &[Uuid], now: Time) -> Result<HashSet<Uuid>, Error> {
    // In one order, so that two who record the same events wait for each other instead of locking each other out.
    let events: BTreeSet<_> = events.iter().copied().collect();
    let rows = events.into_iter().map(|event| ActiveModel {
        consumer: ActiveValue::Set(consumer.to_owned()),
        event_id: ActiveValue::Set(event),
        create_time: ActiveValue::Set(now),
    });
    let written = Entity::insert_many(rows).on_conflict_do_nothing().exec_with_returning_keys(&**tx).await?;
    match written {
        TryInsertResult::Inserted(keys) => Ok(keys.into_iter().map(|(_, event)| event).collect()),
        TryInsertResult::Empty | TryInsertResult::Conflicted => Ok(HashSet::new()),
    }
}

/// How long an event is known: far longer than any queue repeats one.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Deletes a slice of the events that were taken long ago; whether there may be more.
pub async fn tidy(db: &Db, now: Time) -> Result<bool, Error> {
    forget::until::<Entity>(db, Column::CreateTime, now - KEPT).await
}

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "inbox")]
struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    consumer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    event_id: Uuid,
    create_time: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;
    use crate::kit::clock::Clock;

    #[tokio::test]
    async fn events_of_long_ago_are_forgotten_a_slice_at_a_time() {
        let yeyak = Harness::new().await;
        let now = yeyak.clock.now();
        let take = async |event: u128, time: Time| {
            let event = Uuid::from_u128(event);
            yeyak.db.write(async |tx| first(&tx, "payment-webhook", event, time).await).await.expect("records")
        };
        for event in 1..=5 {
            assert!(take(event, now - KEPT).await);
        }
        assert!(take(6, now - KEPT + TimeDelta::seconds(1)).await);
        let slice =
            async || forget::some::<Entity>(&yeyak.db, Column::CreateTime, now - KEPT, 2).await.expect("deletes");

        assert_eq!([slice().await, slice().await], [true, true]);
        assert!(!tidy(&yeyak.db, now).await.expect("deletes"));

        for event in 1..=6 {
            assert_eq!(take(event, now).await, event < 6, "{event}");
        }
    }
}
