//! Properties, room types and rate plans, and whose they are.

use chrono::TimeDelta;
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::{
    CancellationPolicy, ClosePropertyRequest, CloseRatePlanRequest, CloseRoomTypeRequest, CreatePropertyRequest,
    CreateRatePlanRequest, CreateRoomTypeRequest, GetPropertyRequest, GetRatePlanRequest, GetRoomTypeRequest,
    ListPropertiesRequest, ListRatePlansRequest, ListRoomTypesRequest, OpenPropertyRequest, OpenRatePlanRequest,
    OpenRoomTypeRequest, Photo, Property, RatePlan, RefundTier, Region, RoomType, StayLimits, UpdateCalendarRequest,
    UpdatePropertyRequest, UpdateRatePlanRequest, UpdateRoomTypeRequest, property,
};
use yeyak::{Client, Error, ErrorReason};

use super::inn::{Inn, found, room_type, stay, won};
use crate::harness::Yeyak;

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn renamed(id: &str, name: &str, etag: &str) -> UpdatePropertyRequest {
    let property = Property { id: id.into(), name: name.into(), etag: etag.into(), ..Default::default() };
    UpdatePropertyRequest { property: Some(property), update_mask: mask(&["name"]), ..Default::default() }
}

#[tokio::test]
async fn a_property_is_its_sellers_until_it_is_complete_and_open() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let draft = super::inn::property("산장", "", Region::Gangwon);
    let request = CreatePropertyRequest { property: Some(Property { location: None, ..draft }), ..Default::default() };
    let created = seller.properties().create_property(request).await.expect("creates");
    assert_eq!((created.state(), &*created.time_zone), (property::State::Draft, "Asia/Seoul"));
    let get = GetPropertyRequest { id: created.id.clone() };

    let unseen = yeyak.client.properties().get_property(get.clone()).await.expect_err("a draft");
    let open = OpenPropertyRequest { id: created.id.clone(), ..Default::default() };
    let refused = seller.properties().open_property(open).await.expect_err("incomplete");

    assert_eq!(unseen.reason, ErrorReason::NotFound);
    assert_eq!(refused.reason, ErrorReason::ListingIncomplete);
    assert_eq!(refused.metadata["missing"], "location, room_type, rate_plan");
    assert_eq!(seller.properties().get_property(get).await.expect("sees it").name, "산장");

    let inn = Inn::new(&yeyak).await;
    let seen = yeyak.client.properties().get_property(GetPropertyRequest { id: inn.property.clone() }).await;
    assert_eq!(seen.expect("listed").state(), property::State::Listed);
    let property = Property { id: inn.property.clone(), ..Default::default() };
    let unplaced =
        UpdatePropertyRequest { property: Some(property), update_mask: mask(&["location"]), ..Default::default() };
    let refused = inn.seller.properties().update_property(unplaced).await.expect_err("it is listed");
    assert_eq!((refused.reason, &*refused.metadata["missing"]), (ErrorReason::ListingIncomplete, "location"));
}

#[tokio::test]
async fn every_violation_of_a_property_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let property = Property {
        time_zone: "Mars/Olympus".into(),
        currency_code: "won".into(),
        amenities: vec![1, 1],
        photos: vec![Photo { url: "http://x".into(), ..Default::default() }],
        house_rules: vec![String::new()],
        late_payment_policy: 9,
        ..Default::default()
    };

    let request = CreatePropertyRequest { property: Some(property), request_id: "x".into() };
    let refused = seller.properties().create_property(request).await.expect_err("malformed");

    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(
        fields,
        [
            "request_id",
            "property.name",
            "property.region",
            "property.address",
            "property.time_zone",
            "property.amenities[1]",
            "property.house_rules[0]",
            "property.photos[0].url",
            "property.photos[0].width",
            "property.photos[0].height",
            "property.late_payment_policy",
            "property.currency_code"
        ]
    );
}

