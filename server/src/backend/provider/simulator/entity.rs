//! The tables of the simulator, in a file of its own: a provider remembers what its merchant forgets.

use sea_orm::entity::prelude::*;

use crate::kit::clock::Time;

/// The states of a payment, named as the API names them ("Toss Payments core API, Payment object, status").
#[derive(Clone, Copy, Debug, DeriveActiveEnum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(20))")]
pub(super) enum State {
    #[sea_orm(string_value = "READY")]
    Ready,
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    #[sea_orm(string_value = "WAITING_FOR_DEPOSIT")]
    WaitingForDeposit,
    #[sea_orm(string_value = "DONE")]
    Done,
    #[sea_orm(string_value = "PARTIAL_CANCELED")]
    PartlyCancelled,
    #[sea_orm(string_value = "CANCELED")]
    Cancelled,
    #[sea_orm(string_value = "ABORTED")]
    Aborted,
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
}

pub(super) mod payment {
    use super::*;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "payment")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        #[sea_orm(unique)]
        pub order_id: String,
        pub order_name: String,
        pub state: State,
        pub currency: String,
        /// What the buyer was shown.
        pub asked: i64,
        /// What was taken, or will be.
        pub total: i64,
        pub balance: i64,
        pub method: Option<String>,
        pub requested_time: Time,
        pub authenticated_time: Option<Time>,
        pub approved_time: Option<Time>,
        pub transaction_key: Option<String>,
        pub failure_code: Option<String>,
        pub secret: String,
        pub success_url: String,
        pub fail_url: String,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod cancel {
    use super::*;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "cancel")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        #[sea_orm(indexed)]
        pub payment_key: String,
        pub transaction_key: String,
        pub amount: i64,
        pub refundable: i64,
        pub reason: String,
        pub time: Time,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod replay {
    use super::*;

    /// The first answer given under an idempotency key.
    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "replay")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
        pub status: i32,
        pub body: String,
        #[sea_orm(indexed)]
        pub time: Time,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod delivery {
    use super::*;

    /// A webhook that is still to be delivered; a delivered one is deleted.
    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "delivery")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub transmission_id: String,
        #[sea_orm(indexed)]
        pub payment_key: String,
        pub url: String,
        pub body: String,
        #[sea_orm(indexed)]
        pub due_time: Time,
        pub retried_count: i32,
        /// Waits for the next webhook of the payment, to arrive behind it.
        pub held: bool,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod fault {
    use super::*;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "fault")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        /// The order that it hits; every order when absent.
        pub order_id: Option<String>,
        pub fault: String,
        pub left: i64,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
