//! What tells which bookings are over.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "booking_last_date", "booking (state, last_date)").await?;
        // Those with whom nothing is left to be done are many.
        let missed = "booking (last_date) WHERE state = 'NO_SHOW' AND \
                      (paid > refunded + earned + refund_due + withheld OR points > points_back + point_share)";
        index_concurrently(manager, "booking_missed", missed).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
