//! The order of an aggregate's events, without what tells which event one is: whoever looks for an event goes by that alone.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "outbox_turn", "outbox (aggregate, version)").await?;
        // PostgreSQL would go through all of it to find some events by id, while it believes that the outbox is empty.
        manager.get_connection().execute_unprepared("DROP INDEX IF EXISTS outbox_order").await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
