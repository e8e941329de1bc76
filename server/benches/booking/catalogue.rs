//! What is booked: properties of a seller, and members who book.

use chrono::{Datelike, Days, NaiveDate};
use futures::StreamExt;
use futures::future::try_join_all;
use yeyak::Client;
use yeyak::proto::common::v1::{Date, Money as ProtoMoney};
use yeyak::proto::member::v1::{ApproveSellerApplicationRequest, CreateSellerApplicationRequest};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::{ConfirmationMode, LatePaymentPolicy};
use yeyak::proto::stay::v1::{
    CancellationPolicy, CreatePropertyRequest, CreateRatePlanRequest, CreateRoomTypeRequest, GeoPoint,
    OpenPropertyRequest, Property, RatePlan, RatePlanPrice, Region, RoomType, UpdateCalendarRequest,
};

use crate::{Failure, PASSWORD};

/// Of each room type: more than a run can book in a night.
const ROOMS: i32 = 10_000;
const REGIONS: i32 = 17;

/// What can be booked.
pub(crate) struct Room {
    pub(crate) room_type: String,
    pub(crate) rate_plan: String,
}

/// The day that the bench runs on.
fn today() -> NaiveDate {
    chrono::Local::now().date_naive()
}

fn date(day: NaiveDate) -> Option<Date> {
    let [month, day_of_month] = [day.month(), day.day()].map(|part| i32::try_from(part).expect("at most 31"));
    Some(Date { year: day.year(), month, day: day_of_month })
}

/// One or two nights within the next three months.
pub(crate) fn stay(turn: u64) -> (Option<Date>, Option<Date>) {
    let check_in = today() + Days::new(7 + turn / 17 % 80);
    (date(check_in), date(check_in + Days::new(1 + turn % 2)))
}

async fn room(seller: &Client, number: usize) -> Result<Room, yeyak::Error> {
    let place = i32::try_from(number).expect("is small");
    let property = Property {
        name: format!("바다가 보이는 집 {number}"),
        name_en: format!("House by the Sea {number}"),
        region: place % REGIONS + 1,
        address: "바닷가길 1".into(),
        location: Some(GeoPoint { latitude_e7: 334_600_000 + place * 1000, longitude_e7: 1_263_100_000 }),
        confirmation_mode: ConfirmationMode::Instant.into(),
        late_payment_policy: LatePaymentPolicy::Refund.into(),
        ..Default::default()
    };
    debug_assert!(Region::try_from(property.region).is_ok());
    let create = CreatePropertyRequest { property: Some(property), ..Default::default() };
    let property = seller.properties().create_property(create).await?;
    let room_type = RoomType {
        property_id: property.id.clone(),
        name: "온돌방".into(),
        base_occupancy: 2,
        max_occupancy: 4,
        room_count: ROOMS,
        ..Default::default()
    };
    let create = CreateRoomTypeRequest { room_type: Some(room_type), ..Default::default() };
    let room_type = seller.room_types().create_room_type(create).await?;
    let rate_plan = RatePlan {
        room_type_id: room_type.id.clone(),
        name: "기본".into(),
        cancellation_policy: Some(CancellationPolicy { preset: Preset::Flexible.into(), tiers: Vec::new() }),
        ..Default::default()
    };
    let create = CreateRatePlanRequest { rate_plan: Some(rate_plan), ..Default::default() };
    let rate_plan = seller.rate_plans().create_rate_plan(create).await?;
    let price = ProtoMoney { currency_code: "KRW".into(), minor_units: 80_000 + i64::from(place % 50) * 1000 };
    let today = today();
    let calendar = UpdateCalendarRequest {
        room_type_id: room_type.id.clone(),
        start_date: date(today),
        end_date: date(today + Days::new(120)),
        prices: vec![RatePlanPrice { rate_plan_id: rate_plan.id.clone(), price: Some(price) }],
        ..Default::default()
    };
    seller.calendars().update_calendar(calendar).await?;
    let open = OpenPropertyRequest { id: property.id, ..Default::default() };
    seller.properties().open_property(open).await?;
    Ok(Room { room_type: room_type.id, rate_plan: rate_plan.id })
}

/// A member who may sell, and an admin who says so.
async fn seller(client: &Client) -> Result<Client, yeyak::Error> {
    let (seller, admin) = (client.anonymous(), client.anonymous());
    seller.sign_up("seller@example.kr", PASSWORD, "민박").await?;
    admin.log_in("admin@example.kr", PASSWORD).await?;
    let application = CreateSellerApplicationRequest {
        business_name: "바다 민박".into(),
        business_number: "123-45-67891".into(),
        ..Default::default()
    };
    let application = seller.seller_applications().create_seller_application(application).await?;
    let approve = ApproveSellerApplicationRequest { id: application.id, ..Default::default() };
    admin.seller_applications().approve_seller_application(approve).await?;
    Ok(seller)
}

pub(crate) async fn catalogue(client: &Client, count: usize) -> Result<Vec<Room>, Failure> {
    let seller = seller(client).await?;
    let made = futures::stream::iter(0..count).map(|number| room(&seller, number)).buffered(16);
    let rooms: Vec<_> = made.collect().await;
    Ok(rooms.into_iter().collect::<Result<_, _>>()?)
}

pub(crate) async fn members(client: &Client, count: usize) -> Result<Vec<Client>, Failure> {
    let sign_up = |number| async move {
        let member = client.anonymous();
        member.sign_up(&format!("member{number}@example.kr"), PASSWORD, "민아").await?;
        Ok::<_, Failure>(member)
    };
    try_join_all((0..count).map(sign_up)).await
}
