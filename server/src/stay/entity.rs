//! The tables of stays.

use serde::{Deserialize, Serialize};

use super::model::{Photo, RefundTier};

/// Pictures, as a column has them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, sea_orm::FromJsonQueryResult, Serialize)]
pub(super) struct Photos(pub(super) Vec<PhotoColumn>);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct PhotoColumn {
    url: String,
    caption: String,
    width: u16,
    height: u16,
}

impl From<&[Photo]> for Photos {
    fn from(photos: &[Photo]) -> Self {
        let column = |photo: &Photo| {
            let Photo { url, caption, width, height } = photo.clone();
            PhotoColumn { url, caption, width, height }
        };
        Self(photos.iter().map(column).collect())
    }
}

impl From<Photos> for Vec<Photo> {
    fn from(photos: Photos) -> Self {
        let photo = |PhotoColumn { url, caption, width, height }| Photo { url, caption, width, height };
        photos.0.into_iter().map(photo).collect()
    }
}

/// Sentences, as a column has them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, sea_orm::FromJsonQueryResult, Serialize)]
pub(super) struct Lines(pub(super) Vec<String>);

/// Days before check-in and percent, as a column has them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, sea_orm::FromJsonQueryResult, Serialize)]
pub(super) struct Tiers(Vec<(u16, u8)>);

impl From<&[RefundTier]> for Tiers {
    fn from(tiers: &[RefundTier]) -> Self {
        Self(tiers.iter().map(|tier| (tier.days_before, tier.percent)).collect())
    }
}

impl From<Tiers> for Vec<RefundTier> {
    fn from(tiers: Tiers) -> Self {
        let tier = |(days_before, percent)| RefundTier { days_before, percent };
        tiers.0.into_iter().map(tier).collect()
    }
}

pub(super) mod property {
    use sea_orm::entity::prelude::*;

    use super::{Lines, Photos};
    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "property")]
    pub(in crate::stay) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) id: Uuid,
        pub(in crate::stay) seller_id: Uuid,
        pub(in crate::stay) name: String,
        pub(in crate::stay) name_en: String,
        pub(in crate::stay) region: String,
        pub(in crate::stay) address: String,
        pub(in crate::stay) latitude_e7: Option<i32>,
        pub(in crate::stay) longitude_e7: Option<i32>,
        pub(in crate::stay) description: String,
        pub(in crate::stay) state: String,
        pub(in crate::stay) time_zone: String,
        pub(in crate::stay) check_in_minute: i32,
        pub(in crate::stay) check_out_minute: i32,
        pub(in crate::stay) amenities: i64,
        pub(in crate::stay) house_rules: Lines,
        pub(in crate::stay) photos: Photos,
        pub(in crate::stay) currency: String,
        pub(in crate::stay) late_payment: String,
        pub(in crate::stay) confirmation: String,
        pub(in crate::stay) rating_average: i32,
        pub(in crate::stay) review_count: i32,
        pub(in crate::stay) version: i64,
        pub(in crate::stay) revision: i64,
        pub(in crate::stay) touch_time: DateTimeUtc,
        pub(in crate::stay) open_time: Option<DateTimeUtc>,
        pub(in crate::stay) create_time: DateTimeUtc,
        pub(in crate::stay) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::stay) fn of_seller(seller: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::SellerId.eq(seller.0))
    }
}

pub(super) mod room_type {
    use sea_orm::entity::prelude::*;

    use super::Photos;
    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "room_type")]
    pub(in crate::stay) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) id: Uuid,
        pub(in crate::stay) property_id: Uuid,
        pub(in crate::stay) seller_id: Uuid,
        pub(in crate::stay) name: String,
        pub(in crate::stay) description: String,
        pub(in crate::stay) base_occupancy: i32,
        pub(in crate::stay) max_occupancy: i32,
        /// In minor units of the currency; 0 for none.
        pub(in crate::stay) extra_guest_fee: i64,
        /// The property's.
        pub(in crate::stay) currency: String,
        pub(in crate::stay) room_count: i32,
        pub(in crate::stay) state: String,
        pub(in crate::stay) amenities: i64,
        pub(in crate::stay) photos: Photos,
        pub(in crate::stay) version: i64,
        pub(in crate::stay) create_time: DateTimeUtc,
        pub(in crate::stay) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::stay) fn of_seller(seller: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::SellerId.eq(seller.0))
    }
}

pub(super) mod rate_plan {
    use sea_orm::entity::prelude::*;

    use super::Tiers;
    use crate::kit::id::MemberId;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "rate_plan")]
    pub(in crate::stay) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) id: Uuid,
        pub(in crate::stay) room_type_id: Uuid,
        pub(in crate::stay) property_id: Uuid,
        pub(in crate::stay) seller_id: Uuid,
        pub(in crate::stay) name: String,
        pub(in crate::stay) policy: String,
        pub(in crate::stay) tiers: Tiers,
        pub(in crate::stay) min_nights: i32,
        pub(in crate::stay) max_nights: i32,
        pub(in crate::stay) min_advance: i32,
        pub(in crate::stay) max_advance: Option<i32>,
        pub(in crate::stay) meals: String,
        pub(in crate::stay) state: String,
        pub(in crate::stay) version: i64,
        pub(in crate::stay) create_time: DateTimeUtc,
        pub(in crate::stay) update_time: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(in crate::stay) fn of_seller(seller: MemberId) -> Select<Entity> {
        Entity::find().filter(Column::SellerId.eq(seller.0))
    }
}

/// A month of a rate plan: see [`super::calendar`].
pub(super) mod rate_month {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "rate_month")]
    pub(in crate::stay) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) rate_plan_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) month: Date,
        pub(in crate::stay) prices: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A month of a room type: see [`super::calendar`].
pub(super) mod room_month {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "room_month")]
    pub(in crate::stay) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) room_type_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::stay) month: Date,
        pub(in crate::stay) nights: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
