use std::num::NonZeroU16;

use chrono::Days;
use chrono_tz::{America, Asia};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::kit::clock::Time;
use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::money::{Currency, Money};
use crate::stay::LatePayment;
use crate::stay::model::{
    Amenities, Amenity, CancellationPolicy, GeoPoint, Guests, NightRate, Occupancy, Offer, Rate, RatePlanId, Rating,
    Restrictions, StayLimits, Wanted, price_stay, refusals_in_short,
};

/// Noon in Seoul on the first of May, which is the base of every calendar here.
const NOW: &str = "2026-05-01T03:00:00Z";

fn now() -> Time {
    NOW.parse().expect("an instant")
}

fn day(days: u64) -> Date {
    "2026-05-01".parse::<Date>().expect("a date") + Days::new(days)
}

fn wanted(from: u64, to: u64, adults: u16, rooms: u16) -> Wanted {
    let nights = Nights::between(day(from), day(to)).expect("nights");
    Wanted::new(nights, Guests::new(adults, 0).expect("guests"), rooms).expect("wanted")
}

fn two_nights() -> Query {
    Query::new(wanted(0, 2, 2, 1), Currency::KRW)
}

/// As many rooms everywhere, except where a test says otherwise.
#[derive(Debug, Default)]
struct Free {
    everywhere: i32,
    except: HashMap<(RoomTypeId, Date), i32>,
}

impl Availability for Free {
    fn free(&self, room_type: RoomTypeId, _room_count: u32, nights: Nights, free: &mut [i32]) {
        for (date, free) in nights.dates().zip(free) {
            *free = self.except.get(&(room_type, date)).copied().unwrap_or(self.everywhere);
        }
    }
}

fn three() -> Free {
    Free { everywhere: 3, except: HashMap::new() }
}

fn property_id(number: u128) -> PropertyId {
    PropertyId(Uuid::from_u128(number << 64))
}

fn room_id(property: u128, number: u128) -> RoomTypeId {
    RoomTypeId(Uuid::from_u128(property << 64 | number << 32))
}

fn plan_id(property: u128, room: u128, number: u128) -> RatePlanId {
    RatePlanId(Uuid::from_u128(property << 64 | room << 32 | number))
}

fn details(number: u128) -> Details {
    Details {
        id: property_id(number),
        version: 1,
        name: format!("호텔 {number}"),
        name_en: format!("Hotel {number}"),
        address: "서울특별시 중구 세종대로 110".to_owned(),
        region: Region::Seoul,
        location: GeoPoint::new(375_665_000, 1_269_780_000).expect("a point"),
        zone: Asia::Seoul,
        currency: Currency::KRW,
        rating: Rating { average_hundredths: 450, review_count: 100 },
        amenities: Amenities::default(),
        photo: None,
        seller: MemberId(Uuid::from_u128(number)),
        needs_approval: false,
        late_payment: LatePayment::Refund,
    }
}

fn plan(id: RatePlanId, prices: &[i64]) -> Plan {
    let prices = prices.iter().map(|price| Rate::new(*price).ok()).collect();
    Plan { id, name: "Standard".to_owned(), limits: StayLimits::NONE, policy: CancellationPolicy::Flexible, prices }
}

fn room(id: RoomTypeId, plans: Vec<Plan>) -> Room {
    let occupancy = Occupancy::new(2, 4, Rate::new(20_000).ok()).expect("occupancy");
    let restrictions = vec![Restrictions::default(); 30];
    let amenities = Amenities::default();
    Room { id, name: "Double".to_owned(), occupancy, amenities, room_count: 3, restrictions, plans }
}

/// A property with one room type under one plan, at a price for each of thirty nights.
fn listing(number: u128, price: i64, change: impl FnOnce(&mut Details, &mut Room)) -> Listing {
    let mut details = details(number);
    let mut room = room(room_id(number, 1), vec![plan(plan_id(number, 1, 1), &[price; 30])]);
    change(&mut details, &mut room);
    Listing::new(details, day(0), vec![room])
}

