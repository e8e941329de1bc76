//! What a cancellation gives back once a booking has moved.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // None of a change that an earlier release has put there: its booking keeps the terms that it has.
        let column = text_null("terms").take();
        manager.alter_table(Table::alter().table("booking_change").add_column(column).to_owned()).await
    }
}
