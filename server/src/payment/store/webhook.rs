//! The queries of webhooks.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel, TryInsertResult};

use crate::error::Error;
use crate::kit::clock::Time;
use crate::payment::entity::webhook::{Column, Entity, Model};

/// Keeps a webhook; false when its transmission is kept already.
pub(in crate::payment) async fn insert_webhook(conn: &impl ConnectionTrait, webhook: &Model) -> Result<bool, Error> {
    let row = webhook.clone().into_active_model();
    let once = Entity::insert_many([row]).on_conflict_do_nothing_on([Column::Provider, Column::TransmissionId]);
    let written = once.exec_without_returning(conn).await?;
    Ok(matches!(written, TryInsertResult::Inserted(1)))
}

/// Deletes the webhooks received before an instant; how many.
pub(in crate::payment) async fn forget_webhooks(conn: &impl ConnectionTrait, before: Time) -> Result<u64, Error> {
    let gone = Entity::delete_many().filter(Column::ReceiveTime.lt(before)).exec(conn).await?;
    Ok(gone.rows_affected)
}
