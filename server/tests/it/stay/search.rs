//! Finding and pricing stays.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;
use yeyak::ErrorReason;
use yeyak::proto::stay::v1::search_stays_request::OrderBy;
use yeyak::proto::stay::v1::stay_refusal::Restriction;
use yeyak::proto::stay::v1::{
    Amenity, ClosePropertyRequest, GeoPoint, GetStayCalendarRequest, Guests, PriceStayRequest, Region,
    SearchStaysRequest, UpdateCalendarRequest,
};

use super::inn::{Inn, april, found, property, stay, won};
use crate::harness::Yeyak;

#[tokio::test]
async fn a_stay_is_found_by_what_it_is_and_what_it_costs() {
    let yeyak = Yeyak::new().await;
    let with_pool = |name, name_en, region| {
        let mut property = property(name, name_en, region);
        property.amenities = vec![Amenity::Pool.into(), Amenity::Wifi.into()];
        property
    };
    let inn = Inn::of(yeyak.seller().await, with_pool("바다 펜션", "Sea Pension", Region::Jeju), 100_000).await;
    let client = &yeyak.client;
    let near = Some(GeoPoint { latitude_e7: 332_480_000, longitude_e7: 1_264_120_000 });
    let far = Some(GeoPoint { latitude_e7: 375_665_000, longitude_e7: 1_269_780_000 });

    let finds = [
        stay(1, 3),
        SearchStaysRequest { text: "바다".into(), ..stay(1, 3) },
        SearchStaysRequest { text: " PENSION".into(), ..stay(1, 3) },
        SearchStaysRequest { text: "서귀포".into(), ..stay(1, 3) },
        SearchStaysRequest { region: Region::Jeju.into(), ..stay(1, 3) },
        SearchStaysRequest { max_total_price: Some(won(200_000)), ..stay(1, 3) },
        SearchStaysRequest { min_total_price: Some(won(200_000)), ..stay(1, 3) },
        SearchStaysRequest { amenities: vec![Amenity::Pool.into()], ..stay(1, 3) },
        SearchStaysRequest { room_count: 2, ..stay(1, 3) },
        SearchStaysRequest { near, max_distance_meters: Some(10), order_by: OrderBy::Distance.into(), ..stay(1, 3) },
    ];
    for request in finds {
        assert_eq!(found(client, request.clone()).await, [&*inn.property], "{request:?}");
    }
    let misses = [
        SearchStaysRequest { text: "산".into(), ..stay(1, 3) },
        SearchStaysRequest { region: Region::Seoul.into(), ..stay(1, 3) },
        SearchStaysRequest { max_total_price: Some(won(199_999)), ..stay(1, 3) },
        SearchStaysRequest { min_total_price: Some(won(200_001)), ..stay(1, 3) },
        SearchStaysRequest { amenities: vec![Amenity::Sauna.into()], ..stay(1, 3) },
        SearchStaysRequest { guests: Some(Guests { adult_count: 4, child_count: 0 }), ..stay(1, 3) },
        SearchStaysRequest { room_count: 3, guests: Some(Guests { adult_count: 3, child_count: 0 }), ..stay(1, 3) },
        SearchStaysRequest { near: far, max_distance_meters: Some(1_000), ..stay(1, 3) },
        SearchStaysRequest { currency_code: "USD".into(), ..stay(1, 3) },
        SearchStaysRequest { min_rating_hundredths: 100, ..stay(1, 3) },
    ];
    for request in misses {
        assert!(found(client, request.clone()).await.is_empty(), "{request:?}");
    }
}

#[tokio::test]
async fn an_offer_adds_up_and_says_how_many_rooms_are_free() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let three = Some(Guests { adult_count: 2, child_count: 1 });

    let answer = yeyak
        .client
        .stay_search()
        .search_stays(SearchStaysRequest { guests: three, ..stay(1, 3) })
        .await
        .expect("searches");

    let offer = &answer.offers[0];
    let price = offer.price.clone().expect("a price");
    assert_eq!((answer.total_count, offer.free_room_count), (1, 2));
    assert_eq!((&offer.room_type_id, &offer.rate_plan_id), (&inn.room_type, &inn.rate_plan));
    assert_eq!(price.total, Some(won(240_000)), "two nights at 100,000, and 20,000 for the third guest");
    assert_eq!(price.nights.len(), 2);
    assert_eq!(price.nights[0].extra_guest_fee, Some(won(20_000)));
}

