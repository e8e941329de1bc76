//! Whether what a no-show leaves has become its seller's: what the guest has paid can't say so where that is nothing.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::boolean;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean("settled").default(false).take();
        manager.alter_table(Table::alter().table("booking").add_column(column).to_owned()).await
    }
}
