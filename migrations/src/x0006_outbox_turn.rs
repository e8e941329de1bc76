//! The order of an aggregate's events, without what tells which event one is: whoever looks for an event goes by that alone.

use sea_orm_migration::prelude::*;

use crate::{drop_index_concurrently, index_concurrently};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "outbox_turn", "outbox (aggregate, version)").await?;
        // PostgreSQL would go through all of it to find some events by id, while it believes that the outbox is empty.
        drop_index_concurrently(manager, "outbox_order").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