fn plain(number: u128, price: i64) -> Listing {
    listing(number, price, |_, _| {})
}

fn index(listings: Vec<Listing>) -> Index {
    let index = Index::new();
    index.fill(listings);
    index
}

/// The numbers of the properties that a query finds, in order.
fn found(index: &Index, query: &Query) -> Vec<u128> {
    found_with(index, query, &three())
}

fn found_with(index: &Index, query: &Query, free: &Free) -> Vec<u128> {
    index.search(query, free, now()).hits.iter().map(|hit| hit.listing.id().0.as_u128() >> 64).collect()
}

#[test]
fn a_property_that_is_full_on_any_night_is_not_found() {
    let index = index(vec![plain(1, 90_000), plain(2, 80_000)]);
    for night in 0..3 {
        let mut free = three();
        free.except.insert((room_id(2, 1), day(night)), 0);
        let nights = |from, to| found_with(&index, &Query::new(wanted(from, to, 2, 1), Currency::KRW), &free);

        assert_eq!(nights(0, 3), [1], "full on night {night}");
        assert_eq!(nights(night + 1, night + 2), [1, 2], "free behind night {night}");
    }
}

#[test]
fn the_cheapest_offer_that_fits_the_stay_and_the_rooms_is_shown() {
    let small = room(room_id(1, 1), vec![plan(plan_id(1, 1, 1), &[50_000; 30])]);
    let large = Room {
        occupancy: Occupancy::new(6, 6, None).expect("occupancy"),
        ..room(room_id(1, 2), vec![plan(plan_id(1, 2, 1), &[300_000; 30]), plan(plan_id(1, 2, 2), &[200_000; 30])])
    };
    let index = index(vec![Listing::new(details(1), day(0), vec![large, small])]);
    let best = |adults, rooms| {
        let query = Query::new(wanted(0, 2, adults, rooms), Currency::KRW);
        let hit = index.search(&query, &three(), now()).hits.remove(0);
        (hit.room().id, hit.plan().id, hit.price.total)
    };

    assert_eq!(best(2, 1), (room_id(1, 1), plan_id(1, 1, 1), Money::won(100_000)));
    assert_eq!(best(4, 1), (room_id(1, 1), plan_id(1, 1, 1), Money::won(180_000)), "two guests beyond the price");
    assert_eq!(best(6, 1), (room_id(1, 2), plan_id(1, 2, 2), Money::won(400_000)), "six sleep in the large room only");
    assert_eq!(best(6, 2), (room_id(1, 1), plan_id(1, 1, 1), Money::won(280_000)), "or in two small ones");
    let large = (room_id(1, 2), plan_id(1, 2, 2), Money::won(1_200_000));
    assert_eq!(best(13, 3), large, "five to a room: three large ones");
    assert!(found(&index, &Query::new(wanted(0, 2, 4, 4), Currency::KRW)).is_empty(), "three rooms are free");
}

#[test]
fn conditions_limit_together() {
    let amenities =
        |numbers: &[i32]| numbers.iter().filter_map(|number| Amenity::of_number(*number)).collect::<Amenities>();
    let index = index(vec![
        plain(1, 50_000),
        listing(2, 70_000, |details, room| {
            details.amenities = amenities(&[1]);
            room.amenities = amenities(&[31]);
        }),
        listing(3, 90_000, |details, _| {
            details.region = Region::Busan;
            details.rating = Rating { average_hundredths: 300, review_count: 9 };
            details.location = GeoPoint::new(351_796_000, 1_290_756_000).expect("a point");
        }),
        listing(4, 1_000, |details, _| details.currency = "USD".parse().expect("a currency")),
    ]);
    let find = |change: &dyn Fn(&mut Query)| {
        let mut query = Query { order: Order::Price, ..two_nights() };
        change(&mut query);
        found(&index, &query)
    };

    assert_eq!(find(&|_| {}), [1, 2, 3]);
    assert_eq!(find(&|query| query.region = Some(Region::Busan)), [3]);
    assert_eq!(find(&|query| query.region = Some(Region::Jeju)), [0; 0]);
    assert_eq!(find(&|query| query.amenities = amenities(&[1, 31])), [2], "wifi here, the view there");
    assert_eq!(find(&|query| query.min_rating = 301), [1, 2]);
    assert_eq!(find(&|query| query.max_total = Some(140_000)), [1, 2], "both ends are included");
    assert_eq!(find(&|query| query.min_total = Some(140_000)), [2, 3]);
    assert_eq!(find(&|query| query.currency = "USD".parse().expect("a currency")), [4]);
    let near_seoul = |query: &mut Query| query.near = GeoPoint::new(375_000_000, 1_270_000_000).ok();
    assert_eq!(find(&|query| (near_seoul(query), query.max_distance = Some(50_000)).1), [1, 2]);
    assert_eq!(find(&|query| (near_seoul(query), query.order = Order::Distance).1), [1, 2, 3]);
}

