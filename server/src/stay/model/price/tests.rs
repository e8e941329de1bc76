use std::num::NonZeroU16;

use chrono::Days;
use proptest::prelude::*;

use super::super::{Guests, Restriction, refusals_in_short};
use super::*;
use crate::kit::date::Nights;

const TODAY: &str = "2026-05-01";

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

fn day(days: u64) -> Date {
    date(TODAY) + Days::new(days)
}

/// A stay from one day to another, both counted from today, for one adult in one room.
fn stay(from: u64, to: u64) -> Wanted {
    party(from, to, 1, 0, 1)
}

fn party(from: u64, to: u64, adults: u16, children: u16, rooms: u16) -> Wanted {
    let nights = Nights::between(day(from), day(to)).expect("nights");
    Wanted::new(nights, Guests::new(adults, children).expect("guests"), rooms).expect("wanted")
}

fn offer() -> Offer {
    let occupancy = Occupancy::new(2, 4, Rate::new(20_000).ok()).expect("occupancy");
    Offer { currency: Currency::KRW, occupancy, limits: StayLimits::NONE }
}

fn limits(nights: (Option<u16>, Option<u16>), advance: (Option<u16>, Option<u16>)) -> Offer {
    Offer { limits: StayLimits::new(nights, advance).expect("limits"), ..offer() }
}

fn at(price: i64) -> NightRate {
    NightRate { price: Rate::new(price).ok(), free: 1, restrictions: Restrictions::default() }
}

fn open() -> NightRate {
    at(100_000)
}

fn only(change: impl Fn(&mut Restrictions)) -> NightRate {
    let mut night = open();
    change(&mut night.restrictions);
    night
}

fn nights(count: u16) -> Option<NonZeroU16> {
    NonZeroU16::new(count)
}

/// The refusals in short, or the total.
fn outcome(wanted: &Wanted, offer: &Offer, nights: &[NightRate]) -> String {
    match price_stay(wanted, offer, nights, date(TODAY)) {
        Ok(price) => price.total.minor.to_string(),
        Err(refusals) => refusals_in_short(&refusals),
    }
}

#[test]
fn each_night_has_its_own_price() {
    let price = price_stay(&stay(0, 3), &offer(), &[at(80_000), at(120_000), at(1)], date(TODAY)).expect("a price");

    assert_eq!(price.nights.iter().map(|night| night.price.minor).collect::<Vec<_>>(), [80_000, 120_000, 1]);
    assert_eq!(price.nights.iter().map(|night| night.date).collect::<Vec<_>>(), [day(0), day(1), day(2)]);
    assert_eq!(price.total, Money::won(200_001));
}

#[test]
fn a_guest_beyond_the_price_costs_the_fee_on_each_night() {
    let rooms = [open(), open(), open()].map(|night| NightRate { free: 2, ..night });
    assert_eq!(outcome(&party(0, 2, 2, 0, 1), &offer(), &rooms), "200000");
    assert_eq!(outcome(&party(0, 2, 2, 1, 1), &offer(), &rooms), "240000", "a child is a guest");
    assert_eq!(outcome(&party(0, 2, 3, 2, 2), &offer(), &rooms), "440000", "five in two rooms: one beyond the price");
    assert_eq!(outcome(&party(0, 2, 3, 2, 1), &offer(), &rooms), "2026-05-01 MAX_OCCUPANCY");
}

#[test]
fn a_forty_night_stay_costs_forty_nights() {
    let calendar = vec![open(); 41];
    assert_eq!(outcome(&stay(0, 40), &offer(), &calendar), "4000000");
}

#[test]
fn the_dearest_stay_there_is_does_not_overflow() {
    let occupancy = Occupancy::new(1, 50, Rate::new(1_000_000_000_000).ok()).expect("occupancy");
    let night = NightRate { free: 50, ..at(1_000_000_000_000) };
    let wanted = party(0, 365, 100, 100, 20);

    let price = price_stay(&wanted, &Offer { occupancy, ..offer() }, &vec![night; 366], date(TODAY)).expect("a price");

    assert_eq!(price.total.minor, (20 + 180) * 365 * 1_000_000_000_000);
}

#[test]
fn every_night_is_looked_at_and_every_refusal_named() {
    let full = NightRate { free: 0, ..open() };
    assert_eq!(
        outcome(&stay(0, 3), &offer(), &[open(), full, open()]),
        "2026-05-02 NO_ROOMS",
        "not the first night alone"
    );

    let closed = only(|night| night.closed = true);
    let unsold = NightRate { price: None, ..open() };
    let arrival = only(|night| night.closed_to_arrival = true);
    let departure = only(|night| night.closed_to_departure = true);
    let all = [arrival, closed, unsold, full, departure];
    assert_eq!(
        outcome(&stay(0, 4), &limits((Some(5), None), (Some(3), None)), &all),
        "2026-05-01 MIN_ADVANCE, 2026-05-01 MIN_NIGHTS, 2026-05-01 CLOSED_TO_ARRIVAL, 2026-05-02 CLOSED, \
         2026-05-03 NO_PRICE, 2026-05-04 NO_ROOMS, 2026-05-05 CLOSED_TO_DEPARTURE"
    );
}

