//! What tells which bookings are over.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "booking", "booking_last_date", "state, last_date").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
