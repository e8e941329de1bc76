//! The table of API keys.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "api_key")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    pub(super) secret_hash: Vec<u8>,
    pub(super) name: String,
    pub(super) hint: String,
    pub(super) scopes: String,
    pub(super) created_by: Uuid,
    pub(super) revoked_by: Option<Uuid>,
    pub(super) create_time: DateTimeUtc,
    pub(super) expire_time: Option<DateTimeUtc>,
    pub(super) last_use_time: Option<DateTimeUtc>,
    pub(super) revoke_time: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