/// Guard: the finders that are scoped to their seller.
#[tokio::test]
async fn nothing_of_another_seller_can_be_changed() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let other = yeyak.seller().await;
    let property = Property { id: inn.property.clone(), ..Default::default() };
    let a_room = RoomType { id: inn.room_type.clone(), name: "x".into(), ..room_type(&inn.property) };
    let plan = RatePlan {
        id: inn.rate_plan.clone(),
        room_type_id: inn.room_type.clone(),
        name: "x".into(),
        ..Default::default()
    };
    let id = |id: &str| id.to_owned();
    let none = String::new;
    let outcomes: Vec<Result<(), Error>> = vec![
        other.properties().update_property(renamed(&property.id, "x", "")).await.map(|_| ()),
        other
            .properties()
            .open_property(OpenPropertyRequest { id: id(&inn.property), request_id: none() })
            .await
            .map(|_| ()),
        other
            .properties()
            .close_property(ClosePropertyRequest { id: id(&inn.property), request_id: none() })
            .await
            .map(|_| ()),
        other
            .room_types()
            .create_room_type(CreateRoomTypeRequest { room_type: Some(a_room.clone()), request_id: none() })
            .await
            .map(|_| ()),
        other
            .room_types()
            .update_room_type(UpdateRoomTypeRequest {
                room_type: Some(a_room),
                update_mask: mask(&["name"]),
                request_id: none(),
            })
            .await
            .map(|_| ()),
        other
            .room_types()
            .open_room_type(OpenRoomTypeRequest { id: id(&inn.room_type), request_id: none() })
            .await
            .map(|_| ()),
        other
            .room_types()
            .close_room_type(CloseRoomTypeRequest { id: id(&inn.room_type), request_id: none() })
            .await
            .map(|_| ()),
        other
            .rate_plans()
            .create_rate_plan(CreateRatePlanRequest { rate_plan: Some(plan.clone()), request_id: none() })
            .await
            .map(|_| ()),
        other
            .rate_plans()
            .update_rate_plan(UpdateRatePlanRequest {
                rate_plan: Some(plan),
                update_mask: mask(&["name"]),
                request_id: none(),
            })
            .await
            .map(|_| ()),
        other
            .rate_plans()
            .open_rate_plan(OpenRatePlanRequest { id: id(&inn.rate_plan), request_id: none() })
            .await
            .map(|_| ()),
        other
            .rate_plans()
            .close_rate_plan(CloseRatePlanRequest { id: id(&inn.rate_plan), request_id: none() })
            .await
            .map(|_| ()),
        other
            .calendars()
            .update_calendar(UpdateCalendarRequest { closed: Some(true), ..inn.nights(1, 3) })
            .await
            .map(|_| ()),
    ];

    for (at, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.expect_err("foreign").reason, ErrorReason::NotFound, "call {at}");
    }
    let listed = other.properties().list_properties(ListPropertiesRequest::default()).await.expect("lists");
    assert!(listed.properties.is_empty());
    assert_eq!(found(&yeyak.client, stay(1, 3)).await, [&*inn.property], "nothing has changed");
}

/// Guard: the etag is compared under the lock of the property.
#[tokio::test]
async fn of_parallel_updates_with_one_etag_one_wins() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let get = GetPropertyRequest { id: inn.property.clone() };
    let before = inn.seller.properties().get_property(get.clone()).await.expect("reads");
    let rename = |number: i32| {
        let (seller, request) = (inn.seller.clone(), renamed(&inn.property, &format!("이름 {number}"), &before.etag));
        async move { seller.properties().update_property(request).await }
    };

    let outcomes = futures::future::join_all((0..20).map(rename)).await;

    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().filter_map(Result::err).all(|error| error.reason == ErrorReason::EtagMismatch));
    let after = inn.seller.properties().get_property(get).await.expect("reads");
    assert_eq!(Some(after.name), won.into_iter().next().and_then(Result::ok).map(|property| property.name));
}

#[tokio::test]
async fn the_same_request_twice_is_one_property_in_parallel_too() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let request = CreatePropertyRequest {
        property: Some(super::inn::property("바다 펜션", "", Region::Jeju)),
        request_id: "0195d7a0-0000-7000-8000-000000000001".into(),
    };
    let create = || {
        let (seller, request) = (seller.clone(), request.clone());
        async move { seller.properties().create_property(request).await.expect("creates").id }
    };

    let ids = futures::future::join_all((0..8).map(|_| create())).await;

    assert!(ids.iter().all(|id| *id == ids[0]));
    let listed = seller.properties().list_properties(ListPropertiesRequest::default()).await.expect("lists");
    assert_eq!(listed.properties.len(), 1);
}

#[tokio::test]
async fn what_can_not_be_changed_is_refused() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let property = Property { id: inn.property.clone(), time_zone: "Europe/London".into(), ..Default::default() };
    let update = async |paths: &[&str]| {
        let request =
            UpdatePropertyRequest { property: Some(property.clone()), update_mask: mask(paths), ..Default::default() };
        let refused = inn.seller.properties().update_property(request).await.expect_err("refused");
        refused.violations.iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
    };

    assert_eq!(
        update(&["state", "name", "currency_code"]).await,
        ["update_mask.paths[0]", "update_mask.paths[2]", "property.name"]
    );
    assert_eq!(update(&[]).await, ["update_mask"]);
    assert_eq!(update(&["time_zone"]).await, ["property.time_zone"], "it was opened");
}

