//! What was written off of a lot, which is taken when it comes back.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What was written off before this is forgiven.
        let column = big_integer("written_off").default(0).take();
        manager.alter_table(Table::alter().table("point_lot").add_column(column).to_owned()).await
    }
}
