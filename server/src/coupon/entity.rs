//! The tables of coupons.

use serde::{Deserialize, Serialize};

use super::discount::LineDiscount;
use super::kind::Term;

/// A benefit, as a column has it.
#[derive(Clone, Debug, Deserialize, PartialEq, sea_orm::FromJsonQueryResult, Serialize)]
pub(super) struct Benefit(pub(super) Term);

/// Conditions, as a column has them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, sea_orm::FromJsonQueryResult, Serialize)]
pub(super) struct Conditions(pub(super) Vec<Term>);

/// What a coupon takes off each line, as a column has it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, sea_orm::FromJsonQueryResult, Serialize)]
pub(super) struct Lines(pub(super) Vec<LineDiscount>);

pub(super) mod policy {
    use sea_orm::entity::prelude::*;

    use super::{Benefit, Conditions};

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_policy")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) id: Uuid,
        pub(in crate::coupon) seller_id: Option<Uuid>,
        pub(in crate::coupon) name: String,
        pub(in crate::coupon) description: String,
        pub(in crate::coupon) issuing: String,
        pub(in crate::coupon) benefit: Benefit,
        pub(in crate::coupon) conditions: Conditions,
        pub(in crate::coupon) total: Option<i64>,
        pub(in crate::coupon) per_member: i64,
        pub(in crate::coupon) per_member_daily: Option<i64>,
        pub(in crate::coupon) start_time: Option<DateTimeUtc>,
        pub(in crate::coupon) end_time: Option<DateTimeUtc>,
        pub(in crate::coupon) coupon_expire_time: Option<DateTimeUtc>,
        pub(in crate::coupon) valid_days: Option<i64>,
        pub(in crate::coupon) time_zone: String,
        pub(in crate::coupon) stacking_group: String,
        pub(in crate::coupon) exclusive: bool,
        pub(in crate::coupon) priority: i64,
        pub(in crate::coupon) seller_share: i64,
        pub(in crate::coupon) refund_policy: String,
        pub(in crate::coupon) grace_days: i64,
        pub(in crate::coupon) budget_currency: String,
        pub(in crate::coupon) budget: Option<i64>,
        pub(in crate::coupon) giftable: bool,
        pub(in crate::coupon) state: String,
        pub(in crate::coupon) version: i64,
        pub(in crate::coupon) gate_epoch: i64,
        pub(in crate::coupon) end_told: String,
        pub(in crate::coupon) created_by: String,
        pub(in crate::coupon) create_time: DateTimeUtc,
        pub(in crate::coupon) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod tally {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_tally")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) granted: i64,
        pub(in crate::coupon) budget_used: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod receipt {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_receipt")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) id: Uuid,
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) member_id: Uuid,
        pub(in crate::coupon) ordinal: Option<i64>,
        pub(in crate::coupon) place: Option<i64>,
        pub(in crate::coupon) day_slot: Option<i64>,
        pub(in crate::coupon) token: Uuid,
        pub(in crate::coupon) once: Option<Uuid>,
        pub(in crate::coupon) gift_of: Option<Uuid>,
        pub(in crate::coupon) expire_time: DateTimeUtc,
        pub(in crate::coupon) created_by: String,
        pub(in crate::coupon) create_time: DateTimeUtc,
        pub(in crate::coupon) cancel_time: Option<DateTimeUtc>,
        pub(in crate::coupon) cancel_reason: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod coupon {
    use sea_orm::entity::prelude::*;

    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) id: Uuid,
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) member_id: Uuid,
        pub(in crate::coupon) state: String,
        pub(in crate::coupon) version: i64,
        pub(in crate::coupon) expire_time: DateTimeUtc,
        pub(in crate::coupon) booking_id: Option<Uuid>,
        pub(in crate::coupon) hold_expire_time: Option<DateTimeUtc>,
        pub(in crate::coupon) gift_from: Option<Uuid>,
        pub(in crate::coupon) created_by: String,
        pub(in crate::coupon) create_time: DateTimeUtc,
        pub(in crate::coupon) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::coupon) fn of_member(member: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::MemberId.eq(member.0))
    }
}

pub(super) mod batch {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_code_batch")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) id: Uuid,
        pub(in crate::coupon) number: i64,
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) state: String,
        pub(in crate::coupon) code_count: i64,
        pub(in crate::coupon) uses_per_code: i64,
        pub(in crate::coupon) tag: String,
        pub(in crate::coupon) version: i64,
        pub(in crate::coupon) created_by: String,
        pub(in crate::coupon) create_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod code {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_code")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) batch_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) number: i64,
        pub(in crate::coupon) redeemed: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod guess {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_guess")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) member_id: Uuid,
        pub(in crate::coupon) wrong: i64,
        pub(in crate::coupon) since: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod run {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_grant_run")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) id: Uuid,
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) state: String,
        pub(in crate::coupon) audience: String,
        pub(in crate::coupon) joined_from: Option<DateTimeUtc>,
        pub(in crate::coupon) joined_before: Option<DateTimeUtc>,
        pub(in crate::coupon) position: Option<Uuid>,
        pub(in crate::coupon) total: Option<i64>,
        pub(in crate::coupon) done: i64,
        pub(in crate::coupon) granted: i64,
        pub(in crate::coupon) skipped: i64,
        pub(in crate::coupon) version: i64,
        pub(in crate::coupon) created_by: String,
        pub(in crate::coupon) create_time: DateTimeUtc,
        pub(in crate::coupon) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod listed {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_grant_member")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) member_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod mark {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_mark")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) name: String,
        pub(in crate::coupon) position: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod set_aside {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_set_aside")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) amount: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod applied {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "coupon_use")]
    pub(in crate::coupon) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) booking_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::coupon) coupon_id: Uuid,
        pub(in crate::coupon) policy_id: Uuid,
        pub(in crate::coupon) currency: String,
        pub(in crate::coupon) discount: i64,
        pub(in crate::coupon) seller_part: i64,
        pub(in crate::coupon) lines: super::Lines,
        pub(in crate::coupon) live: bool,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
