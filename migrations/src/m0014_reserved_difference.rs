//! What the reservations of a wallet that differs add up to, and on which days it differed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = big_integer("reservations").default(0).take();
        manager.alter_table(Table::alter().table("point_difference").add_column(column).to_owned()).await?;
        // A wallet that is right by now is looked for on every day.
        let differing = "CREATE INDEX point_difference_member ON point_difference (member_id) WHERE NOT repaired";
        manager.get_connection().execute_unprepared(differing).await.map(drop)
    }
}
