//! The tables of payments.

pub(super) mod payment {
    use sea_orm::entity::prelude::*;

    use crate::kit::id::BookingId;
    use crate::payment::model::State;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "payment")]
    pub(in crate::payment) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::payment) id: Uuid,
        pub(in crate::payment) booking_id: Uuid,
        pub(in crate::payment) number: i64,
        pub(in crate::payment) member_id: Uuid,
        pub(in crate::payment) seller_id: Uuid,
        pub(in crate::payment) currency: String,
        pub(in crate::payment) amount: i64,
        pub(in crate::payment) captured_currency: String,
        pub(in crate::payment) captured: i64,
        pub(in crate::payment) refunded: i64,
        pub(in crate::payment) counted: bool,
        pub(in crate::payment) change_id: Option<Uuid>,
        pub(in crate::payment) state: State,
        pub(in crate::payment) provider: String,
        pub(in crate::payment) provider_key: String,
        pub(in crate::payment) failure_code: String,
        pub(in crate::payment) failure_message: String,
        pub(in crate::payment) idempotency_key: String,
        pub(in crate::payment) return_url: String,
        pub(in crate::payment) order_name: String,
        pub(in crate::payment) version: i64,
        pub(in crate::payment) create_time: DateTimeUtc,
        pub(in crate::payment) update_time: DateTimeUtc,
        pub(in crate::payment) expire_time: DateTimeUtc,
        pub(in crate::payment) confirm_time: Option<DateTimeUtc>,
        pub(in crate::payment) next_ask_time: Option<DateTimeUtc>,
        pub(in crate::payment) ask_count: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::payment) fn of_booking(booking: BookingId) -> Select<Entity> {
        Entity::find().filter(Column::BookingId.eq(booking.0))
    }
}

pub(super) mod refund {
    use sea_orm::entity::prelude::*;

    use crate::payment::model::{PaymentId, RefundState};

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "refund")]
    pub(in crate::payment) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::payment) id: Uuid,
        pub(in crate::payment) payment_id: Uuid,
        pub(in crate::payment) amount: i64,
        pub(in crate::payment) currency: String,
        pub(in crate::payment) state: RefundState,
        pub(in crate::payment) reason: String,
        pub(in crate::payment) failure_code: String,
        pub(in crate::payment) idempotency_key: String,
        pub(in crate::payment) create_time: DateTimeUtc,
        pub(in crate::payment) done_time: Option<DateTimeUtc>,
        pub(in crate::payment) next_try_time: Option<DateTimeUtc>,
        pub(in crate::payment) try_count: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::payment) fn of_payment(payment: PaymentId) -> Select<Entity> {
        Entity::find().filter(Column::PaymentId.eq(payment.0))
    }
}

pub(super) mod webhook {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "payment_webhook")]
    pub(in crate::payment) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::payment) id: Uuid,
        pub(in crate::payment) provider: String,
        pub(in crate::payment) transmission_id: String,
        pub(in crate::payment) payment_id: Uuid,
        pub(in crate::payment) body: String,
        pub(in crate::payment) receive_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
