//! What tells which no-shows are still to be settled, by the column that says so.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Those with whom nothing is left to be done are many. An earlier release goes by `booking_missed`.
        let unsettled = "booking (last_date) WHERE state = 'NO_SHOW' AND NOT settled";
        index_concurrently(manager, "booking_unsettled", unsettled).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
