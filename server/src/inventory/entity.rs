//! The tables of inventory.

pub(super) mod room_night {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "room_night")]
    pub(in crate::inventory) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::inventory) room_type_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::inventory) date: Date,
        pub(in crate::inventory) total: i64,
        pub(in crate::inventory) held: i64,
        pub(in crate::inventory) sold: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod night_hold {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "night_hold")]
    pub(in crate::inventory) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::inventory) booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::inventory) line: i64,
        pub(in crate::inventory) room_type_id: Uuid,
        pub(in crate::inventory) check_in: Date,
        pub(in crate::inventory) check_out: Date,
        pub(in crate::inventory) room_count: i64,
        pub(in crate::inventory) state: String,
        pub(in crate::inventory) expire_time: Option<DateTimeUtc>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
