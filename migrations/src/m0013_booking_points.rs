//! The points that bookings are paid by.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What was used, and what of it came back; what the seller was paid of it; and the money that was withheld from refunds
        // for points that it had earned and that were spent.
        for name in ["points", "points_back", "point_share", "withheld"] {
            let column = big_integer(name).default(0).take();
            manager.alter_table(Table::alter().table("booking").add_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
