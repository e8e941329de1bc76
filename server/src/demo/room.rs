//! The room types and rate plans of a property of the demo.

use rand::Rng;
use rand::rngs::StdRng;
use yeyak_proto::yeyak::stay::v1::Amenity as A;

use super::nights;
use super::property::{Kind, Site, set};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::money::Currency;
use crate::serve::Platform;
use crate::stay::model::{
    CancellationPolicy, Meals, Occupancy, PlanTerms, Property, Rate, RatePlan, RatePlanId, RoomAbout, RoomType,
    RoomTypeId, SaleState,
};
use crate::stay::{NewPlan, NewRoom};

/// A room as its kind of house has it: its name, the guests in its price and at most, and its price in hundredths of the
/// smallest room's.
type Sort = (&'static str, u16, u16, i64);

const HOTEL: &[Sort] = &[
    ("스탠다드 더블", 2, 2, 100),
    ("디럭스 트윈", 2, 3, 130),
    ("패밀리 트윈", 3, 4, 165),
    ("주니어 스위트", 2, 4, 240),
];
const HOUSE: &[Sort] =
    &[("커플룸", 2, 2, 100), ("스탠다드룸", 2, 4, 120), ("패밀리룸", 4, 6, 170), ("복층룸", 4, 8, 210)];
const HANOK: &[Sort] = &[("사랑방", 2, 3, 100), ("안채", 4, 6, 180), ("별채", 2, 4, 140)];
const SHARED: &[Sort] = &[("싱글룸", 1, 1, 80), ("더블룸", 2, 2, 100), ("트윈룸", 2, 3, 115), ("4인실", 4, 4, 150)];

fn sorts(kind: Kind) -> &'static [Sort] {
    match kind {
        Kind::Hotel | Kind::Resort => HOTEL,
        Kind::Pension | Kind::PoolVilla | Kind::Stay => HOUSE,
        Kind::Hanok | Kind::Homestay => HANOK,
        Kind::Guesthouse => SHARED,
    }
}

/// Two to four room types, with two rate plans and so many nights each.
pub(super) fn rooms(
    platform: &Platform,
    rng: &mut StdRng,
    site: &Site,
    property: &Property,
    days: u16,
) -> Result<Vec<NewRoom>, Error> {
    let sorts = sorts(site.kind);
    let count = rng.random_range(2..=4).min(sorts.len());
    // Houses of a kind don't all cost the same.
    let level = rng.random_range(75..=135);
    let calendar = nights::calendar(platform, rng, days);
    let mut rooms = Vec::new();
    for (at, sort) in sorts.iter().take(count).enumerate() {
        let room_type = room_type(platform, rng, site, property, (at, sort))?;
        let base = site.kind.price() * level * sort.3 / 10_000;
        let flexible = nights::prices(&calendar, base);
        let saver = nights::prices(&calendar, base * 88 / 100);
        let plans = vec![
            plan(platform, &room_type, "기본 요금", CancellationPolicy::KrLodging, flexible),
            plan(platform, &room_type, "환불 불가 특가", CancellationPolicy::NonRefundable, saver),
        ];
        rooms.push(NewRoom { room_type, restrictions: nights::restrictions(&calendar), plans });
    }
    Ok(rooms)
}

fn room_type(
    platform: &Platform,
    rng: &mut StdRng,
    site: &Site,
    property: &Property,
    (at, (name, base, max, _)): (usize, &Sort),
) -> Result<RoomType, Error> {
    let now: Time = platform.kit.clock.now();
    let fee = if base < max { Rate::new(20_000).ok() } else { None };
    let mut amenities = vec![A::PrivateBathroom, A::Tv, A::Refrigerator, A::HairDryer];
    if site.town.coast && rng.random_ratio(1, 2) {
        amenities.push(A::OceanView);
    }
    if !site.town.coast && rng.random_ratio(1, 4) {
        amenities.push(A::MountainView);
    }
    let about = RoomAbout {
        name: (*name).to_owned(),
        description: format!("기준 {base}명, 최대 {max}명이 묵는 객실입니다."),
        occupancy: Occupancy::new(*base, *max, fee).map_err(Error::internal)?,
        room_count: rng.random_range(1..=site.kind.rooms()),
        amenities: set(amenities),
        photos: site.room_photos(at),
    };
    Ok(RoomType {
        id: RoomTypeId::new(&platform.kit.ids, now),
        property: property.id,
        seller: property.seller,
        about,
        currency: Currency::KRW,
        state: SaleState::Open,
        version: 1,
        create_time: now,
        update_time: now,
    })
}

fn plan(
    platform: &Platform,
    room_type: &RoomType,
    name: &str,
    policy: CancellationPolicy,
    prices: Vec<Option<Rate>>,
) -> NewPlan {
    let now = platform.kit.clock.now();
    let plan = RatePlan {
        id: RatePlanId::new(&platform.kit.ids, now),
        room_type: room_type.id,
        property: room_type.property,
        seller: room_type.seller,
        terms: PlanTerms { name: name.to_owned(), policy, meals: Meals::RoomOnly, ..PlanTerms::default() },
        state: SaleState::Open,
        version: 1,
        create_time: now,
        update_time: now,
    };
    NewPlan { plan, prices }
}
