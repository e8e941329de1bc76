//! The tables of members.

pub(super) mod member {
    use sea_orm::entity::prelude::*;

    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "member")]
    pub(in crate::member) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::member) id: Uuid,
        pub(in crate::member) email_index: Vec<u8>,
        pub(in crate::member) email_sealed: Vec<u8>,
        pub(in crate::member) phone_sealed: Vec<u8>,
        pub(in crate::member) password_hash: String,
        pub(in crate::member) display_name: String,
        pub(in crate::member) locale: String,
        pub(in crate::member) time_zone: String,
        pub(in crate::member) seller: bool,
        pub(in crate::member) admin: bool,
        pub(in crate::member) version: i64,
        pub(in crate::member) create_time: DateTimeUtc,
        pub(in crate::member) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::member) fn by_id(id: MemberId) -> Select<Entity> {
        Entity::find_by_id(id.0)
    }
}

pub(super) mod session {
    use sea_orm::entity::prelude::*;

    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "session")]
    pub(in crate::member) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::member) id: Uuid,
        pub(in crate::member) member_id: Uuid,
        pub(in crate::member) address: String,
        pub(in crate::member) user_agent: String,
        pub(in crate::member) generation: i64,
        pub(in crate::member) create_time: DateTimeUtc,
        pub(in crate::member) refresh_time: DateTimeUtc,
        pub(in crate::member) expire_time: DateTimeUtc,
        pub(in crate::member) revoke_time: Option<DateTimeUtc>,
        pub(in crate::member) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::member) fn of_member(member: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::MemberId.eq(member.0))
    }
}

pub(super) mod login_event {
    use sea_orm::entity::prelude::*;

    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "login_event")]
    pub(in crate::member) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::member) id: Uuid,
        pub(in crate::member) member_id: Option<Uuid>,
        pub(in crate::member) outcome: String,
        pub(in crate::member) address: String,
        pub(in crate::member) user_agent: String,
        pub(in crate::member) create_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::member) fn of_member(member: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::MemberId.eq(member.0))
    }
}