#[test]
fn a_minimum_stay_counts_on_arrival_or_on_every_night() {
    let arrival = only(|night| night.min_stay_arrival = nights(3));
    let through = only(|night| night.min_stay_through = nights(3));
    // The restricted night is the first, the second, the last, or the check-out date of a two-night stay.
    let table = [
        (arrival, ["2026-05-01 MIN_STAY_ARRIVAL", "200000", "200000"]),
        (through, ["2026-05-01 MIN_STAY_THROUGH", "2026-05-02 MIN_STAY_THROUGH", "200000"]),
    ];
    for (restricted, expected) in table {
        for (position, expected) in expected.into_iter().enumerate() {
            let mut calendar = [open(); 4];
            calendar[position] = restricted;
            assert_eq!(outcome(&stay(0, 2), &offer(), &calendar), expected, "at {position}");
            assert_eq!(outcome(&stay(0, 3), &offer(), &calendar), "300000", "three nights will do at {position}");
        }
    }
}

#[test]
fn arrival_and_departure_are_closed_on_their_own_dates_alone() {
    let arrival = only(|night| night.closed_to_arrival = true);
    let departure = only(|night| night.closed_to_departure = true);

    assert_eq!(outcome(&stay(0, 2), &offer(), &[arrival, open(), open()]), "2026-05-01 CLOSED_TO_ARRIVAL");
    assert_eq!(outcome(&stay(0, 2), &offer(), &[open(), arrival, arrival]), "200000");
    assert_eq!(outcome(&stay(0, 2), &offer(), &[departure, departure, open()]), "200000");
    assert_eq!(outcome(&stay(0, 2), &offer(), &[open(), open(), departure]), "2026-05-03 CLOSED_TO_DEPARTURE");
    assert_eq!(
        outcome(&stay(0, 2), &offer(), &[open(), open()]),
        "200000",
        "a calendar that ends at check-out refuses nothing"
    );
}

#[test]
fn the_longest_stay_counts_on_every_night() {
    let calendar = [open(), only(|night| night.max_stay = nights(2)), open(), open()];
    assert_eq!(outcome(&stay(0, 2), &offer(), &calendar), "200000");
    assert_eq!(outcome(&stay(0, 3), &offer(), &calendar), "2026-05-02 MAX_STAY");
}

#[test]
fn a_rate_plan_is_for_its_stays_and_its_time_ahead() {
    let calendar = [open(); 5];
    let plan = limits((Some(2), Some(3)), (Some(1), Some(7)));

    assert_eq!(outcome(&stay(1, 2), &plan, &calendar), "2026-05-02 MIN_NIGHTS");
    assert_eq!(outcome(&stay(1, 3), &plan, &calendar), "200000");
    assert_eq!(outcome(&stay(1, 5), &plan, &calendar), "2026-05-02 MAX_NIGHTS");
    assert_eq!(outcome(&stay(0, 2), &plan, &calendar), "2026-05-01 MIN_ADVANCE");
    assert_eq!(outcome(&stay(7, 9), &plan, &calendar), "200000");
    assert_eq!(outcome(&stay(8, 10), &plan, &calendar), "2026-05-09 MAX_ADVANCE");
    let yesterday = price_stay(&stay(0, 2), &offer(), &calendar, day(1)).expect_err("over");
    assert_eq!(yesterday, [Refusal { date: day(0), restriction: Restriction::InThePast }]);
}

#[test]
fn today_is_that_of_the_property() {
    use chrono_tz::{America, Asia, Australia};

    let now = "2026-05-01T14:30:00Z".parse().expect("an instant");
    let today = |zone| crate::kit::date::local_date(zone, now);
    let calendar = [open(); 2];

    // 23:30 in Seoul: still the first. An hour later at Lord Howe: the second, and the first is over.
    assert!(price_stay(&stay(0, 1), &offer(), &calendar, today(Asia::Seoul)).is_ok());
    assert!(price_stay(&stay(0, 1), &offer(), &calendar, today(America::New_York)).is_ok());
    assert!(price_stay(&stay(0, 1), &offer(), &calendar, today(Australia::Lord_Howe)).is_err());
}

#[test]
fn a_missing_night_is_not_for_sale() {
    assert_eq!(outcome(&stay(0, 2), &offer(), &[open()]), "2026-05-02 NO_PRICE, 2026-05-02 NO_ROOMS");
}

