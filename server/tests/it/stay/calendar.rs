//! Setting nights.

use yeyak::ErrorReason;
use yeyak::proto::common::v1::Money;
use yeyak::proto::stay::v1::{
    GetStayCalendarRequest, ListCalendarNightsRequest, RatePlanPrice, RoomType, UpdateCalendarRequest,
    UpdateRoomTypeRequest, Weekday,
};
use yeyak_server::inventory::Wanted;
use yeyak_server::kit::date::Nights;
use yeyak_server::kit::id::BookingId;

use super::inn::{Inn, april, stay, won};
use crate::harness::Yeyak;

/// Holds rooms past the services, as a booking does.
async fn hold(yeyak: &Yeyak, inn: &Inn, first: u32, end: u32, rooms: u16) {
    let kit = &yeyak.platform.kit;
    let date = |day| chrono::NaiveDate::from_ymd_opt(2026, 4, day).expect("a date");
    let wanted = Wanted {
        line: 0,
        room_type: inn.room_type.parse().expect("an id"),
        nights: Nights::between(date(first), date(end)).expect("nights"),
        rooms,
        room_count: 2,
    };
    let booking = BookingId::new(&kit.ids, kit.clock.now());
    kit.db.write(async |tx| yeyak.platform.inventory.hold(&tx, booking, &[wanted], None).await).await.expect("holds");
}

#[tokio::test]
async fn nights_are_set_by_day_of_the_week_and_the_rest_stays() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let weekend = vec![Weekday::Friday.into(), Weekday::Saturday.into()];
    let prices = vec![RatePlanPrice { rate_plan_id: inn.rate_plan.clone(), price: Some(won(150_000)) }];

    let request = UpdateCalendarRequest { weekdays: weekend, prices, max_stay: Some(5), ..inn.nights(1, 15) };
    let answer = inn.seller.calendars().update_calendar(request).await.expect("sets");

    assert_eq!(answer.night_count, 4, "the 3rd, 4th, 10th and 11th");
    let mut request = ListCalendarNightsRequest {
        room_type_id: inn.room_type.clone(),
        start_date: april(1),
        end_date: april(8),
        page_size: 3,
        ..Default::default()
    };
    let mut nights = Vec::new();
    loop {
        let page = inn.seller.calendars().list_calendar_nights(request.clone()).await.expect("lists");
        nights.extend(page.nights);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let shown: Vec<_> = nights
        .iter()
        .map(|night| (night.date, night.prices[0].price.clone().map_or(0, |price| price.minor_units), night.max_stay))
        .collect();
    let plain = |day| (april(day), 100_000, 0);
    let dear = |day| (april(day), 150_000, 5);
    assert_eq!(shown, [plain(1), plain(2), dear(3), dear(4), plain(5), plain(6), plain(7)]);
    assert!(nights.iter().all(|night| night.room_count == 2));
}

#[tokio::test]
async fn a_price_taken_away_takes_the_night_off_sale() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let prices = vec![RatePlanPrice { rate_plan_id: inn.rate_plan.clone(), price: None }];

    inn.set(UpdateCalendarRequest { prices, ..inn.nights(2, 3) }).await;

    assert!(super::inn::found(&yeyak.client, stay(1, 3)).await.is_empty());
    assert_eq!(super::inn::found(&yeyak.client, stay(3, 4)).await, [&*inn.property]);
}

/// Guard: inventory's condition on held and sold rooms, in the transaction of the calendar.
#[tokio::test]
async fn rooms_can_not_be_fewer_than_are_held_and_nothing_is_set_then() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    hold(&yeyak, &inn, 10, 12, 2).await;
    assert!(super::inn::found(&yeyak.client, stay(10, 11)).await.is_empty(), "both rooms are held");
    let prices = vec![RatePlanPrice { rate_plan_id: inn.rate_plan.clone(), price: Some(won(1)) }];

    let request = UpdateCalendarRequest { prices, room_count: Some(1), ..inn.nights(9, 13) };
    let refused = inn.seller.calendars().update_calendar(request).await.expect_err("two are held");

    assert_eq!(refused.reason, ErrorReason::RoomsSold);
    assert_eq!((&*refused.metadata["date"], &*refused.metadata["taken_count"]), ("2026-04-10", "2"));
    let request =
        GetStayCalendarRequest { room_type_id: inn.room_type.clone(), start_date: april(9), end_date: april(10) };
    let nights = yeyak.client.stay_search().get_stay_calendar(request).await.expect("answers").nights;
    assert_eq!((nights[0].free_room_count, nights[0].lowest_price.clone()), (2, Some(won(100_000))));
    inn.set(UpdateCalendarRequest { room_count: Some(3), ..inn.nights(9, 13) }).await;
    assert_eq!(super::inn::found(&yeyak.client, stay(10, 11)).await, [&*inn.property]);
}

