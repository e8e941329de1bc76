//! What each condition asks for.

use super::*;

/// Whether a coupon is good for a cart under a condition: what half of what counts is, or the reason why not.
fn half(cart: &Cart, condition: Term) -> Result<i64, &'static str> {
    saving(cart, percent(50), &[condition])
}

#[test]
fn scopes_narrow_what_counts() {
    let cart = cart(&[stay(&[100]), seats(&[20]), items(&[6])]);
    let all = [
        (Term::of("PROPERTY").with("properties", ids("property", 2)), Ok(50)),
        (Term::of("PROPERTY").with("properties", ids("property", 9)), Err("OUT_OF_SCOPE")),
        (Term::of("REGION").with("regions", Value::texts(["JEJU", "SEOUL"])), Ok(50)),
        (Term::of("REGION").with("regions", Value::texts(["JEJU"])), Err("OUT_OF_SCOPE")),
        (Term::of("ROOM_TYPE").with("room_types", ids("roomtype", 3)), Ok(50)),
        (Term::of("ROOM_TYPE").with("room_types", ids("roomtype", 2)), Err("OUT_OF_SCOPE")),
        (Term::of("PERFORMANCE").with("performances", ids("performance", 4)), Ok(10)),
        (Term::of("PERFORMANCE").with("performances", ids("performance", 9)), Err("OUT_OF_SCOPE")),
        (Term::of("SEAT_GRADE").with("grades", Value::texts(["VIP"])), Ok(10)),
        (Term::of("SEAT_GRADE").with("grades", Value::texts(["R"])), Err("OUT_OF_SCOPE")),
        (Term::of("PRODUCT").with("products", ids("product", 5)), Ok(3)),
        (Term::of("PRODUCT").with("products", ids("product", 9)), Err("OUT_OF_SCOPE")),
        (Term::of("CATEGORY").with("categories", Value::texts(["tea"])), Ok(3)),
        (Term::of("CATEGORY").with("categories", Value::texts(["cups"])), Err("OUT_OF_SCOPE")),
    ];
    for (condition, outcome) in all {
        assert_eq!(half(&cart, condition.clone()), outcome, "{condition:?}");
    }
    let both = [
        Term::of("REGION").with("regions", Value::texts(["SEOUL"])),
        Term::of("SEAT_GRADE").with("grades", Value::texts(["VIP"])),
    ];
    assert_eq!(saving(&cart, percent(50), &both), Err("OUT_OF_SCOPE"), "all must hold");
    assert_eq!(saving(&cart, percent(50), &[]), Ok(63), "without conditions everything counts");
}

#[test]
fn a_sellers_coupon_is_good_for_what_the_seller_sells() {
    let mut foreign = stay(&[1_000]);
    foreign.seller = MemberId(uuid(99));
    let mut mine = coupon(percent(50), &[]);
    mine.seller = Some(MemberId(uuid(1)));
    let worth =
        |lines: &[Line]| usable(&cart(lines), &[mine.clone()]).remove(0).outcome.map_err(|refusal| refusal.reason);

    assert_eq!(worth(&[stay(&[100]), foreign.clone()]), Ok(50));
    assert_eq!(worth(&[foreign]), Err("OUT_OF_SCOPE"));
    assert_eq!(worth(&[]), Err("OUT_OF_SCOPE"));
}

#[test]
fn the_minimum_is_judged_on_what_counts() {
    let minimum = |least| Term::of("MINIMUM_AMOUNT").with("amount", won(least));
    let seats_only = Term::of("SEAT_GRADE").with("grades", Value::texts(["VIP"]));
    let cart = cart(&[stay(&[100_000]), seats(&[49_999])]);

    assert_eq!(half(&cart, minimum(149_999)), Ok(74_999));
    assert_eq!(half(&cart, minimum(150_000)), Err("MINIMUM_AMOUNT"));
    assert_eq!(saving(&cart, percent(50), &[minimum(49_999), seats_only.clone()]), Ok(24_999));
    let refusal = refusal(&cart, percent(50), &[minimum(50_000), seats_only]).expect_err("a won is missing");
    assert_eq!((refusal.reason, &*refusal.text), ("MINIMUM_AMOUNT", "needs 50,000 KRW, has 49,999 KRW"));
}

#[test]
fn a_stay_must_be_long_enough() {
    let minimum = |nights| Term::of("MINIMUM_NIGHTS").with("nights", Value::Number(nights));
    let rooms = std::num::NonZeroU16::new(3).expect("three");
    let one_night =
        Line::new(MemberId(uuid(1)), stay(&[]).subject, Unit::of_rooms(rooms, &[(date("2026-05-01"), 300)]));

    assert_eq!(half(&cart(&[stay(&[100, 100])]), minimum(2)), Ok(100));
    assert_eq!(half(&cart(&[stay(&[100, 100])]), minimum(3)), Err("MINIMUM_NIGHTS"));
    assert_eq!(half(&cart(&[one_night]), minimum(2)), Err("MINIMUM_NIGHTS"), "three rooms are not three nights");
    assert_eq!(half(&cart(&[stay(&[100]), stay(&[10, 10])]), minimum(2)), Ok(10), "each stay for itself");
    assert_eq!(half(&cart(&[seats(&[1, 1, 1])]), minimum(2)), Err("MINIMUM_NIGHTS"));
}

