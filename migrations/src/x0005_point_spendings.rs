//! What tells what a booking has, or had last, of its member's points.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The one by which a booking has points once is without those that came back.
        let had = "point_spending (booking_id) WHERE booking_id IS NOT NULL";
        index_concurrently(manager, "point_spending_had", had).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