/// Guard: nights with a hold follow the room type unless the calendar sets them.
#[tokio::test]
async fn a_room_type_with_more_rooms_has_them_in_every_night_that_the_calendar_leaves_alone() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    hold(&yeyak, &inn, 10, 12, 2).await;
    inn.set(UpdateCalendarRequest { room_count: Some(4), ..inn.nights(12, 13) }).await;
    let rooms = |room_count| UpdateRoomTypeRequest {
        room_type: Some(RoomType { id: inn.room_type.clone(), room_count, ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["room_count".into()] }),
        ..Default::default()
    };

    inn.seller.room_types().update_room_type(rooms(5)).await.expect("updates");

    let request =
        GetStayCalendarRequest { room_type_id: inn.room_type.clone(), start_date: april(9), end_date: april(14) };
    let nights = yeyak.client.stay_search().get_stay_calendar(request).await.expect("answers").nights;
    assert_eq!(nights.iter().map(|night| night.free_room_count).collect::<Vec<_>>(), [5, 3, 3, 4, 5]);
    let refused = inn.seller.room_types().update_room_type(rooms(1)).await.expect_err("two are held");
    assert_eq!(refused.reason, ErrorReason::RoomsSold);
}

#[tokio::test]
async fn what_does_not_belong_to_the_room_type_is_refused() {
    let yeyak = Yeyak::new().await;
    let (inn, other) = (Inn::new(&yeyak).await, Inn::new(&yeyak).await);
    let priced = |rate_plan_id: &str, currency_code: &str| {
        let price = Money { currency_code: currency_code.into(), minor_units: 1 };
        let prices = vec![RatePlanPrice { rate_plan_id: rate_plan_id.into(), price: Some(price) }];
        UpdateCalendarRequest { prices, ..inn.nights(1, 3) }
    };
    let set = async |request| inn.seller.calendars().update_calendar(request).await.expect_err("refused");

    let foreign = set(priced(&other.rate_plan, "KRW")).await;
    let dollars = set(priced(&inn.rate_plan, "USD")).await;
    let nothing = set(inn.nights(1, 3)).await;
    let backwards = set(UpdateCalendarRequest { closed: Some(true), ..inn.nights(3, 1) }).await;

    assert_eq!(foreign.reason, ErrorReason::NotFound);
    assert_eq!(dollars.reason, ErrorReason::CurrencyMismatch);
    assert_eq!(dollars.metadata["field"], "prices[0].price");
    assert_eq!((nothing.reason, &*nothing.violations[0].field), (ErrorReason::InvalidFields, "prices"));
    assert_eq!(backwards.violations[0].field, "end_date");
}

#[tokio::test]
async fn the_same_update_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let request_id = "0195d7a0-0000-7000-8000-000000000001".to_owned();
    let close = UpdateCalendarRequest { closed: Some(true), request_id, ..inn.nights(1, 3) };

    inn.set(close.clone()).await;
    inn.set(UpdateCalendarRequest { closed: Some(false), ..inn.nights(1, 3) }).await;
    let again = inn.seller.calendars().update_calendar(close.clone()).await.expect("replays");

    assert_eq!(again.night_count, 2);
    assert_eq!(super::inn::found(&yeyak.client, stay(1, 3)).await, [&*inn.property], "it was not closed again");
    let reused = UpdateCalendarRequest { end_date: april(4), ..close };
    let refused = inn.seller.calendars().update_calendar(reused).await.expect_err("another request");
    assert_eq!(refused.reason, ErrorReason::RequestIdReused);
}
