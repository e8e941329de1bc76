//! The rules of combining, one by one.

use std::sync::Arc;

use uuid::Uuid;

use super::super::{Applied, Coupon, Limits, NotApplicable, Stacking, apply, best, usable};
use super::sample::OFF_EVERY;
use crate::coupon::cart::{Cart, Line, Subject, Unit};
use crate::coupon::kind::{Kinds, Term, Value, Wording};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::money::Currency;
use crate::kit::violation::Violations;

fn time(text: &str) -> Time {
    text.parse().expect("an instant")
}

/// One line of seats, on 15 April 2026.
fn cart(prices: &[i64]) -> Cart {
    let units = prices.iter().map(|price| Unit::piece(*price)).collect();
    let subject = Subject::Seats { performance: Uuid::nil(), grade: "VIP".to_owned() };
    let lines = vec![Line::new(MemberId(Uuid::nil()), subject, units)];
    Cart::new(Currency::KRW, time("2026-04-15T03:00:00Z"), lines).expect("small amounts")
}

/// A coupon by its number, of a policy and a group of the same number, which lasts for ever.
fn coupon(number: u128, benefit: Term, conditions: &[Term]) -> Coupon {
    let wording = Wording { benefit, conditions: conditions.to_vec() };
    let mut violations = Violations::new();
    let terms = Kinds::standard().with(OFF_EVERY).read("coupon_policy", &wording, &mut violations);
    let terms = Arc::new(violations.finish(terms).expect("valid terms"));
    let id = Uuid::from_u128(number);
    let stacking = Stacking { group: format!("g{number}"), ..Stacking::default() };
    Coupon {
        id,
        policy: id,
        seller: None,
        expire_time: None,
        zone: Tz::Asia__Seoul,
        stacking,
        terms,
        budget_left: None,
    }
}

fn amount(minor: i64) -> Term {
    Term::of("FIXED_AMOUNT").with("amount", Value::won(minor))
}

fn percent(percent: i64) -> Term {
    Term::of("PERCENT").with("percent", Value::Number(percent))
}

fn two_for_one() -> Term {
    Term::of("BUY_X_GET_Y").with("buy", Value::Number(1)).with("get", Value::Number(1))
}

fn minimum(minor: i64) -> Term {
    Term::of("MINIMUM_AMOUNT").with("amount", Value::won(minor))
}

fn in_group(group: &str, coupon: Coupon) -> Coupon {
    let stacking = Stacking { group: group.to_owned(), ..coupon.stacking };
    Coupon { stacking, ..coupon }
}

fn exclusive(coupon: Coupon) -> Coupon {
    let stacking = Stacking { exclusive: true, ..coupon.stacking };
    Coupon { stacking, ..coupon }
}

fn first(coupon: Coupon) -> Coupon {
    let stacking = Stacking { priority: 0, ..coupon.stacking };
    Coupon { stacking, ..coupon }
}

fn until(end: &str, coupon: Coupon) -> Coupon {
    Coupon { expire_time: Some(time(end)), ..coupon }
}

/// Which coupons apply, and what each takes off.
fn savings(applied: &Applied) -> Vec<(u128, i64)> {
    applied.coupons.iter().map(|one| (one.coupon.as_u128(), one.saving)).collect()
}

fn applied(cart: &Cart, coupons: &[Coupon]) -> Result<Vec<(u128, i64)>, (u128, &'static str)> {
    let refused = |NotApplicable { coupon, refusal }| (coupon.as_u128(), refusal.reason);
    apply(cart, coupons).map(|applied| savings(&applied)).map_err(refused)
}

fn chosen(cart: &Cart, coupons: &[Coupon]) -> Vec<(u128, i64)> {
    let best = best(cart, coupons, Limits::default());
    assert!(best.is_proven);
    savings(&best.applied)
}

#[test]
fn units_come_before_the_whole_then_priority_then_the_older_policy() {
    let cart = cart(&[600, 400]);
    let (fixed, share, deal) =
        (coupon(1, amount(100), &[]), coupon(2, percent(10), &[]), coupon(3, two_for_one(), &[]));

    let all = [fixed.clone(), share.clone(), deal.clone()];
    assert_eq!(applied(&cart, &all), Ok(vec![(3, 400), (1, 100), (2, 50)]));
    let share_first = [fixed.clone(), first(share.clone()), deal.clone()];
    assert_eq!(applied(&cart, &share_first), Ok(vec![(3, 400), (2, 60), (1, 100)]));
    let fixed_first = [first(fixed), share, deal];
    assert_eq!(applied(&cart, &fixed_first), Ok(vec![(3, 400), (1, 100), (2, 50)]), "the whole stays behind units");
}

