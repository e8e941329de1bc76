//! Properties, their room types and rate plans, and the calendar.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, date, integer, integer_null, json, string, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(property()).await?;
        index(manager, "property", "property_seller", &["seller_id", "id"], false).await?;
        index(manager, "property", "property_touch_time", &["touch_time"], false).await?;
        manager.create_table(room_type()).await?;
        index(manager, "room_type", "room_type_property", &["property_id", "id"], false).await?;
        manager.create_table(rate_plan()).await?;
        index(manager, "rate_plan", "rate_plan_room_type", &["room_type_id", "id"], false).await?;
        index(manager, "rate_plan", "rate_plan_property", &["property_id"], false).await?;
        // The nights of a month are one row: a server reads a year of a hundred thousand room nights while it starts.
        manager.create_table(month("rate_month", "rate_plan_id", "prices")).await?;
        manager.create_table(month("room_month", "room_type_id", "nights")).await
    }
}

fn property() -> TableCreateStatement {
    Table::create()
        .table("property")
        .col(uuid("id").primary_key())
        .col(uuid("seller_id"))
        .col(string("name"))
        .col(string("name_en"))
        .col(string("region"))
        .col(string("address"))
        .col(integer_null("latitude_e7"))
        .col(integer_null("longitude_e7"))
        .col(text("description"))
        .col(string("state"))
        .col(string("time_zone"))
        .col(integer("check_in_minute"))
        .col(integer("check_out_minute"))
        .col(big_integer("amenities"))
        .col(json("house_rules"))
        .col(json("photos"))
        .col(string("currency"))
        .col(string("late_payment"))
        .col(string("confirmation"))
        .col(integer("rating_average"))
        .col(integer("review_count"))
        .col(big_integer("version"))
        // Grows with each change of the property and of all below it; the version of its listing in the search index.
        .col(big_integer("revision"))
        .col(timestamp_with_time_zone("touch_time"))
        .col(timestamp_with_time_zone_null("open_time"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .to_owned()
}

fn room_type() -> TableCreateStatement {
    Table::create()
        .table("room_type")
        .col(uuid("id").primary_key())
        .col(uuid("property_id"))
        .col(uuid("seller_id"))
        .col(string("name"))
        .col(text("description"))
        .col(integer("base_occupancy"))
        .col(integer("max_occupancy"))
        .col(big_integer("extra_guest_fee"))
        .col(string("currency"))
        .col(integer("room_count"))
        .col(string("state"))
        .col(big_integer("amenities"))
        .col(json("photos"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .to_owned()
}

fn rate_plan() -> TableCreateStatement {
    Table::create()
        .table("rate_plan")
        .col(uuid("id").primary_key())
        .col(uuid("room_type_id"))
        .col(uuid("property_id"))
        .col(uuid("seller_id"))
        .col(string("name"))
        .col(string("policy"))
        .col(json("tiers"))
        .col(integer("min_nights"))
        .col(integer("max_nights"))
        .col(integer("min_advance"))
        .col(integer_null("max_advance"))
        .col(string("meals"))
        .col(string("state"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .to_owned()
}

fn month(table: &'static str, owner: &'static str, values: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(uuid(owner))
        .col(date("month"))
        .col(text(values))
        .primary_key(Index::create().col(owner).col("month"))
        .to_owned()
}
