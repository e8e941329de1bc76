//! The table of changes of roles.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "role_event")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    pub(super) member_id: Uuid,
    pub(super) role: String,
    pub(super) granted: bool,
    pub(super) reason: String,
    pub(super) actor: String,
    pub(super) create_time: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
