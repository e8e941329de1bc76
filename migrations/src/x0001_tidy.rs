//! What the jobs that tidy up look for, and what processes tell each other by.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "request_record_expire_time", "request_record (expire_time)").await?;
        index_concurrently(manager, "booking_event_create_time", "booking_event (create_time)").await?;
        index_concurrently(manager, "inbox_create_time", "inbox (create_time)").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
