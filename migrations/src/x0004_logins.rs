//! What tells which logins are of long ago.

use sea_orm_migration::prelude::*;

use crate::index_concurrently;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        index_concurrently(manager, "session_expired", "session (expire_time)").await?;
        index_concurrently(manager, "login_event_old", "login_event (create_time)").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
