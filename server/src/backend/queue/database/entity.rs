//! The rows of queues.

use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use crate::backend::queue::{Aside, Message};
use crate::kit::clock::Time;

/// A message in the queue of a consumer.
#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "queue_message")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) consumer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) aggregate: Uuid,
    pub(super) version: i64,
    pub(super) actor: String,
    pub(super) trace: String,
    pub(super) payload: Vec<u8>,
    pub(super) create_time: DateTimeUtc,
    pub(super) due_time: DateTimeUtc,
    pub(super) failure_count: i64,
    /// When it was put aside.
    pub(super) dead_time: Option<DateTimeUtc>,
    /// Why its consumer failed on it at last.
    pub(super) error: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A message that is due to a consumer.
pub(super) fn row(consumer: &str, message: &Message, now: Time) -> ActiveModel {
    ActiveModel {
        id: ActiveValue::Set(message.id),
        consumer: ActiveValue::Set(consumer.to_owned()),
        kind: ActiveValue::Set(message.kind.clone()),
        aggregate: ActiveValue::Set(message.aggregate),
        version: ActiveValue::Set(message.version),
        actor: ActiveValue::Set(message.actor.clone()),
        trace: ActiveValue::Set(message.trace.clone()),
        payload: ActiveValue::Set(message.payload.clone()),
        create_time: ActiveValue::Set(message.create_time),
        due_time: ActiveValue::Set(now),
        failure_count: ActiveValue::Set(0),
        dead_time: ActiveValue::Set(None),
        error: ActiveValue::Set(None),
    }
}

impl From<Model> for Message {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            aggregate: row.aggregate,
            version: row.version,
            actor: row.actor,
            trace: row.trace,
            payload: row.payload,
            create_time: row.create_time,
        }
    }
}

impl From<Model> for Aside {
    fn from(row: Model) -> Self {
        Self {
            id: row.id.to_string(),
            kind: row.kind,
            aggregate: row.aggregate.to_string(),
            failure_count: row.failure_count,
            error: row.error.unwrap_or_default(),
            create_time: Some(row.create_time),
            aside_time: row.dead_time,
        }
    }
}
