//! The queries of webhooks.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel, PaginatorTrait, TryInsertResult};

use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::forget;
use crate::kit::tx::Db;
use crate::payment::entity::webhook::{Column, Entity, Model};
use crate::payment::model::PaymentId;

/// Keeps a webhook; false when its transmission is kept already.
pub(in crate::payment) async fn insert_webhook(conn: &impl ConnectionTrait, webhook: &Model) -> Result<bool, Error> {
    let row = webhook.clone().into_active_model();
    let once = Entity::insert_many([row]).on_conflict_do_nothing_on([Column::Provider, Column::TransmissionId]);
    let written = once.exec_without_returning(conn).await?;
    Ok(matches!(written, TryInsertResult::Inserted(1)))
}

/// How many webhooks are kept of an attempt.
pub(in crate::payment) async fn webhook_count(conn: &impl ConnectionTrait, payment: PaymentId) -> Result<u64, Error> {
    Ok(Entity::find().filter(Column::PaymentId.eq(payment.0)).count(conn).await?)
}

/// Deletes a slice of the webhooks received until an instant; whether there may be more.
pub(in crate::payment) async fn forget_webhooks(db: &Db, until: Time) -> Result<bool, Error> {
    forget::until::<Entity>(db, Column::ReceiveTime, until).await
}
