//! No-shows of which nothing is left to be settled, by what an earlier release wrote of them. Beside the change of their table, which
//! nobody can read meanwhile.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let settled = "UPDATE booking SET settled = TRUE WHERE state = 'NO_SHOW' AND NOT settled AND (earned > 0 OR point_share > 0 \
                       OR (total > 0 AND paid <= refunded + refund_due + withheld AND points <= points_back))";
        manager.get_connection().execute_unprepared(settled).await.map(drop)
    }
}