/// Guard: every night of a stay is checked, the first, those between and the last.
#[tokio::test]
async fn a_stay_with_one_night_full_or_closed_is_not_found_and_its_price_says_why() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let guests = Some(Guests { adult_count: 2, child_count: 0 });
    let ask = PriceStayRequest {
        room_type_id: inn.room_type.clone(),
        check_in_date: april(10),
        check_out_date: april(13),
        guests,
        ..Default::default()
    };
    for (night, full) in [(10, false), (11, true), (12, false)] {
        let undone = if full {
            inn.set(UpdateCalendarRequest { room_count: Some(0), ..inn.nights(night, night + 1) }).await;
            UpdateCalendarRequest { room_count: Some(2), ..inn.nights(night, night + 1) }
        } else {
            inn.set(UpdateCalendarRequest { closed: Some(true), ..inn.nights(night, night + 1) }).await;
            UpdateCalendarRequest { closed: Some(false), ..inn.nights(night, night + 1) }
        };

        assert!(found(&yeyak.client, stay(10, 13)).await.is_empty(), "night {night}");
        let offers = yeyak.client.stay_search().price_stay(ask.clone()).await.expect("answers").offers;
        let refusal = &offers[0].refusals[0];
        let expected = if full { Restriction::NoRooms } else { Restriction::Closed };
        assert_eq!((refusal.date, refusal.restriction()), (april(night), expected));
        assert!(offers[0].price.is_none() && offers[0].refusals.len() == 1);

        inn.set(undone).await;
        assert_eq!(found(&yeyak.client, stay(10, 13)).await, [&*inn.property], "night {night} again");
    }
}

#[tokio::test]
async fn a_price_says_what_a_cancellation_would_give_back() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    let ask = PriceStayRequest {
        room_type_id: inn.room_type.clone(),
        check_in_date: april(10),
        check_out_date: april(12),
        ..Default::default()
    };

    let offers = yeyak.client.stay_search().price_stay(ask.clone()).await.expect("answers").offers;

    let tiers = offers[0].refund_tiers.iter().map(|tier| (tier.days_before_check_in, tier.percent));
    assert_eq!(tiers.collect::<Vec<_>>(), [(2, 100), (1, 80), (0, 70)], "a Friday in spring by the Korean standard");
    assert_eq!(offers[0].full_refund_until, None);
    let peak = |day| Some(yeyak::proto::common::v1::Date { year: 2026, month: 8, day });
    let ask = PriceStayRequest { check_in_date: peak(10), check_out_date: peak(11), ..ask };
    let offers = yeyak.client.stay_search().price_stay(ask).await.expect("answers").offers;
    let midnight = offers[0].full_refund_until.expect("in peak season").seconds;
    let ends = chrono::DateTime::parse_from_rfc3339("2026-03-02T15:00:00Z").expect("an instant");
    assert_eq!(midnight, ends.timestamp(), "the end of the day in Seoul");
}

#[tokio::test]
async fn every_restriction_in_the_way_is_named_in_order_of_date() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    inn.set(UpdateCalendarRequest { closed_to_arrival: Some(true), min_stay_arrival: Some(3), ..inn.nights(10, 11) })
        .await;
    inn.set(UpdateCalendarRequest { min_stay_through: Some(4), ..inn.nights(11, 12) }).await;
    inn.set(UpdateCalendarRequest { closed_to_departure: Some(true), ..inn.nights(12, 13) }).await;
    let ask = PriceStayRequest {
        room_type_id: inn.room_type.clone(),
        rate_plan_id: inn.rate_plan.clone(),
        check_in_date: april(10),
        check_out_date: april(12),
        guests: Some(Guests { adult_count: 2, child_count: 0 }),
        ..Default::default()
    };

    let offers = yeyak.client.stay_search().price_stay(ask).await.expect("answers").offers;

    let refusals: Vec<_> =
        offers[0].refusals.iter().map(|refusal| (refusal.date, refusal.restriction(), refusal.limit)).collect();
    assert_eq!(
        refusals,
        [
            (april(10), Restriction::ClosedToArrival, 0),
            (april(10), Restriction::MinStayArrival, 3),
            (april(11), Restriction::MinStayThrough, 4),
            (april(12), Restriction::ClosedToDeparture, 0),
        ]
    );
}