#[tokio::test]
async fn guests_see_what_is_open_and_the_seller_sees_all() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    // Ids of one moment are in no order.
    yeyak.clock.advance(TimeDelta::seconds(1));
    let request = CreateRoomTypeRequest { room_type: Some(room_type(&inn.property)), ..Default::default() };
    let second = inn.seller.room_types().create_room_type(request).await.expect("creates").id;
    let close = CloseRoomTypeRequest { id: second.clone(), ..Default::default() };
    inn.seller.room_types().close_room_type(close).await.expect("closes");
    let rooms = async |client: &Client| {
        let request = ListRoomTypesRequest { property_id: inn.property.clone(), ..Default::default() };
        let listed = client.room_types().list_room_types(request).await.expect("lists").room_types;
        listed.into_iter().map(|room_type| room_type.id).collect::<Vec<_>>()
    };

    assert_eq!(rooms(&yeyak.client).await, [&*inn.room_type]);
    assert_eq!(rooms(&inn.seller).await, [&*inn.room_type, &*second]);
    let get = GetRoomTypeRequest { id: second.clone() };
    assert!(yeyak.client.room_types().get_room_type(get.clone()).await.is_err());
    assert!(inn.seller.room_types().get_room_type(get).await.is_ok());

    let close = CloseRatePlanRequest { id: inn.rate_plan.clone(), ..Default::default() };
    inn.seller.rate_plans().close_rate_plan(close).await.expect("closes");
    let plans = async |client: &Client| {
        let request = ListRatePlansRequest { room_type_id: inn.room_type.clone(), ..Default::default() };
        client.rate_plans().list_rate_plans(request).await.expect("lists").rate_plans.len()
    };
    assert_eq!((plans(&yeyak.client).await, plans(&inn.seller).await), (0, 1));
    assert!(yeyak.client.rate_plans().get_rate_plan(GetRatePlanRequest { id: inn.rate_plan.clone() }).await.is_err());
    assert!(found(&yeyak.client, stay(1, 2)).await.is_empty(), "its only plan is closed");
    let open = OpenRatePlanRequest { id: inn.rate_plan.clone(), ..Default::default() };
    inn.seller.rate_plans().open_rate_plan(open).await.expect("opens");
    assert_eq!(found(&yeyak.client, stay(1, 2)).await, [&*inn.property]);
}

#[tokio::test]
async fn room_types_and_rate_plans_read_back_as_they_were_written() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let tiers =
        vec![RefundTier { days_before_check_in: 1, percent: 30 }, RefundTier { days_before_check_in: 7, percent: 100 }];
    let plan = RatePlan {
        room_type_id: inn.room_type.clone(),
        name: "얼리버드".into(),
        cancellation_policy: Some(CancellationPolicy { preset: Preset::Custom.into(), tiers }),
        limits: Some(StayLimits { min_nights: Some(2), min_advance_days: Some(14), ..Default::default() }),
        ..Default::default()
    };
    let request = CreateRatePlanRequest { rate_plan: Some(plan), ..Default::default() };
    let created = inn.seller.rate_plans().create_rate_plan(request).await.expect("creates");

    let read =
        inn.seller.rate_plans().get_rate_plan(GetRatePlanRequest { id: created.id.clone() }).await.expect("reads");

    assert_eq!(read, created);
    let policy = read.cancellation_policy.expect("a policy");
    assert_eq!(policy.tiers.iter().map(|tier| tier.days_before_check_in).collect::<Vec<_>>(), [7, 1]);
    let limits = read.limits.expect("limits");
    assert_eq!((limits.min_nights, limits.max_nights, limits.max_advance_days), (Some(2), Some(365), None));

    let change = RoomType { id: inn.room_type.clone(), max_occupancy: 1, ..Default::default() };
    let request =
        UpdateRoomTypeRequest { room_type: Some(change), update_mask: mask(&["max_occupancy"]), ..Default::default() };
    let refused = inn.seller.room_types().update_room_type(request).await.expect_err("fewer than the base");
    assert_eq!(refused.violations[0].field, "room_type.max_occupancy");
    let mut dollars = won(1);
    dollars.currency_code = "USD".into();
    let change = RoomType { id: inn.room_type.clone(), extra_guest_fee: Some(dollars), ..Default::default() };
    let request = UpdateRoomTypeRequest {
        room_type: Some(change),
        update_mask: mask(&["extra_guest_fee"]),
        ..Default::default()
    };
    let refused = inn.seller.room_types().update_room_type(request).await.expect_err("in dollars");
    assert_eq!(refused.reason, ErrorReason::CurrencyMismatch);
}
