//! Coupons: what they are issued from, what was accepted, what members have, and what took off how much where.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, json, string, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::{index, unique_where_set};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        policies(manager).await?;
        issues(manager).await?;
        uses(manager).await?;
        codes(manager).await?;
        grants(manager).await
    }
}

async fn policies(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let policy = Table::create()
        .table("coupon_policy")
        .col(uuid("id").primary_key())
        // Absent: the platform's.
        .col(uuid_null("seller_id"))
        .col(string("name"))
        .col(text("description"))
        .col(string("issuing"))
        // Kind and parameters; read and written whole.
        .col(json("benefit"))
        .col(json("conditions"))
        .col(big_integer_null("total"))
        .col(big_integer("per_member"))
        .col(big_integer_null("per_member_daily"))
        .col(timestamp_with_time_zone_null("start_time"))
        .col(timestamp_with_time_zone_null("end_time"))
        // One of the two says how long a coupon is good.
        .col(timestamp_with_time_zone_null("coupon_expire_time"))
        .col(big_integer_null("valid_days"))
        .col(string("time_zone"))
        .col(string("stacking_group"))
        .col(boolean("exclusive"))
        .col(big_integer("priority"))
        .col(big_integer("seller_share"))
        .col(string("refund_policy"))
        .col(big_integer("grace_days"))
        .col(string("budget_currency"))
        .col(big_integer_null("budget"))
        .col(boolean("giftable"))
        .col(string("state"))
        .col(big_integer("version"))
        // Of the last rebuild of the gate.
        .col(big_integer("gate_epoch"))
        // Why it was told that the policy issues no more; empty until it was.
        .col(string("end_told"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .check(Expr::cust("(coupon_expire_time IS NULL) <> (valid_days IS NULL)"))
        .to_owned();
    manager.create_table(policy).await?;
    index(manager, "coupon_policy", "coupon_policy_seller", &["seller_id", "id"], false).await?;
    index(manager, "coupon_policy", "coupon_policy_state", &["state", "issuing", "id"], false).await?;

    // Apart from the policy, whose row everyone who accepts reads and keeps as it is.
    let tally = Table::create()
        .table("coupon_tally")
        .col(uuid("policy_id").primary_key())
        // Issued by code or grant; what was first come is counted by its places.
        .col(big_integer("granted"))
        .col(big_integer("budget_used"))
        .check(Expr::cust("granted >= 0 AND budget_used >= 0"))
        .to_owned();
    manager.create_table(tally).await
}

async fn issues(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let receipt = Table::create()
        .table("coupon_receipt")
        // The coupon has the same.
        .col(uuid("id").primary_key())
        .col(uuid("policy_id"))
        .col(uuid("member_id"))
        // Which of the member's it is. Absent, like the place, once it was taken back: another may have it then.
        .col(big_integer_null("ordinal"))
        // Absent too for what was not first come.
        .col(big_integer_null("place"))
        // The day and which of the member's on it, where the policy limits that.
        .col(big_integer_null("day_slot"))
        // By which request. Again in `once` where a member may have several, so that no request has two.
        .col(uuid("token"))
        .col(uuid_null("once"))
        // The coupon that its member was given by another. Such a row is no receipt, and cancelled from the beginning: it has
        // one of the ordinals of its member, so that a coupon counts for whom it was issued to and for who has it now.
        .col(uuid_null("gift_of"))
        // Of the coupon, by the policy as it was when this was accepted.
        .col(timestamp_with_time_zone("expire_time"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone_null("cancel_time"))
        .col(string("cancel_reason").default(""))
        .to_owned();
    manager.create_table(receipt).await?;
    index(manager, "coupon_receipt", "coupon_receipt_member", &["policy_id", "member_id", "ordinal"], true).await?;
    index(manager, "coupon_receipt", "coupon_receipt_place", &["policy_id", "place"], true).await?;
    unique_where_set(manager, "coupon_receipt", "coupon_receipt_day", "policy_id, member_id", "day_slot").await?;
    unique_where_set(manager, "coupon_receipt", "coupon_receipt_once", "policy_id, member_id", "once").await?;
    unique_where_set(manager, "coupon_receipt", "coupon_receipt_gift", "policy_id", "gift_of").await?;

    let coupon = Table::create()
        .table("coupon")
        .col(uuid("id").primary_key())
        .col(uuid("policy_id"))
        .col(uuid("member_id"))
        .col(string("state"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("expire_time"))
        .col(uuid_null("booking_id"))
        // Until when a booking that is not paid holds it; absent while its payment is under way.
        .col(timestamp_with_time_zone_null("hold_expire_time"))
        .col(uuid_null("gift_from"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .to_owned();
    manager.create_table(coupon).await?;
    index(manager, "coupon", "coupon_member", &["member_id", "id"], false).await?;

    // How far work has come that looks at receipts in the order of their ids.
    let mark = Table::create().table("coupon_mark").col(string("name").primary_key()).col(uuid("position")).to_owned();
    manager.create_table(mark).await
}

async fn uses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let used = Table::create()
        .table("coupon_use")
        .col(uuid("booking_id"))
        .col(uuid("coupon_id"))
        .col(uuid("policy_id"))
        .col(string("currency"))
        // What it takes off, and what of that the seller pays.
        .col(big_integer("discount"))
        .col(big_integer("seller_part"))
        // The same for each line; read and written whole.
        .col(json("lines"))
        // Whether its booking holds or has used it; else it was released or given back.
        .col(boolean("live"))
        .primary_key(Index::create().col("booking_id").col("coupon_id"))
        .check(Expr::cust("discount > 0 AND seller_part >= 0 AND seller_part <= discount"))
        .to_owned();
    manager.create_table(used).await?;
    index(manager, "coupon_use", "coupon_use_policy", &["policy_id"], false).await
}

async fn codes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let batch = Table::create()
        .table("coupon_code_batch")
        .col(uuid("id").primary_key())
        // What its codes name it by.
        .col(big_integer("number").unique_key())
        .col(uuid("policy_id"))
        .col(string("state"))
        .col(big_integer("code_count"))
        .col(big_integer("uses_per_code"))
        .col(string("tag"))
        .col(big_integer("version"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .to_owned();
    manager.create_table(batch).await?;
    index(manager, "coupon_code_batch", "coupon_code_batch_policy", &["policy_id", "id"], false).await?;

    // A code has a row once it was redeemed; before that it is nowhere but in its batch's export.
    let code = Table::create()
        .table("coupon_code")
        .col(uuid("batch_id"))
        .col(big_integer("number"))
        .col(big_integer("redeemed"))
        .primary_key(Index::create().col("batch_id").col("number"))
        .check(Expr::cust("redeemed >= 0"))
        .to_owned();
    manager.create_table(code).await?;

    // How many wrong codes a member has tried of late.
    let guess = Table::create()
        .table("coupon_guess")
        .col(uuid("member_id").primary_key())
        .col(big_integer("wrong"))
        .col(timestamp_with_time_zone("since"))
        .to_owned();
    manager.create_table(guess).await
}

async fn grants(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let run = Table::create()
        .table("coupon_grant_run")
        .col(uuid("id").primary_key())
        .col(uuid("policy_id"))
        .col(string("state"))
        .col(string("audience"))
        .col(timestamp_with_time_zone_null("joined_from"))
        .col(timestamp_with_time_zone_null("joined_before"))
        // The last member that was looked at.
        .col(uuid_null("position"))
        .col(big_integer_null("total"))
        .col(big_integer("done"))
        .col(big_integer("granted"))
        .col(big_integer("skipped"))
        .col(big_integer("version"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .to_owned();
    manager.create_table(run).await?;
    index(manager, "coupon_grant_run", "coupon_grant_run_policy", &["policy_id", "id"], false).await?;
    index(manager, "coupon_grant_run", "coupon_grant_run_state", &["state"], false).await?;

    let member = Table::create()
        .table("coupon_grant_member")
        .col(uuid("run_id"))
        .col(uuid("member_id"))
        .primary_key(Index::create().col("run_id").col("member_id"))
        .to_owned();
    manager.create_table(member).await
}
