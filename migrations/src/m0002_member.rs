//! Members, their sessions, and what they may do.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, boolean, string, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let member = Table::create()
            .table("member")
            .col(uuid("id").primary_key())
            .col(binary("email_index").unique_key())
            .col(binary("email_sealed"))
            .col(binary("phone_sealed"))
            .col(string("password_hash"))
            .col(string("display_name"))
            .col(string("locale"))
            .col(string("time_zone"))
            .col(boolean("seller"))
            .col(boolean("admin"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone("update_time"))
            .to_owned();
        manager.create_table(member).await?;

        let session = Table::create()
            .table("session")
            .col(uuid("id").primary_key())
            .col(uuid("member_id"))
            .col(string("address"))
            .col(string("user_agent"))
            .col(big_integer("generation"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone("refresh_time"))
            .col(timestamp_with_time_zone("expire_time"))
            .col(timestamp_with_time_zone_null("revoke_time"))
            .col(big_integer("version"))
            .to_owned();
        manager.create_table(session).await?;
        index(manager, "session", "session_member", &["member_id", "id"], false).await?;

        let login = Table::create()
            .table("login_event")
            .col(uuid("id").primary_key())
            .col(uuid_null("member_id"))
            .col(string("outcome"))
            .col(string("address"))
            .col(string("user_agent"))
            .col(timestamp_with_time_zone("create_time"))
            .to_owned();
        manager.create_table(login).await?;
        index(manager, "login_event", "login_event_member", &["member_id", "id"], false).await?;

        let grants = Table::create()
            .table("role_event")
            .col(uuid("id").primary_key())
            .col(uuid("member_id"))
            .col(string("role"))
            .col(boolean("granted"))
            .col(string("reason"))
            .col(string("actor"))
            .col(timestamp_with_time_zone("create_time"))
            .to_owned();
        manager.create_table(grants).await?;
        index(manager, "role_event", "role_event_member", &["member_id", "id"], false).await?;

        let application = Table::create()
            .table("seller_application")
            .col(uuid("id").primary_key())
            .col(uuid("member_id"))
            .col(string("business_name"))
            .col(string("business_number"))
            .col(string("note"))
            .col(string("state"))
            .col(string("decision_reason"))
            .col(uuid_null("decided_by"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone_null("decide_time"))
            .to_owned();
        manager.create_table(application).await?;
        index(manager, "seller_application", "seller_application_member", &["member_id", "id"], false).await?;
        index(manager, "seller_application", "seller_application_state", &["state", "id"], false).await?;
        let open = Index::create()
            .name("seller_application_open")
            .table("seller_application")
            .col("member_id")
            .unique()
            .and_where(Expr::col("state").eq("PENDING"))
            .to_owned();
        manager.create_index(open).await?;

        let keys = Table::create()
            .table("api_key")
            .col(uuid("id").primary_key())
            .col(binary("secret_hash").unique_key())
            .col(string("name"))
            .col(string("hint"))
            .col(string("scopes"))
            .col(uuid("created_by"))
            .col(uuid_null("revoked_by"))
            .col(timestamp_with_time_zone("create_time"))
            .col(timestamp_with_time_zone_null("expire_time"))
            .col(timestamp_with_time_zone_null("last_use_time"))
            .col(timestamp_with_time_zone_null("revoke_time"))
            .to_owned();
        manager.create_table(keys).await
    }
}
