//! The quote that a booking was made of, which makes no other.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::binary_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Absent of bookings from before this.
        let tag = binary_null("quote_tag").take();
        manager.alter_table(Table::alter().table("booking").add_column(tag).to_owned()).await?;
        let once = "CREATE UNIQUE INDEX booking_quote ON booking (quote_tag) WHERE quote_tag IS NOT NULL";
        manager.get_connection().execute_unprepared(once).await.map(drop)
    }
}
