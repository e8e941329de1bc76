//! Rooms for each night, and who has them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, date, string, timestamp_with_time_zone_null, uuid};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let night = Table::create()
            .table("room_night")
            .col(uuid("room_type_id"))
            .col(date("date"))
            .col(big_integer("total"))
            .col(big_integer("held"))
            .col(big_integer("sold"))
            .primary_key(Index::create().col("room_type_id").col("date"))
            // The last guard against overselling: no code path gets past it.
            .check(Expr::cust("held >= 0 AND sold >= 0 AND held + sold <= total"))
            .to_owned();
        manager.create_table(night).await?;

        let hold = Table::create()
            .table("night_hold")
            .col(uuid("booking_id"))
            .col(big_integer("line"))
            .col(uuid("room_type_id"))
            .col(date("check_in"))
            .col(date("check_out"))
            .col(big_integer("room_count"))
            .col(string("state"))
            .col(timestamp_with_time_zone_null("expire_time"))
            .primary_key(Index::create().col("booking_id").col("line"))
            .to_owned();
        manager.create_table(hold).await?;
        index(manager, "night_hold", "night_hold_room_type", &["room_type_id", "check_out"], false).await
    }
}
