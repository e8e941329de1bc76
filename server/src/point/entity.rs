//! The tables of points.

pub(super) mod wallet {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "point_wallet")]
    pub(in crate::point) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::point) member_id: Uuid,
        pub(in crate::point) version: i64,
        pub(in crate::point) available: i64,
        pub(in crate::point) pending: i64,
        pub(in crate::point) reserved: i64,
        pub(in crate::point) owed: i64,
        pub(in crate::point) change_time: Option<DateTimeUtc>,
        pub(in crate::point) movement_count: i64,
        pub(in crate::point) gift_day: i64,
        pub(in crate::point) gift_points: i64,
        pub(in crate::point) earn_month: i64,
        pub(in crate::point) earn_points: i64,
        pub(in crate::point) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod lot {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "point_lot")]
    pub(in crate::point) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::point) id: Uuid,
        pub(in crate::point) member_id: Uuid,
        pub(in crate::point) cause: String,
        pub(in crate::point) reference: String,
        pub(in crate::point) booking_id: Option<Uuid>,
        pub(in crate::point) points: i64,
        pub(in crate::point) remaining: i64,
        pub(in crate::point) base: Option<i64>,
        pub(in crate::point) above: i64,
        pub(in crate::point) clawed: i64,
        pub(in crate::point) written_off: i64,
        pub(in crate::point) pending: bool,
        pub(in crate::point) available_time: DateTimeUtc,
        pub(in crate::point) expire_time: DateTimeUtc,
        pub(in crate::point) create_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod movement {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "point_movement")]
    pub(in crate::point) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::point) id: Uuid,
        pub(in crate::point) member_id: Uuid,
        pub(in crate::point) number: i64,
        pub(in crate::point) version: i64,
        pub(in crate::point) cause: String,
        pub(in crate::point) amount: i64,
        pub(in crate::point) held: i64,
        pub(in crate::point) balance: i64,
        pub(in crate::point) pieces: String,
        pub(in crate::point) booking_id: Option<Uuid>,
        pub(in crate::point) spending_id: Option<Uuid>,
        pub(in crate::point) reference: String,
        pub(in crate::point) actor: String,
        pub(in crate::point) effective_time: DateTimeUtc,
        pub(in crate::point) create_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod spending {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "point_spending")]
    pub(in crate::point) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::point) id: Uuid,
        pub(in crate::point) member_id: Uuid,
        pub(in crate::point) booking_id: Option<Uuid>,
        pub(in crate::point) state: String,
        pub(in crate::point) points: i64,
        pub(in crate::point) given_back: i64,
        pub(in crate::point) pieces: String,
        pub(in crate::point) reference: String,
        pub(in crate::point) hold_expire_time: Option<DateTimeUtc>,
        pub(in crate::point) wallet_version: i64,
        pub(in crate::point) actor: String,
        pub(in crate::point) create_time: DateTimeUtc,
        pub(in crate::point) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod policy {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "point_policy")]
    pub(in crate::point) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::point) id: i64,
        pub(in crate::point) version: i64,
        pub(in crate::point) earn_rate: i64,
        pub(in crate::point) earn_cap: Option<i64>,
        pub(in crate::point) monthly_earn_cap: Option<i64>,
        pub(in crate::point) campaigns: String,
        pub(in crate::point) tiers: String,
        pub(in crate::point) expiry_months: i64,
        pub(in crate::point) claw_back: String,
        pub(in crate::point) grace_days: i64,
        pub(in crate::point) gift_cap: i64,
        pub(in crate::point) daily_gift_cap: i64,
        pub(in crate::point) updated_by: String,
        pub(in crate::point) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
