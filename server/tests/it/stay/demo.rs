//! The catalogue to look at.

use yeyak::ErrorReason;
use yeyak::proto::stay::v1::search_stays_request::OrderBy;
use yeyak::proto::stay::v1::{
    ListPropertiesRequest, ListRatePlansRequest, ListRoomTypesRequest, Region, SearchStaysRequest,
};
use yeyak_server::demo::{self, DemoSize, SELLER};

use super::inn::{found, stay};
use crate::harness::Yeyak;

const SIZE: DemoSize = DemoSize { properties: 34, days: 60, seed: 7 };

#[tokio::test]
async fn the_demo_is_found_all_over_korea_and_sold_by_its_seller() {
    let yeyak = Yeyak::new().await;

    let loaded = demo::load(&yeyak.platform, SIZE, |_| {}).await.expect("loads");

    assert_eq!((loaded.added, loaded.known), (34, 0));
    for region in 1..=17 {
        // A region may have one property, and that one may be closed for a few nights.
        let mut there = 0;
        for (first, end) in [(1, 2), (8, 9), (15, 16)] {
            let request = SearchStaysRequest { region, page_size: 100, ..stay(first, end) };
            there += found(&yeyak.client, request).await.len();
        }
        assert!(there > 0, "{:?}", Region::try_from(region));
    }
    let request = SearchStaysRequest { order_by: OrderBy::Price.into(), page_size: 1, ..stay(3, 5) };
    let cheapest = yeyak.client.stay_search().search_stays(request).await.expect("searches").offers.remove(0);
    assert_eq!(cheapest.rate_plan_name, "환불 불가 특가", "the saver is the cheaper plan");
    let property = cheapest.property.expect("a property");
    let rooms = ListRoomTypesRequest { property_id: property.id, ..Default::default() };
    let rooms = yeyak.client.room_types().list_room_types(rooms).await.expect("lists").room_types;
    assert!((2..=4).contains(&rooms.len()));
    let plans = ListRatePlansRequest { room_type_id: rooms[0].id.clone(), ..Default::default() };
    assert_eq!(yeyak.client.rate_plans().list_rate_plans(plans).await.expect("lists").rate_plans.len(), 2);

    let seller = yeyak.client.anonymous();
    seller.log_in(SELLER, &loaded.password.expect("a password")).await.expect("logs in");
    let own = ListPropertiesRequest { page_size: 100, ..Default::default() };
    assert_eq!(seller.properties().list_properties(own).await.expect("lists").properties.len(), 34);
    yeyak.check().await;
}

#[tokio::test]
async fn loading_the_demo_again_loads_what_is_missing() {
    let yeyak = Yeyak::new().await;
    let first = demo::load(&yeyak.platform, DemoSize { properties: 20, ..SIZE }, |_| {}).await.expect("loads");

    let again = demo::load(&yeyak.platform, DemoSize { properties: 20, ..SIZE }, |_| {}).await.expect("loads");
    let more = demo::load(&yeyak.platform, SIZE, |_| {}).await.expect("loads");

    assert_eq!((again.added, again.known, again.password), (0, 20, None));
    assert_eq!((more.added, more.known), (14, 20));
    let request = SearchStaysRequest { page_size: 100, ..stay(1, 2) };
    let all = yeyak.client.stay_search().search_stays(request).await.expect("searches").offers;
    let mut names: Vec<_> = all.into_iter().filter_map(|offer| offer.property).map(|property| property.name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "each name is there once");
    assert!(first.password.is_some());
    let wrong = yeyak.client.anonymous().log_in(SELLER, "not the password").await.expect_err("wrong");
    assert_eq!(wrong.reason, ErrorReason::WrongCredentials);
}
