//! The table of applications.

use sea_orm::entity::prelude::*;

use crate::kit::id::MemberId;

#[sea_orm::model]
#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "seller_application")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(super) id: Uuid,
    pub(super) member_id: Uuid,
    pub(super) business_name: String,
    pub(super) business_number: String,
    pub(super) note: String,
    pub(super) state: String,
    pub(super) decision_reason: String,
    pub(super) decided_by: Option<Uuid>,
    pub(super) create_time: DateTimeUtc,
    pub(super) decide_time: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

pub(super) fn of_member(member: MemberId) -> Select<Entity> {
    Entity::find().filter(Column::MemberId.eq(member.0))
}