/// Guard: a change marks its property, and a search reads the marked ones first.
#[tokio::test]
async fn a_search_finds_what_was_answered_before_it() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    for (round, price) in [(0, 90_000), (1, 80_000), (2, 70_000)] {
        let prices = vec![yeyak::proto::stay::v1::RatePlanPrice {
            rate_plan_id: inn.rate_plan.clone(),
            price: Some(won(price)),
        }];
        inn.set(UpdateCalendarRequest { prices, ..inn.nights(1, 30) }).await;
        let searches = (0..8).map(async |_| yeyak.client.stay_search().search_stays(stay(1, 2)).await);
        for answer in futures::future::join_all(searches).await {
            let offer = answer.expect("searches").offers.remove(0);
            assert_eq!(offer.price.expect("a price").total, Some(won(price)), "round {round}");
        }
    }

    let request = ClosePropertyRequest { id: inn.property.clone(), ..Default::default() };
    inn.seller.properties().close_property(request).await.expect("closes");

    assert!(found(&yeyak.client, stay(1, 2)).await.is_empty());
}

#[tokio::test]
async fn pages_of_a_search_show_each_property_once_and_belong_to_it() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let mut all = Vec::new();
    for number in 0..7 {
        let property = property(&format!("호텔 {number}"), "", Region::Seoul);
        all.push(Inn::of(seller.clone(), property, 50_000 + 1_000 * (number % 3)).await.property);
    }
    let mut request = SearchStaysRequest { page_size: 3, order_by: OrderBy::Price.into(), ..stay(1, 2) };
    let mut seen = Vec::new();
    let mut totals = Vec::new();

    loop {
        let page = yeyak.client.stay_search().search_stays(request.clone()).await.expect("searches");
        assert_eq!(page.total_count, 7);
        totals.extend(page.offers.iter().filter_map(|offer| offer.price.clone()?.total).map(|total| total.minor_units));
        seen.extend(page.offers.into_iter().filter_map(|offer| offer.property).map(|property| property.id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }

    assert!(totals.is_sorted());
    seen.sort();
    all.sort();
    assert_eq!(seen, all);
    request.order_by = OrderBy::Rating.into();
    let refused = yeyak.client.stay_search().search_stays(request).await.expect_err("another list");
    assert_eq!(refused.reason, ErrorReason::PageTokenInvalid);
}

#[tokio::test]
async fn a_calendar_shows_guests_what_each_night_costs() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::new(&yeyak).await;
    inn.set(UpdateCalendarRequest { closed: Some(true), ..inn.nights(2, 3) }).await;
    let request =
        GetStayCalendarRequest { room_type_id: inn.room_type.clone(), start_date: april(1), end_date: april(4) };

    let nights = yeyak.client.stay_search().get_stay_calendar(request).await.expect("answers").nights;

    let shown: Vec<_> = nights.iter().map(|night| (night.date, night.free_room_count)).collect();
    assert_eq!(shown, [(april(1), 2), (april(2), 0), (april(3), 2)]);
    assert_eq!(nights[0].lowest_price, Some(won(100_000)));
}

#[tokio::test]
async fn every_violation_of_a_search_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let request = SearchStaysRequest {
        check_in_date: april(3),
        check_out_date: april(3),
        guests: Some(Guests { adult_count: 0, child_count: 0 }),
        room_count: 21,
        region: 99,
        order_by: OrderBy::Distance.into(),
        amenities: vec![Amenity::Pool.into(), Amenity::Pool.into(), 77],
        min_rating_hundredths: 501,
        max_distance_meters: Some(0),
        currency_code: "won".into(),
        page_size: -1,
        ..Default::default()
    };

    let refused = yeyak.client.stay_search().search_stays(request).await.expect_err("malformed");

    let mut fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "amenities[1]",
            "amenities[2]",
            "check_out_date",
            "currency_code",
            "guests.adult_count",
            "max_distance_meters",
            "min_rating_hundredths",
            "near",
            "page_size",
            "region",
            "room_count"
        ]
    );
}

