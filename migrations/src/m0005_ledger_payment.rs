//! The ledger; payments, their refunds, and the webhooks of their providers.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, string, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ledger(manager).await?;
        payments(manager).await?;
        refunds(manager).await?;
        let webhook = Table::create()
            .table("payment_webhook")
            .col(uuid("id").primary_key())
            .col(string("provider"))
            .col(string("transmission_id"))
            .col(uuid("payment_id"))
            .col(text("body"))
            .col(timestamp_with_time_zone("receive_time"))
            .to_owned();
        manager.create_table(webhook).await?;
        let name = "payment_webhook_transmission";
        index(manager, "payment_webhook", name, &["provider", "transmission_id"], true).await?;
        index(manager, "payment_webhook", "payment_webhook_receive_time", &["receive_time"], false).await
    }
}

async fn ledger(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let transfer = Table::create()
        .table("ledger_transfer")
        .col(uuid("id").primary_key())
        .col(string("debit_account"))
        .col(string("credit_account"))
        .col(big_integer("amount"))
        .col(string("currency"))
        .col(string("cause"))
        .col(string("cause_id"))
        .col(uuid_null("booking_id"))
        .col(timestamp_with_time_zone("create_time"))
        .check(Expr::col("amount").gt(0))
        .to_owned();
    manager.create_table(transfer).await?;
    // What was recorded once is never recorded again.
    index(manager, "ledger_transfer", "ledger_transfer_cause", &["cause", "cause_id"], true).await?;
    index(manager, "ledger_transfer", "ledger_transfer_debit", &["debit_account", "id"], false).await?;
    index(manager, "ledger_transfer", "ledger_transfer_credit", &["credit_account", "id"], false).await?;
    index(manager, "ledger_transfer", "ledger_transfer_booking", &["booking_id", "id"], false).await
}

async fn payments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let payment = Table::create()
        .table("payment")
        .col(uuid("id").primary_key())
        .col(uuid("booking_id"))
        .col(big_integer("number"))
        .col(uuid("member_id"))
        .col(uuid("seller_id"))
        .col(string("currency"))
        .col(big_integer("amount"))
        .col(string("captured_currency"))
        .col(big_integer("captured"))
        .col(big_integer("refunded"))
        .col(string("state"))
        .col(string("provider"))
        .col(string("provider_key"))
        .col(string("failure_code"))
        .col(text("failure_message"))
        .col(string("idempotency_key").unique_key())
        .col(text("return_url"))
        .col(string("order_name"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .col(timestamp_with_time_zone("expire_time"))
        .col(timestamp_with_time_zone_null("confirm_time"))
        .col(timestamp_with_time_zone_null("next_ask_time"))
        .col(big_integer("ask_count"))
        .check(Expr::col("refunded").gte(0))
        .check(Expr::col("refunded").lte(Expr::col("captured")))
        .to_owned();
    manager.create_table(payment).await?;
    // Parallel attempts get different numbers, so that none slips past the limit.
    index(manager, "payment", "payment_number", &["booking_id", "number"], true).await?;
    // One attempt at a time: two could both take the money.
    let open = Index::create()
        .name("payment_open")
        .table("payment")
        .col("booking_id")
        .unique()
        .and_where(Expr::col("state").is_in(["READY", "CONFIRMING", "RECONCILING"]))
        .to_owned();
    manager.create_index(open).await?;
    index(manager, "payment", "payment_next_ask_time", &["state", "next_ask_time"], false).await?;
    index(manager, "payment", "payment_expire_time", &["state", "expire_time"], false).await
}

async fn refunds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let refund = Table::create()
        .table("refund")
        .col(uuid("id").primary_key())
        .col(uuid("payment_id"))
        .col(big_integer("amount"))
        .col(string("currency"))
        .col(string("state"))
        .col(text("reason"))
        .col(string("failure_code"))
        .col(string("idempotency_key").unique_key())
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone_null("done_time"))
        .col(timestamp_with_time_zone_null("next_try_time"))
        .col(big_integer("try_count"))
        .check(Expr::col("amount").gt(0))
        .to_owned();
    manager.create_table(refund).await?;
    index(manager, "refund", "refund_payment", &["payment_id", "id"], false).await?;
    index(manager, "refund", "refund_next_try_time", &["state", "next_try_time"], false).await
}
