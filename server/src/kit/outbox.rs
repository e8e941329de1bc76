//! News: events written in the transaction that makes them true, and carried from there by the relay.

use prost::{Message, Name};
use sea_orm::ActiveValue;
use sea_orm::entity::prelude::*;

use super::caller::Actor;
use super::clock::Time;
use super::tx::Tx;
use crate::error::Error;

/// What happened to which version of what, and who did it.
#[derive(Clone, Debug)]
pub struct Cause<'a> {
    /// The aggregate that changed, such as a booking.
    pub aggregate: Uuid,
    /// Its version behind the change: consumers ignore older ones, and tolerate gaps.
    pub version: i64,
    /// Who changed it.
    pub actor: &'a Actor,
    /// When.
    pub time: Time,
}

/// Writes an event, to be published once the transaction has committed.
pub async fn put<E: Message + Name>(tx: &Tx, id: Uuid, cause: Cause<'_>, event: &E) -> Result<(), Error> {
    let row = ActiveModel {
        id: ActiveValue::Set(id),
        kind: ActiveValue::Set(E::full_name()),
        aggregate: ActiveValue::Set(cause.aggregate),
        version: ActiveValue::Set(cause.version),
        actor: ActiveValue::Set(cause.actor.0.clone()),
        trace: ActiveValue::Set(crate::layer::context::trace_parent()),
        payload: ActiveValue::Set(event.encode_to_vec()),
        create_time: ActiveValue::Set(cause.time),
        claim_time: ActiveValue::Set(None),
    };
    Entity::insert(row).exec_without_returning(&**tx).await?;
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
