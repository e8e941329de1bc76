//! Where in the price of a booking the amount lies that a lot was earned by.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A lot that was earned by what a price grew by is above what was paid before.
        let column = big_integer("above").default(0).take();
        manager.alter_table(Table::alter().table("point_lot").add_column(column).to_owned()).await
    }
}