#[test]
fn a_minimum_is_judged_on_what_is_left_at_its_turn() {
    let cart = cart(&[1_000]);
    let before = coupon(1, amount(100), &[]);
    let behind = |least| coupon(2, percent(10), &[minimum(least)]);

    assert_eq!(applied(&cart, &[before.clone(), behind(900)]), Ok(vec![(1, 100), (2, 90)]));
    assert_eq!(applied(&cart, &[before.clone(), behind(901)]), Err((2, "MINIMUM_AMOUNT")));
    assert_eq!(applied(&cart, &[first(behind(901)), before.clone()]), Ok(vec![(2, 100), (1, 100)]));
    assert_eq!(
        chosen(&cart, &[before, behind(901)]),
        [(1, 100)],
        "of 100 each the one that expires first, then the lower id"
    );
}

#[test]
fn a_set_in_which_one_saves_nothing_is_no_combination() {
    let cart = cart(&[1_000]);
    let coupons = [coupon(1, amount(1_000), &[]), coupon(2, percent(10), &[])];

    assert_eq!(applied(&cart, &coupons), Err((2, "NO_SAVING")));
    assert_eq!(chosen(&cart, &coupons), [(1, 1_000)]);
}

#[test]
fn at_most_five_are_used() {
    let cart = cart(&[1_000]);
    let six: Vec<_> = (1..=6).map(|number| coupon(number, amount(number as i64), &[])).collect();

    assert_eq!(applied(&cart, &six), Err((6, "TOO_MANY")));
    assert_eq!(chosen(&cart, &six), [(2, 2), (3, 3), (4, 4), (5, 5), (6, 6)]);
}

#[test]
fn one_of_a_group_is_used_and_the_same_coupon_once() {
    let cart = cart(&[1_000]);
    let (small, large) = (in_group("day", coupon(1, amount(10), &[])), in_group("day", coupon(2, amount(20), &[])));
    let other = coupon(3, amount(5), &[]);

    assert_eq!(applied(&cart, &[small.clone(), large.clone()]), Err((2, "SAME_GROUP")));
    assert_eq!(applied(&cart, &[other.clone(), other.clone()]), Err((3, "SAME_COUPON")));
    assert_eq!(chosen(&cart, &[small, large, other]), [(2, 20), (3, 5)]);
}

#[test]
fn an_exclusive_coupon_stands_against_the_best_of_all_groups() {
    let cart = cart(&[1_000]);
    let alone = |minor| exclusive(coupon(9, amount(minor), &[]));
    let others = [
        in_group("a", coupon(1, amount(30), &[])),
        in_group("a", coupon(2, amount(20), &[])),
        coupon(3, amount(25), &[]),
    ];
    let with = |one| [others.as_slice(), &[one]].concat();

    assert_eq!(applied(&cart, &[others[0].clone(), alone(60)]), Err((9, "EXCLUSIVE")));
    assert_eq!(applied(&cart, &[alone(60)]), Ok(vec![(9, 60)]));
    assert_eq!(chosen(&cart, &with(alone(54))), [(1, 30), (3, 25)]);
    assert_eq!(chosen(&cart, &with(alone(55))), [(9, 55)], "as much by fewer coupons");
    assert_eq!(chosen(&cart, &with(alone(56))), [(9, 56)]);
}

#[test]
fn of_equal_savings_the_fewest_then_those_that_expire_first_then_the_lower_ids() {
    let cart = cart(&[100]);
    let all_of_it = |number, end| until(end, coupon(number, amount(100), &[]));
    let half = |number, end| until(end, coupon(number, amount(50), &[]));

    let soon = "2026-04-16T00:00:00Z";
    let later = "2026-04-17T00:00:00Z";
    assert_eq!(
        chosen(&cart, &[half(1, soon), half(2, soon), all_of_it(3, later)]),
        [(3, 100)],
        "one is fewer than two"
    );
    assert_eq!(chosen(&cart, &[all_of_it(1, later), all_of_it(2, soon)]), [(2, 100)]);
    assert_eq!(chosen(&cart, &[coupon(1, amount(100), &[]), all_of_it(2, later)]), [(2, 100)], "for ever is last");
    assert_eq!(chosen(&cart, &[all_of_it(2, soon), all_of_it(1, soon)]), [(1, 100)]);
    let halves = [half(1, later), half(2, soon), half(3, later), half(4, soon)];
    assert_eq!(chosen(&cart, &halves), [(2, 50), (4, 50)]);
}

#[test]
fn of_one_policy_the_coupon_that_expires_first_is_used() {
    let cart = cart(&[100]);
    let of_policy = |number, end| {
        let one = until(end, coupon(number, amount(10), &[]));
        in_group("policy", Coupon { policy: Uuid::nil(), ..one })
    };
    let coupons = [
        of_policy(1, "2026-04-18T00:00:00Z"),
        of_policy(2, "2026-04-16T00:00:00Z"),
        of_policy(3, "2026-04-15T03:00:00Z"),
    ];

    assert_eq!(chosen(&cart, &coupons), [(2, 10)], "the third is over");
}

