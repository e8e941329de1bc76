//! Moves to dearer dates: what is to be paid first, and what is held meanwhile.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let change = Table::create()
            .table("booking_change")
            // One at a time for each booking.
            .col(uuid("booking_id").primary_key())
            .col(uuid("id"))
            // Of the booking that it moves: any other change of it ends this one.
            .col(big_integer("version"))
            // What is taken then; read and written whole.
            .col(text("line"))
            .col(big_integer("due"))
            .col(big_integer("fee_floor"))
            // Absent while a provider is being asked for the money.
            .col(timestamp_with_time_zone_null("expire_time"))
            .col(timestamp_with_time_zone("limit_time"))
            .check(Expr::col("due").gt(0))
            .to_owned();
        manager.create_table(change).await?;
        let paid_for = Table::alter().table("payment").add_column(uuid_null("change_id").take()).to_owned();
        manager.alter_table(paid_for).await
    }
}