#[test]
fn limits_and_rates_that_make_no_sense_are_refused() {
    use super::super::NotLimits;

    let none = (None, None);
    assert_eq!(StayLimits::new((Some(0), None), none), Err(NotLimits::MinNights));
    assert_eq!(StayLimits::new((Some(3), Some(2)), none), Err(NotLimits::MaxNights));
    assert_eq!(StayLimits::new(none, (Some(1001), None)), Err(NotLimits::MinAdvance));
    assert_eq!(StayLimits::new(none, (Some(3), Some(2))), Err(NotLimits::MaxAdvance));
    assert_eq!(StayLimits::new(none, none), Ok(StayLimits::NONE));
    assert_eq!([0, -1, 1_000_000_000_001].map(Rate::new), [Err(NotARate); 3]);
}

#[test]
fn restrictions_are_called_as_in_the_proto() {
    use yeyak_proto::yeyak::stay::v1::stay_refusal::Restriction as Wire;

    let all = [
        Restriction::Closed,
        Restriction::ClosedToArrival,
        Restriction::ClosedToDeparture,
        Restriction::MinStayArrival(1),
        Restriction::MinStayThrough(1),
        Restriction::MaxStay(1),
        Restriction::NoPrice,
        Restriction::NoRooms(1),
        Restriction::MinNights(1),
        Restriction::MaxNights(1),
        Restriction::MinAdvance(1),
        Restriction::MaxAdvance(1),
        Restriction::MaxOccupancy(1),
        Restriction::InThePast,
    ];
    for (number, restriction) in (1..).zip(all) {
        let wire = Wire::try_from(number).expect("a restriction");
        assert_eq!(wire.as_str_name(), format!("RESTRICTION_{}", restriction.name()));
    }
    assert!(Wire::try_from(15).is_err(), "the proto has no more");
}

fn some_night() -> impl Strategy<Value = NightRate> {
    let limit = || prop::option::weighted(0.15, (1..6_u16).prop_map(|count| NonZeroU16::new(count).expect("not zero")));
    let flags = (prop::bool::weighted(0.05), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (prop::option::weighted(0.95, 1..500_000_i64), 0..4_i32, flags, limit(), limit(), limit()).prop_map(
        |(
            price,
            free,
            (closed, closed_to_arrival, closed_to_departure),
            min_stay_arrival,
            min_stay_through,
            max_stay,
        )| NightRate {
            price: price.and_then(|price| Rate::new(price).ok()),
            free,
            restrictions: Restrictions {
                closed,
                closed_to_arrival,
                closed_to_departure,
                min_stay_arrival,
                min_stay_through,
                max_stay: max_stay.and_then(|most| most.checked_add(2)),
            },
        },
    )
}

proptest! {
    /// Before, touching, overlapping either end, within, around, equal, touching, behind.
    #[test]
    fn a_stay_is_refused_exactly_when_it_shares_a_full_night(from in 0..12_u64, count in 1..8_u64, full_from in 0..12_u64, full_count in 1..8_u64) {
        let wanted = stay(from, from + count);
        let full = Nights::between(day(full_from), day(full_from + full_count)).expect("nights");
        let calendar: Vec<_> = (from..=from + count)
            .map(|at| NightRate { free: i32::from(!full.contains(day(at))), ..open() })
            .collect();

        let priced = price_stay(&wanted, &offer(), &calendar, date(TODAY));

        prop_assert_eq!(priced.is_err(), wanted.nights().overlaps(&full));
        let named: Vec<_> = priced.err().into_iter().flatten().map(|refusal| refusal.date).collect();
        let shared: Vec<_> = wanted.nights().dates().filter(|night| full.contains(*night)).collect();
        prop_assert_eq!(named, shared);
    }

    #[test]
    fn nights_add_up_to_the_total_that_a_search_sees(
        calendar in prop::collection::vec(some_night(), 2..8), adults in 1..7_u16, children in 0..3_u16, rooms in 1..4_u16,
        min_nights in 1..4_u16
    ) {
        prop_assume!(rooms <= adults);
        let wanted = party(1, u64::try_from(calendar.len()).expect("few"), adults, children, rooms);
        let plan = limits((Some(min_nights), None), (None, None));

        let priced = price_stay(&wanted, &plan, &calendar, date(TODAY));
        let seen = total(&wanted, &plan, date(TODAY), |at| calendar.get(usize::from(at)).copied().unwrap_or_default());

        prop_assert_eq!(priced.as_ref().ok().map(|price| price.total.minor), seen);
        match priced {
            Ok(price) => {
                prop_assert_eq!(price.nights.len(), usize::from(wanted.nights().count()));
                let sum: i64 = price.nights.iter().map(|night| night.price.minor + night.extra_guest_fee.minor).sum();
                prop_assert_eq!(sum, price.total.minor);
            }
            Err(refusals) => prop_assert!(!refusals.is_empty() && refusals.is_sorted_by_key(|refusal| refusal.date)),
        }
    }
}
