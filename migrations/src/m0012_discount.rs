//! What coupons take off bookings.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Read and written whole.
        let discounts = || text("discounts").default("[]").take();
        let booking = [discounts(), string("payment_method").default("").take()];
        for column in booking {
            manager.alter_table(Table::alter().table("booking").add_column(column).to_owned()).await?;
        }
        manager.alter_table(Table::alter().table("booking_change").add_column(discounts()).to_owned()).await
    }
}
