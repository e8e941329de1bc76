//! What coupons take off bookings.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string, text, uuid};

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
        manager.alter_table(Table::alter().table("booking_change").add_column(discounts()).to_owned()).await?;
        // What the coupons of a change that is to be paid take off more; counted of the budgets already.
        let set_aside = Table::create()
            .table("coupon_set_aside")
            .col(uuid("booking_id"))
            .col(uuid("policy_id"))
            .col(big_integer("amount"))
            .primary_key(Index::create().col("booking_id").col("policy_id"))
            .check(Expr::col("amount").gt(0))
            .to_owned();
        manager.create_table(set_aside).await
    }
}