#[test]
fn bookings_are_made_on_days_of_the_policys_zone() {
    let dates = |from, until| Term::of("BOOKING_DATES").with("from", day(from)).with("until", day(until));
    let on = |weekdays: &[&str]| Term::of("BOOKING_WEEKDAYS").with("weekdays", Value::texts(weekdays.iter().copied()));
    let mut cart = cart(&[seats(&[100])]);

    // The last minute of Wednesday in Seoul, and the first of Thursday; both are on Wednesday in Greenwich.
    for (now, on_wednesday, on_thursday) in
        [("2026-04-15T14:59:59Z", Ok(50), Err("BOOKING_DATES")), ("2026-04-15T15:00:00Z", Err("BOOKING_DATES"), Ok(50))]
    {
        cart.now = time(now);
        assert_eq!(half(&cart, dates("2026-04-15", "2026-04-16")), on_wednesday);
        assert_eq!(half(&cart, dates("2026-04-16", "2026-04-17")), on_thursday);
        let weekday = |outcome: Result<_, _>| outcome.map_err(|_| "BOOKING_WEEKDAYS");
        assert_eq!(half(&cart, on(&["MONDAY", "WEDNESDAY"])), weekday(on_wednesday));
        assert_eq!(half(&cart, on(&["THURSDAY"])), weekday(on_thursday));
    }
    let from = Term::of("BOOKING_DATES").with("from", day("2026-04-16"));
    assert_eq!(half(&cart, from), Ok(50));
    let until = Term::of("BOOKING_DATES").with("until", day("2026-04-16"));
    assert_eq!(half(&cart, until), Err("BOOKING_DATES"), "half-open");
}

#[test]
fn nights_outside_do_not_count() {
    let dates = |from, until| Term::of("STAY_DATES").with("from", day(from)).with("until", day(until));
    let on = |weekdays: &[&str]| Term::of("STAY_WEEKDAYS").with("weekdays", Value::texts(weekdays.iter().copied()));
    // Friday to Monday.
    let cart = cart(&[stay(&[1_000, 200, 40, 8]), seats(&[100_000])]);

    assert_eq!(half(&cart, dates("2026-05-02", "2026-05-04")), Ok(120));
    assert_eq!(half(&cart, dates("2026-05-05", "2026-05-09")), Err("STAY_DATES"));
    assert_eq!(half(&cart, on(&["SATURDAY", "MONDAY"])), Ok(104));
    assert_eq!(half(&cart, on(&["TUESDAY"])), Err("STAY_WEEKDAYS"));
}

#[test]
fn an_extra_counts_with_its_night() {
    let second = Term::of("STAY_DATES").with("from", day("2026-05-02"));
    let mut units = stay(&[1_000, 200]).units().to_vec();
    units.push(Unit::extra("breakfast", Some(date("2026-05-01")), 50_000));
    units.push(Unit::extra("breakfast", Some(date("2026-05-02")), 40));
    units.push(Unit::extra("parking", None, 8));
    let line = Line::new(MemberId(uuid(1)), stay(&[]).subject, units);

    assert_eq!(half(&cart(&[line]), second), Ok(124), "and one of the whole stay with any of its nights");
}

#[test]
fn members_and_means_of_payment_are_judged() {
    let mut cart = cart(&[seats(&[100])]);
    let tiers = Term::of("MEMBER_TIER").with("tiers", Value::texts(["GOLD", "VIP"]));
    let methods = Term::of("PAYMENT_METHOD").with("methods", Value::texts(["CARD"]));

    assert_eq!(half(&cart, Term::of("FIRST_BOOKING")), Err("FIRST_BOOKING"));
    assert_eq!(half(&cart, tiers.clone()), Err("MEMBER_TIER"));
    let mut moved = cart.clone();
    moved.member.has_booked = true;
    for asked in [Term::of("FIRST_BOOKING"), tiers.clone()] {
        assert_eq!(half(&moved, asked), Ok(50), "they were it when they booked");
    }
    assert_eq!(half(&cart, methods.clone()), Err("PAYMENT_METHOD"), "not chosen yet");
    cart.member.first_booking = true;
    cart.member.tier = Some("VIP".to_owned());
    cart.payment_method = Some("CARD".to_owned());
    assert_eq!(half(&cart, Term::of("FIRST_BOOKING")), Ok(50));
    assert_eq!(half(&cart, tiers), Ok(50));
    assert_eq!(half(&cart, methods.clone()), Ok(50));
    cart.payment_method = Some("TRANSFER".to_owned());
    assert_eq!(half(&cart, methods), Err("PAYMENT_METHOD"));
}

#[test]
fn amounts_of_another_currency_are_good_for_nothing() {
    let dollars = |minor_units| Value::Amount { currency_code: "USD".to_owned(), minor_units };
    let cart = cart(&[seats(&[100])]);

    assert_eq!(saving(&cart, Term::of("FIXED_AMOUNT").with("amount", dollars(1)), &[]), Err("OTHER_CURRENCY"));
    assert_eq!(saving(&cart, percent(10).with("cap", dollars(1)), &[]), Err("OTHER_CURRENCY"));
    assert_eq!(saving(&cart, percent(10), &[]), Ok(10), "a share is one in any currency");
}