#[test]
fn a_budget_is_judged_on_what_is_taken_off_at_its_turn() {
    let cart = cart(&[1_000]);
    let before = first(coupon(1, amount(200), &[]));
    let half = |budget| Coupon { budget_left: Some(budget), ..coupon(2, percent(50), &[]) };
    let large = exclusive(coupon(3, amount(500), &[]));

    assert_eq!(applied(&cart, &[half(499)]), Err((2, "BUDGET_SPENT")));
    assert_eq!(applied(&cart, &[before.clone(), half(400)]), Ok(vec![(1, 200), (2, 400)]));
    assert_eq!(applied(&cart, &[before.clone(), half(399)]), Err((2, "BUDGET_SPENT")));
    assert_eq!(chosen(&cart, &[before.clone(), half(400), large.clone()]), [(1, 200), (2, 400)]);
    assert_eq!(chosen(&cart, &[before.clone(), half(399), large]), [(3, 500)]);
    assert_eq!(chosen(&cart, &[exclusive(half(499)), before]), [(1, 200)]);
}

#[test]
fn the_greedy_choice_is_not_the_best() {
    let cart = cart(&[1_000]);
    // Each of the two needs more than the large one leaves.
    let large = first(coupon(1, amount(300), &[]));
    let two = [coupon(2, amount(200), &[minimum(800)]), coupon(3, amount(200), &[minimum(800)])];

    assert_eq!(chosen(&cart, &[large, two[0].clone(), two[1].clone()]), [(2, 200), (3, 200)]);
}

#[test]
fn a_benefit_that_can_cost_more_when_less_is_left_is_not_passed_over() {
    let cart = cart(&[210]);
    let off_every = Term::of("OFF_EVERY").with("full", Value::won(100)).with("off", Value::won(90));
    let coupons = [
        coupon(1, amount(10), &[]),
        in_group("either", coupon(2, amount(100), &[])),
        in_group("either", coupon(3, amount(101), &[minimum(200)])),
        coupon(4, off_every, &[]),
        exclusive(coupon(5, amount(195), &[])),
    ];

    // The third takes off more than the second, and leaves a won too little for the fourth.
    assert_eq!(chosen(&cart, &coupons), [(1, 10), (2, 100), (4, 90)]);
}

#[test]
fn what_each_coupon_is_worth_alone_is_told_with_the_reason_of_those_worth_nothing() {
    let cart = cart(&[1_000]);
    let coupons = [
        coupon(1, percent(10), &[]),
        coupon(2, percent(10), &[minimum(1_001)]),
        until("2026-04-15T03:00:00Z", coupon(3, percent(10), &[])),
        coupon(4, Term::of("FREE_NIGHT"), &[]),
        coupon(5, percent(10), &[Term::of("REGION").with("regions", Value::texts(["SEOUL"]))]),
        exclusive(coupon(6, percent(10), &[])),
        until("2026-04-15T03:00:01Z", coupon(7, percent(10), &[])),
    ];

    let answers = usable(&cart, &coupons);

    let outcomes: Vec<_> = answers.iter().map(|one| one.outcome.clone().map_err(|refusal| refusal.reason)).collect();
    let worth_nothing = [Err("MINIMUM_AMOUNT"), Err("EXPIRED"), Err("NO_SAVING"), Err("OUT_OF_SCOPE")];
    assert_eq!(outcomes[0], Ok(100));
    assert_eq!(outcomes[1..5], worth_nothing);
    assert_eq!(outcomes[5..], [Ok(100), Ok(100)], "an exclusive one, and one that is good for a second more");
    let texts: Vec<_> = answers.into_iter().filter_map(|one| one.outcome.err()).map(|refusal| refusal.text).collect();
    let expired = "was good until 2026-04-15 12:00";
    assert_eq!(texts, ["needs 1,001 KRW, has 1,000 KRW", expired, "takes nothing off", "is good for stays in SEOUL"]);
}

#[test]
fn nothing_is_chosen_of_nothing() {
    let none: [(u128, i64); 0] = [];

    assert_eq!(chosen(&cart(&[]), &[coupon(1, percent(10), &[])]), none);
    assert_eq!(chosen(&cart(&[0, 0]), &[coupon(1, percent(10), &[])]), none);
    assert_eq!(chosen(&cart(&[5]), &[]), none);
    assert_eq!(applied(&cart(&[5]), &[]), Ok(Vec::new()));
}

#[test]
fn a_search_without_time_still_names_the_best_single_coupon_and_the_bound() {
    let cart = cart(&[1_000]);
    let coupons = [coupon(1, amount(30), &[]), coupon(2, amount(20), &[])];

    let found = best(&cart, &coupons, Limits { steps: 0 });

    assert_eq!((savings(&found.applied), found.is_proven, found.bound), (vec![(1, 30)], false, 50));
}
