//! What tells how many webhooks there are of a payment.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "payment_webhook_payment", "payment_webhook (payment_id)").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