#[test]
fn a_part_of_a_korean_or_english_name_is_found() {
    let named = |number, name: &str, name_en: &str| {
        listing(number, 50_000, |details, _| (details.name, details.name_en) = (name.to_owned(), name_en.to_owned()))
    };
    let index = index(vec![
        named(1, "제주바다펜션", "Jeju Bada Pension"),
        named(2, "바다", "Sea"),
        named(3, "해운대 바다호텔", "Haeundae OCEAN Hotel"),
        named(4, "산장", ""),
        named(5, "바다향기", ""),
    ]);
    let text = |text: &str| found(&index, &Query { text: Some(fold(text)), ..two_nights() });

    assert_eq!(text("바다"), [2, 5, 3, 1], "the whole name, its start, a word's start, a part");
    assert_eq!(text("다"), [1, 2, 3, 5], "one syllable will do");
    assert_eq!(text("ocean"), [3]);
    assert_eq!(text(" OcEaN hotel "), [3]);
    assert_eq!(text("세종대로"), [1, 2, 3, 4, 5], "the address");
    assert_eq!(text("없는 이름"), [0; 0]);
    // 산장 in pieces, as macOS sends it.
    assert_eq!(text("\u{1109}\u{1161}\u{11ab}\u{110c}\u{1161}\u{11bc}"), [4]);
}

#[test]
fn restrictions_hide_what_they_refuse() {
    let closing = |at: usize, change: fn(&mut Restrictions)| {
        index(vec![listing(1, 50_000, |_, room| change(&mut room.restrictions[at]))])
    };
    let stays = |index: &Index, from, to| !found(index, &Query::new(wanted(from, to, 2, 1), Currency::KRW)).is_empty();

    let through = closing(2, |night| night.min_stay_through = NonZeroU16::new(3));
    assert!(!stays(&through, 1, 3) && stays(&through, 1, 4) && stays(&through, 3, 5));
    let arrival = closing(2, |night| night.min_stay_arrival = NonZeroU16::new(3));
    assert!(stays(&arrival, 1, 3) && !stays(&arrival, 2, 4) && stays(&arrival, 2, 5));
    let departure = closing(2, |night| night.closed_to_departure = true);
    assert!(!stays(&departure, 0, 2) && stays(&departure, 0, 3));
    assert!(stays(&departure, 28, 30), "the last nights of the calendar");
    assert!(!stays(&departure, 29, 31), "a night behind its end");
}

#[test]
fn the_day_is_that_of_each_property() {
    // 15:30 on the first in New York; in Seoul it is the second.
    let now = "2026-05-01T19:30:00Z".parse().expect("an instant");
    let index = index(vec![plain(1, 50_000), listing(2, 50_000, |details, _| details.zone = America::New_York)]);

    let hits = index.search(&two_nights(), &three(), now).hits;

    assert_eq!(hits.iter().map(|hit| hit.listing.id()).collect::<Vec<_>>(), [property_id(2)]);
}

