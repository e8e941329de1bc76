//! The inbox of a consumer: an event that comes twice has one effect.

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use super::clock::Time;
use super::tx::Tx;
use crate::error::Error;

/// Records, in the transaction of its effect, that a consumer has taken an event; false when it had before.
pub async fn first(tx: &Tx, consumer: &str, event: Uuid, now: Time) -> Result<bool, Error> {
    let row = ActiveModel {
        consumer: ActiveValue::Set(consumer.to_owned()),
        event_id: ActiveValue::Set(event),
        create_time: ActiveValue::Set(now),
    };
    let written = Entity::insert_many([row]).on_conflict_do_nothing().exec_without_returning(&**tx).await?;
    Ok(matches!(written, sea_orm::TryInsertResult::Inserted(1)))
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
