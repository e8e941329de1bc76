//! The tables of bookings.

pub(super) mod booking {
    use sea_orm::entity::prelude::*;

    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "booking")]
    pub(in crate::booking) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::booking) id: Uuid,
        pub(in crate::booking) code: String,
        pub(in crate::booking) member_id: Uuid,
        pub(in crate::booking) seller_id: Uuid,
        pub(in crate::booking) property_id: Uuid,
        pub(in crate::booking) property_name: String,
        pub(in crate::booking) time_zone: String,
        pub(in crate::booking) state: String,
        pub(in crate::booking) version: i64,
        pub(in crate::booking) currency: String,
        pub(in crate::booking) total: i64,
        pub(in crate::booking) paid: i64,
        pub(in crate::booking) refunded: i64,
        pub(in crate::booking) fee: i64,
        pub(in crate::booking) fee_floor: i64,
        pub(in crate::booking) earned: i64,
        pub(in crate::booking) refund_due: i64,
        pub(in crate::booking) points: i64,
        pub(in crate::booking) points_back: i64,
        pub(in crate::booking) point_share: i64,
        pub(in crate::booking) settled: bool,
        pub(in crate::booking) withheld: i64,
        pub(in crate::booking) expire_time: Option<DateTimeUtc>,
        pub(in crate::booking) hold_limit_time: DateTimeUtc,
        pub(in crate::booking) first_date: Date,
        pub(in crate::booking) last_date: Date,
        pub(in crate::booking) needs_approval: bool,
        pub(in crate::booking) late_payment: String,
        pub(in crate::booking) terms: String,
        pub(in crate::booking) discounts: String,
        pub(in crate::booking) payment_method: String,
        pub(in crate::booking) guest_sealed: Vec<u8>,
        pub(in crate::booking) guest_email_index: Vec<u8>,
        pub(in crate::booking) note: String,
        pub(in crate::booking) cancellation: String,
        pub(in crate::booking) created_by: String,
        pub(in crate::booking) quote_tag: Option<Vec<u8>>,
        pub(in crate::booking) create_time: DateTimeUtc,
        pub(in crate::booking) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::booking) fn of_member(member: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::MemberId.eq(member.0))
    }

    pub(in crate::booking) fn of_seller(seller: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::SellerId.eq(seller.0))
    }
}

pub(super) mod line {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "booking_line")]
    pub(in crate::booking) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::booking) booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::booking) line: i64,
        pub(in crate::booking) room_type_id: Uuid,
        pub(in crate::booking) room_type_name: String,
        pub(in crate::booking) rate_plan_id: Uuid,
        pub(in crate::booking) check_in: Date,
        pub(in crate::booking) check_out: Date,
        pub(in crate::booking) room_count: i64,
        pub(in crate::booking) adult_count: i64,
        pub(in crate::booking) child_count: i64,
        pub(in crate::booking) prices: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod change {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "booking_change")]
    pub(in crate::booking) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::booking) booking_id: Uuid,
        pub(in crate::booking) id: Uuid,
        pub(in crate::booking) version: i64,
        pub(in crate::booking) line: String,
        pub(in crate::booking) discounts: String,
        pub(in crate::booking) terms: Option<String>,
        pub(in crate::booking) due: i64,
        pub(in crate::booking) fee_floor: i64,
        pub(in crate::booking) expire_time: Option<DateTimeUtc>,
        pub(in crate::booking) limit_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod event {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "booking_event")]
    pub(in crate::booking) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::booking) booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::booking) version: i64,
        pub(in crate::booking) from_state: String,
        pub(in crate::booking) to_state: String,
        pub(in crate::booking) cause: String,
        pub(in crate::booking) actor: String,
        pub(in crate::booking) create_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