#[test]
fn a_calendar_that_begins_later_has_no_earlier_night() {
    let early = Index::new();
    let rooms = vec![room(room_id(1, 1), vec![plan(plan_id(1, 1, 1), &[50_000; 30])])];
    early.fill(vec![Listing::new(details(1), day(1), rooms)]);

    assert!(found(&early, &two_nights()).is_empty());
    assert_eq!(found(&early, &Query::new(wanted(1, 3, 2, 1), Currency::KRW)), [1]);
}

#[test]
fn a_later_reading_takes_the_place_of_an_earlier_one_and_never_the_reverse() {
    let at = |version, price| listing(1, price, |details, _| details.version = version);
    let index = index(vec![at(5, 50_000), plain(2, 60_000)]);
    let price = || index.search(&two_nights(), &three(), now()).hits.iter().map(|hit| hit.best.total).min();

    assert!(!index.replace_property(at(4, 10_000)));
    assert_eq!(price(), Some(100_000));
    assert!(index.replace_property(at(6, 40_000)));
    assert_eq!(price(), Some(80_000));
    assert!(!index.remove_property(property_id(1), 5));
    assert!(index.remove_property(property_id(1), 7));
    assert_eq!((price(), index.len()), (Some(120_000), 1));
    assert!(index.room_type(room_id(1, 1)).is_none());
    assert!(!index.replace_property(at(7, 10_000)), "removed at this version");
    assert!(index.replace_property(at(8, 30_000)));
    assert_eq!((price(), index.len()), (Some(60_000), 2));
}

#[test]
fn a_property_may_move_and_lose_its_rooms() {
    let index = index(vec![plain(1, 50_000)]);
    let moved = |version, rooms: &[u128]| {
        let rooms =
            rooms.iter().map(|room| self::room(room_id(1, *room), vec![plan(plan_id(1, *room, 1), &[9_000; 30])]));
        Listing::new(Details { version, region: Region::Busan, ..details(1) }, day(0), rooms.collect())
    };

    index.replace_property(moved(2, &[2, 3]));
    assert!(found(&index, &Query { region: Some(Region::Seoul), ..two_nights() }).is_empty());
    assert_eq!(found(&index, &Query { region: Some(Region::Busan), ..two_nights() }), [1]);
    assert_eq!([1, 2, 3].map(|room| index.room_type(room_id(1, room)).is_some()), [false, true, true]);
    index.replace_property(moved(3, &[3, 4]));
    assert_eq!([1, 2, 3, 4].map(|room| index.room_type(room_id(1, room)).is_some()), [false, false, true, true]);
}

#[test]
fn a_stay_is_priced_under_each_plan_or_told_why_not() {
    let mut saver = plan(plan_id(1, 1, 2), &[40_000, 40_000, 0, 40_000]);
    saver.limits = StayLimits::new((Some(2), None), (None, None)).expect("limits");
    let rooms = vec![room(room_id(1, 1), vec![plan(plan_id(1, 1, 1), &[50_000; 30]), saver])];
    let index = index(vec![Listing::new(details(1), day(0), rooms)]);
    let price = |plan, from, to| index.price(room_id(1, 1), plan, &wanted(from, to, 2, 1), &three(), now());
    let told = |priced: Vec<Priced>| {
        let told = |priced: Priced| {
            priced.price.map_or_else(|no| refusals_in_short(&no), |price| price.total.minor.to_string())
        };
        priced.into_iter().map(told).collect::<Vec<_>>()
    };

    assert_eq!(price(None, 0, 2).map(told).expect("priced"), ["80000", "100000"]);
    assert_eq!(price(None, 1, 3).map(told).expect("priced"), ["100000", "2026-05-03 NO_PRICE"]);
    assert_eq!(price(Some(plan_id(1, 1, 2)), 0, 1).map(told).expect("priced"), ["2026-05-01 MIN_NIGHTS"]);
    assert_eq!(price(Some(plan_id(9, 9, 9)), 0, 1), None);
    assert_eq!(index.price(room_id(9, 9), None, &wanted(0, 1, 2, 1), &three(), now()), None);
}

