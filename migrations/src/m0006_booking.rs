//! Bookings, what they took, and everything that happened to them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, boolean, date, string, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let booking = Table::create()
            .table("booking")
            .col(uuid("id").primary_key())
            .col(string("code").unique_key())
            .col(uuid("member_id"))
            .col(uuid("seller_id"))
            .col(uuid("property_id"))
            .col(string("property_name"))
            .col(string("time_zone"))
            .col(string("state"))
            .col(big_integer("version"))
            .col(string("currency"))
            .col(big_integer("total"))
            .col(big_integer("paid"))
            .col(big_integer("refunded"))
            .col(big_integer("fee"))
            // The cancellation fee that a change of dates left due.
            .col(big_integer("fee_floor"))
            .col(timestamp_with_time_zone_null("expire_time"))
            .col(timestamp_with_time_zone("hold_limit_time"))
            .col(date("first_date"))
            .col(date("last_date"))
            .col(boolean("needs_approval"))
            .col(string("late_payment"))
            // What a cancellation gives back, copied when it was booked; read and written whole.
            .col(text("terms"))
            .col(binary("guest_sealed"))
            .col(binary("guest_email_index"))
            .col(string("note"))
            .col(text("cancellation"))
            .col(string("created_by"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone("update_time"))
            .check(Expr::cust("refunded >= 0 AND refunded <= paid AND fee >= 0 AND total >= 0"))
            .to_owned();
        manager.create_table(booking).await?;
        index(manager, "booking", "booking_member", &["member_id", "id"], false).await?;
        index(manager, "booking", "booking_seller", &["seller_id", "id"], false).await?;
        index(manager, "booking", "booking_state", &["state", "expire_time"], false).await?;

        let line = Table::create()
            .table("booking_line")
            .col(uuid("booking_id"))
            .col(big_integer("line"))
            .col(uuid("room_type_id"))
            .col(string("room_type_name"))
            .col(uuid("rate_plan_id"))
            .col(date("check_in"))
            .col(date("check_out"))
            .col(big_integer("room_count"))
            .col(big_integer("adult_count"))
            .col(big_integer("child_count"))
            // The price of each night in order; read and written whole.
            .col(text("prices"))
            .primary_key(Index::create().col("booking_id").col("line"))
            .to_owned();
        manager.create_table(line).await?;

        let event = Table::create()
            .table("booking_event")
            .col(uuid("booking_id"))
            .col(big_integer("version"))
            .col(string("from_state"))
            .col(string("to_state"))
            .col(string("cause"))
            .col(string("actor"))
            .col(timestamp_with_time_zone("create_time"))
            .primary_key(Index::create().col("booking_id").col("version"))
            .to_owned();
        manager.create_table(event).await
    }
}