#[tokio::test]
async fn a_date_that_is_past_everywhere_is_told_by_its_field_and_today_is_not() {
    let yeyak = Yeyak::new().await;
    // It is noon in Seoul on the second of March, and still the first far in the west.
    let on = |month, day| SearchStaysRequest {
        check_in_date: Some(yeyak::proto::common::v1::Date { year: 2026, month, day }),
        ..Default::default()
    };

    let past = yeyak.client.stay_search().search_stays(on(2, 28)).await.expect_err("past everywhere");
    for day in [1, 2] {
        yeyak.client.stay_search().search_stays(on(3, day)).await.expect("today somewhere");
    }

    assert_eq!(past.reason, ErrorReason::InvalidFields);
    assert_eq!(past.violations[0].field, "check_in_date");
    assert!(past.violations[0].description.contains("2026-03-01"), "{past:?}");
}

#[tokio::test]
async fn a_date_that_is_none_is_blamed_alone_and_one_that_is_missing_is_told_as_such() {
    let yeyak = Yeyak::new().await;
    let none = yeyak::proto::common::v1::Date { year: 2026, month: 2, day: 30 };
    let search = SearchStaysRequest { check_in_date: Some(none), ..Default::default() };
    let price = PriceStayRequest { check_in_date: Some(none), ..Default::default() };

    let search = yeyak.client.stay_search().search_stays(search).await.expect_err("no date");
    let price = yeyak.client.stay_search().price_stay(price).await.expect_err("no date");

    let told = |refused: yeyak::Error| -> Vec<_> {
        refused.violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
    };
    let is_none = ("check_in_date".to_owned(), "must be a date of the calendar".to_owned());
    let missing = |field: &str| (field.to_owned(), "must be given".to_owned());
    assert_eq!(told(price), [missing("room_type_id"), is_none.clone(), missing("check_out_date")]);
    assert_eq!(told(search), [is_none]);
}

/// Guard: a check-in is past by the calendar of each property, not by Seoul's.
#[tokio::test]
async fn a_property_is_found_for_its_own_today_and_not_for_its_yesterday() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let jeju = Inn::of(seller.clone(), property("바다 펜션", "Sea Pension", Region::Jeju), 100_000).await;
    yeyak.clock.advance(TimeDelta::minutes(1));
    let mut abroad = property("뉴욕 펜션", "New York Pension", Region::Jeju);
    abroad.time_zone = "America/New_York".into();
    let new_york = Inn::of(seller, abroad, 100_000).await;
    // Noon on the tenth of April in Seoul, and eleven in the evening of the ninth in New York.
    yeyak.clock.advance(TimeDelta::days(39));

    assert_eq!(found(&yeyak.client, stay(9, 10)).await, [&*new_york.property]);
    assert_eq!(found(&yeyak.client, stay(10, 11)).await, [&*jeju.property, &*new_york.property]);
}

#[tokio::test]
async fn a_price_is_asked_for_two_adults_unless_it_says_otherwise() {
    let yeyak = Yeyak::new().await;
    let inn = Inn::of(yeyak.seller().await, property("바다 펜션", "Sea Pension", Region::Jeju), 100_000).await;
    let ask = PriceStayRequest {
        room_type_id: inn.room_type.clone(),
        check_in_date: april(1),
        check_out_date: april(2),
        ..Default::default()
    };
    let two = Some(Guests { adult_count: 2, child_count: 0 });

    let silent = yeyak.client.stay_search().price_stay(ask.clone()).await.expect("a price");

    let said = yeyak.client.stay_search().price_stay(PriceStayRequest { guests: two, ..ask }).await.expect("a price");
    assert_eq!(silent, said);
    assert!(silent.offers[0].price.is_some());
}

/// Guard: a list is not looked into that is longer than it may be. This one would keep a thread busy for minutes.
#[tokio::test]
async fn a_list_of_a_million_is_refused_at_once() {
    let yeyak = Yeyak::new().await;
    let request = SearchStaysRequest { amenities: (1..=1_000_000).collect(), ..Default::default() };

    let answer = timeout(Duration::from_secs(10), yeyak.client.stay_search().search_stays(request)).await;

    let refused = answer.expect("is answered at once").expect_err("malformed");
    assert!(refused.violations.iter().any(|violation| violation.field == "amenities"), "{refused:?}");
}
