//! What every domain rests on: records of requests, the outbox, queues, inboxes and leases.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, string, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let requests = Table::create()
            .table("request_record")
            .col(uuid("caller"))
            .col(string("method"))
            .col(uuid("request_id"))
            .col(binary("fingerprint"))
            .col(uuid("result"))
            .col(timestamp_with_time_zone("expire_time"))
            .primary_key(Index::create().col("caller").col("method").col("request_id"))
            .to_owned();
        manager.create_table(requests).await?;

        let outbox = Table::create()
            .table("outbox")
            .col(uuid("id").primary_key())
            .col(string("kind"))
            .col(uuid("aggregate"))
            .col(big_integer("version"))
            .col(string("actor"))
            .col(string("trace"))
            .col(binary("payload"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone_null("claim_time"))
            .to_owned();
        manager.create_table(outbox).await?;

        let queue = Table::create()
            .table("queue_message")
            .col(uuid("id"))
            .col(string("consumer"))
            .col(string("kind"))
            .col(uuid("aggregate"))
            .col(big_integer("version"))
            .col(string("actor"))
            .col(string("trace"))
            .col(binary("payload"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone("due_time"))
            .col(big_integer("failure_count"))
            .col(timestamp_with_time_zone_null("dead_time"))
            .primary_key(Index::create().col("consumer").col("id"))
            .to_owned();
        manager.create_table(queue).await?;
        index(manager, "queue_message", "queue_message_due_time", &["consumer", "due_time"], false).await?;

        let inbox = Table::create()
            .table("inbox")
            .col(string("consumer"))
            .col(uuid("event_id"))
            .col(timestamp_with_time_zone("create_time"))
            .primary_key(Index::create().col("consumer").col("event_id"))
            .to_owned();
        manager.create_table(inbox).await?;

        let lease = Table::create()
            .table("lease")
            .col(string("name").primary_key())
            .col(uuid("holder"))
            .col(big_integer("fence"))
            .col(timestamp_with_time_zone("expire_time"))
            .to_owned();
        manager.create_table(lease).await?;

        let keyring =
            Table::create().table("keyring").col(string("name").primary_key()).col(binary("content")).to_owned();
        manager.create_table(keyring).await
    }
}
