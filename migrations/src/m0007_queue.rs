//! Many relays on one outbox: events of one aggregate are found by their order. And why a message was put aside.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_null;

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index(manager, "outbox", "outbox_order", &["aggregate", "version", "id"], false).await?;
        let reason = Table::alter().table("queue_message").add_column(string_null("error")).to_owned();
        manager.alter_table(reason).await
    }
}
