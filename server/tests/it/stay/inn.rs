//! What tests of stays begin with: a listed property with one room type, one rate plan and thirty nights on sale.

use yeyak::Client;
use yeyak::proto::common::v1::{Date, Money};
use yeyak::proto::stay::v1::{
    CreatePropertyRequest, CreateRatePlanRequest, CreateRoomTypeRequest, GeoPoint, Guests, OpenPropertyRequest,
    Property, RatePlan, RatePlanPrice, Region, RoomType, SearchStaysRequest, UpdateCalendarRequest,
};

use crate::harness::Yeyak;

/// A listed property and its seller.
pub(crate) struct Inn {
    pub(crate) seller: Client,
    pub(crate) property: String,
    pub(crate) room_type: String,
    pub(crate) rate_plan: String,
}

pub(crate) fn won(minor_units: i64) -> Money {
    Money { currency_code: "KRW".into(), minor_units }
}

/// A day of April 2026; the tests begin in March. The first is a Wednesday.
pub(crate) fn april(day: i32) -> Option<Date> {
    Some(Date { year: 2026, month: 4, day })
}

pub(crate) fn property(name: &str, name_en: &str, region: Region) -> Property {
    Property {
        name: name.into(),
        name_en: name_en.into(),
        region: region.into(),
        address: "제주특별자치도 서귀포시 중문관광로 72".into(),
        location: Some(GeoPoint { latitude_e7: 332_480_000, longitude_e7: 1_264_120_000 }),
        ..Default::default()
    }
}

pub(crate) fn room_type(property_id: &str) -> RoomType {
    RoomType {
        property_id: property_id.into(),
        name: "디럭스 더블".into(),
        base_occupancy: 2,
        max_occupancy: 3,
        extra_guest_fee: Some(won(20_000)),
        room_count: 2,
        ..Default::default()
    }
}

impl Inn {
    /// `바다 펜션`, `Sea Pension`, in Jeju, at 100,000 won a night.
    pub(crate) async fn new(yeyak: &Yeyak) -> Self {
        Self::of(yeyak.seller().await, property("바다 펜션", "Sea Pension", Region::Jeju), 100_000).await
    }

    /// A property of a seller at a price a night, in the nights of April 2026.
    pub(crate) async fn of(seller: Client, property: Property, price: i64) -> Self {
        let request = CreatePropertyRequest { property: Some(property), ..Default::default() };
        let property = seller.properties().create_property(request).await.expect("creates").id;
        let request = CreateRoomTypeRequest { room_type: Some(room_type(&property)), ..Default::default() };
        let room_type = seller.room_types().create_room_type(request).await.expect("creates").id;
        let plan = RatePlan { room_type_id: room_type.clone(), name: "기본".into(), ..Default::default() };
        let request = CreateRatePlanRequest { rate_plan: Some(plan), ..Default::default() };
        let rate_plan = seller.rate_plans().create_rate_plan(request).await.expect("creates").id;
        let inn = Self { seller, property, room_type, rate_plan };
        let prices = vec![RatePlanPrice { rate_plan_id: inn.rate_plan.clone(), price: Some(won(price)) }];
        inn.set(UpdateCalendarRequest { prices, ..inn.nights(1, 30) }).await;
        let request = OpenPropertyRequest { id: inn.property.clone(), ..Default::default() };
        inn.seller.properties().open_property(request).await.expect("opens");
        inn
    }

    /// Nights of April, to be set.
    pub(crate) fn nights(&self, first: i32, end: i32) -> UpdateCalendarRequest {
        UpdateCalendarRequest {
            room_type_id: self.room_type.clone(),
            start_date: april(first),
            end_date: april(end),
            ..Default::default()
        }
    }

    pub(crate) async fn set(&self, request: UpdateCalendarRequest) {
        self.seller.calendars().update_calendar(request).await.expect("sets");
    }
}

/// Two guests in one room for some nights of April.
pub(crate) fn stay(first: i32, end: i32) -> SearchStaysRequest {
    SearchStaysRequest {
        check_in_date: april(first),
        check_out_date: april(end),
        guests: Some(Guests { adult_count: 2, child_count: 0 }),
        ..Default::default()
    }
}

/// The properties that a search finds, in order.
pub(crate) async fn found(client: &Client, request: SearchStaysRequest) -> Vec<String> {
    let answer = client.stay_search().search_stays(request).await.expect("searches");
    answer.offers.into_iter().filter_map(|offer| offer.property).map(|property| property.id).collect()
}
