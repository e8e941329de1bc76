//! What each benefit takes off.

use super::*;
use crate::coupon::best::apply;

/// What a coupon takes off each unit, line by line.
fn off(lines: &[Line], benefit: Term, conditions: &[Term]) -> Vec<Vec<i64>> {
    let applied = apply(&cart(lines), &[coupon(benefit, conditions)]).expect("it applies");
    applied.coupons.into_iter().next().expect("one coupon").units
}

#[test]
fn an_amount_is_taken_off_up_to_all_there_is() {
    let amount = |minor| Term::of("FIXED_AMOUNT").with("amount", won(minor));
    let cart = cart(&[stay(&[30_000, 20_000])]);

    assert_eq!(saving(&cart, amount(5_000), &[]), Ok(5_000));
    assert_eq!(saving(&cart, amount(50_000), &[]), Ok(50_000));
    assert_eq!(saving(&cart, amount(50_001), &[]), Ok(50_000), "never more than it costs");
    assert_eq!(
        off(&[stay(&[2, 1]), seats(&[1])], amount(2), &[]),
        [vec![1, 1], vec![0]],
        "1.5 and 0.5: the first of equals"
    );
}

#[test]
fn a_percentage_is_rounded_down_to_the_won_and_capped() {
    let capped = |share, cap| percent(share).with("cap", won(cap));
    let of = |amount, benefit| saving(&cart(&[seats(&[amount])]), benefit, &[]);

    assert_eq!(of(10_000, percent(15)), Ok(1_500));
    assert_eq!(of(9_999, percent(15)), Ok(1_499), "1,499.85");
    assert_eq!(of(199, percent(1)), Ok(1));
    assert_eq!(of(99, percent(1)), Err("NO_SAVING"), "0.99");
    assert_eq!(of(777, percent(100)), Ok(777));
    assert_eq!(of(100_000, capped(10, 9_999)), Ok(9_999));
    assert_eq!(of(100_000, capped(10, 10_000)), Ok(10_000));
    assert_eq!(of(99_990, capped(10, 10_000)), Ok(9_999), "below the cap");
    assert_eq!(of(Cart::LIMIT, percent(99)), Ok((i128::from(Cart::LIMIT) * 99 / 100) as i64), "nothing overflows");
    assert_eq!(saving(&cart(&[seats(&[50, 50])]), percent(1), &[]), Ok(1), "of all together, not of each");
}

#[test]
fn a_fixed_price_is_paid_unless_it_is_less_already() {
    let price = |minor| Term::of("FIXED_PRICE").with("price", won(minor));
    let cart = cart(&[stay(&[60_000, 60_000])]);

    assert_eq!(saving(&cart, price(99_000), &[]), Ok(21_000));
    assert_eq!(saving(&cart, price(0), &[]), Ok(120_000));
    assert_eq!(saving(&cart, price(120_000), &[]), Err("NO_SAVING"));
    assert_eq!(saving(&cart, price(200_000), &[]), Err("NO_SAVING"));
}

#[test]
fn the_cheapest_nights_are_free() {
    let free = Term::of("FREE_NIGHT");
    let two = free.clone().with("count", Value::Number(2));
    let lines = [stay(&[80, 50, 70]), seats(&[10]), stay(&[60, 50])];

    assert_eq!(
        off(&lines, free.clone(), &[]),
        [vec![0, 50, 0], vec![0], vec![0, 0]],
        "the first of equal ones, and no seat"
    );
    assert_eq!(off(&lines, two.clone(), &[]), [vec![0, 50, 0], vec![0], vec![0, 50]]);
    assert_eq!(off(&lines[2..], two, &[]), [vec![60, 50]], "as many as there are");
    assert_eq!(saving(&cart(&lines[1..2]), free, &[]), Err("NO_SAVING"));
}

#[test]
fn every_nth_night_of_each_stay_is_cheaper() {
    let nth = |every, percent| {
        Term::of("NTH_NIGHT").with("every", Value::Number(every)).with("percent", Value::Number(percent))
    };
    let rooms = std::num::NonZeroU16::new(2).expect("two");
    let nights = [(date("2026-05-01"), 100), (date("2026-05-02"), 111), (date("2026-05-03"), 100)];
    let two_rooms = Line::new(MemberId(uuid(1)), stay(&[]).subject, Unit::of_rooms(rooms, &nights));

    assert_eq!(off(&[stay(&[99; 5])], nth(2, 50), &[]), [[0, 49, 0, 49, 0]], "49.5 rounded down for each");
    assert_eq!(
        off(&[stay(&[99; 3]), stay(&[9; 2])], nth(3, 100), &[]),
        [vec![0, 0, 99], vec![0, 0]],
        "not across stays"
    );
    assert_eq!(off(&[two_rooms], nth(2, 50), &[]), [[0, 0, 28, 27, 0, 0]], "the second night of both rooms");
    let from_second = Term::of("STAY_DATES").with("from", day("2026-05-02"));
    assert_eq!(off(&[stay(&[100; 4])], nth(2, 50), &[from_second]), [[0, 0, 50, 0]], "of the nights that count");
}

#[test]
fn the_cheapest_of_every_so_many_are_free() {
    let deal = |buy, get| Term::of("BUY_X_GET_Y").with("buy", Value::Number(buy)).with("get", Value::Number(get));

    assert_eq!(off(&[seats(&[30, 10, 20])], deal(2, 1), &[]), [[0, 10, 0]]);
    assert_eq!(off(&[seats(&[30, 10, 20, 40, 50, 60])], deal(2, 1), &[]), [[0, 10, 20, 0, 0, 0]]);
    assert_eq!(off(&[seats(&[9, 8]), items(&[7, 6])], deal(1, 1), &[]), [[0, 0], [7, 6]], "over all lines");
    assert_eq!(saving(&cart(&[seats(&[30, 10])]), deal(2, 1), &[]), Err("NO_SAVING"), "one is missing");
    assert_eq!(saving(&cart(&[seats(&[1; 5])]), deal(100, 100), &[]), Err("NO_SAVING"));
}

#[test]
fn an_extra_is_free_where_it_is_booked() {
    let free = Term::of("FREE_EXTRA").with("extra", Value::Text("breakfast".to_owned()));
    let mut units = stay(&[100, 100]).units().to_vec();
    units.push(Unit::extra("breakfast", Some(date("2026-05-02")), 15));
    units.push(Unit::extra("parking", None, 5));
    let with_extras = Line::new(MemberId(uuid(1)), stay(&[]).subject, units);

    let lines = [with_extras];
    assert_eq!(off(&lines, free.clone(), &[]), [[0, 0, 0, 15]], "parking, which has no date, comes first");
    assert_eq!(saving(&cart(&[stay(&[100])]), free, &[]), Err("NO_SAVING"));
    let deal = Term::of("BUY_X_GET_Y").with("buy", Value::Number(1)).with("get", Value::Number(1));
    assert_eq!(off(&lines, deal, &[]), [[0, 100, 0, 0]], "extras are not among what is bought");
    assert_eq!(off(&lines, Term::of("FREE_NIGHT"), &[]), [[0, 100, 0, 0]], "nor are they nights");
}