#[test]
fn nights_are_shown_with_what_is_free_and_the_lowest_price() {
    let plans = vec![plan(plan_id(1, 1, 1), &[50_000, 50_000, 0, 70_000]), plan(plan_id(1, 1, 2), &[60_000, 40_000])];
    let mut double = room(room_id(1, 1), plans);
    double.restrictions[3].closed = true;
    let index = index(vec![Listing::new(details(1), day(0), vec![double])]);
    let mut free = three();
    free.except.insert((room_id(1, 1), day(1)), -2);

    let nights = Nights::between(day(0), day(4)).expect("nights");
    let shown = index.nights(room_id(1, 1), nights, &free, now()).expect("for sale");

    let brief: Vec<_> = shown.iter().map(|night| (night.free, night.lowest.map(|lowest| lowest.minor))).collect();
    assert_eq!(brief, [(3, Some(50_000)), (0, Some(40_000)), (0, None), (0, Some(70_000))]);
}

/// What a catalogue of some properties is made of: for each the price, rating and version of its plans and nights.
fn catalogue() -> impl Strategy<Value = Vec<(i64, u16, Vec<Vec<i64>>)>> {
    let plans = prop::collection::vec(prop::collection::vec(prop_oneof![1 => Just(0), 6 => 1..100_i64], 5), 1..4);
    prop::collection::vec((0..3_i64, 0..5_u16, plans), 0..12)
}

proptest! {
    #[test]
    fn pages_hold_each_property_once_in_the_order_of_the_whole(
        catalogue in catalogue(), page in 1..5_usize,
        order in prop::sample::select(vec![Order::Relevance, Order::Price, Order::Rating, Order::Distance])
    ) {
        let listings: Vec<_> = (1..).zip(&catalogue).map(|(number, (_, rating, plans))| {
            let plans = (1..).zip(plans).map(|(at, prices)| plan(plan_id(number, 1, at), prices)).collect();
            let mut details = details(number);
            details.rating = Rating { average_hundredths: rating * 100, review_count: 3 };
            details.region = Region::ALL[usize::from(*rating)];
            Listing::new(details, day(0), vec![room(room_id(number, 1), plans)])
        }).collect();
        let index = index(listings);
        let all = Query { order, limit: 100, ..two_nights() };
        let whole = index.search(&all, &three(), now());
        prop_assert!(whole.hits.is_sorted_by_key(|hit| hit.key) && whole.next.is_none());

        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let found = index.search(&Query { after, limit: page, ..all.clone() }, &three(), now());
            prop_assert_eq!(found.total_count, whole.hits.len());
            paged.extend(found.hits.iter().map(|hit| hit.key));
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        prop_assert_eq!(paged, whole.hits.iter().map(|hit| hit.key).collect::<Vec<_>>());
    }

    #[test]
    fn a_hit_is_the_least_price_that_any_plan_gives(catalogue in catalogue(), from in 0..3_u64, count in 1..3_u64) {
        let wanted = wanted(from, from + count, 3, 1);
        for (number, (_, _, plans)) in (1..).zip(&catalogue) {
            let made: Vec<_> = (1..).zip(plans).map(|(at, prices)| plan(plan_id(number, 1, at), prices)).collect();
            let room = room(room_id(number, 1), made);
            let offer = Offer { currency: Currency::KRW, occupancy: room.occupancy, limits: StayLimits::NONE };
            let least = plans.iter().filter_map(|prices| {
                let nights: Vec<_> = prices.iter().skip(usize::try_from(from).expect("few"))
                    .map(|price| NightRate { price: Rate::new(*price).ok(), free: 3, restrictions: Restrictions::default() })
                    .collect();
                price_stay(&wanted, &offer, &nights, day(0)).ok()
            }).map(|price| price.total.minor).min();

            let index = index(vec![Listing::new(details(number), day(0), vec![room])]);
            let hits = index.search(&Query::new(wanted, Currency::KRW), &three(), now()).hits;

            prop_assert_eq!(hits.first().map(|hit| hit.price.total.minor), least);
            prop_assert_eq!(hits.first().map(|hit| hit.best.total), least);
        }
    }
}
