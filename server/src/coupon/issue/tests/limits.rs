//! What a member may have.

use std::collections::HashSet;
use std::time::Instant;

use chrono::TimeDelta;
use futures::future::join_all;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::Ask;
use super::stage::{Stage, accepted, ask, member, reason, refused};
use crate::coupon::error::CouponError;
use crate::error::ErrorReason;
use crate::kit::crash::How;

/// Guards: the unique ordinal, and the count of the member's rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_gets_as_many_as_they_may_and_each_request_one() {
    let stage = Stage::new().await;
    let policy = &stage.policy_with(|offer| offer.per_member = 3).await;

    let asks = (0..200).map(|n| stage.ask(n % 10, policy, Some(n / 10 % 4)));
    let answers = join_all(asks).await;
    stage.calm().await;

    // Each of ten members made four requests five times each: three are good.
    assert_eq!(accepted(&answers).len(), 10 * 3 * 5);
    assert_eq!(refused(&answers, ErrorReason::CouponLimitReached), 10 * 5);
    stage.ends_with(policy, 30).await;
}

/// Guard: `once`, by which a gate that does not know the request is overruled.
#[tokio::test]
async fn one_request_at_two_gates_is_one_receipt_of_several() {
    let stage = Stage::new().await;
    let policy = &stage.policy_with(|offer| offer.per_member = 3).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }

    let first = ask(&one, 1, policy, Some(7)).await.expect("is accepted").value;
    let second = ask(&other, 1, policy, Some(8)).await.expect("is accepted").value;
    let again = ask(&other, 1, policy, Some(7)).await.expect("is known");
    let third = ask(&one, 1, policy, Some(9)).await.expect("is accepted").value;
    let fourth = ask(&other, 1, policy, Some(10)).await.expect_err("is one too many");

    assert_eq!((again.replayed, again.value.id), (true, first.id));
    assert_eq!(fourth.reason(), ErrorReason::CouponLimitReached);
    assert!(first.id != second.id && second.id != third.id);
    stage.ends_with(policy, 3).await;
}

/// Guard: the slots of a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_gets_so_many_a_day_where_the_policy_is() {
    let stage = Stage::new().await;
    let policy = &stage
        .policy_with(|offer| {
            offer.per_member = 5;
            offer.per_member_daily = Some(2);
            offer.total = Some(1000);
        })
        .await;

    let today = join_all((0..8).map(|_| stage.ask(1, policy, None))).await;
    stage.calm().await;
    // It is nine in the morning in Seoul.
    stage.advance(TimeDelta::hours(15) - TimeDelta::seconds(1));
    let before_midnight = stage.ask(1, policy, None).await.expect_err("is of the same day");
    stage.advance(TimeDelta::seconds(1));
    stage.calm().await;
    let tomorrow = join_all((0..8).map(|_| stage.ask(1, policy, None))).await;
    stage.calm().await;
    stage.advance(TimeDelta::days(1));
    let third_day = join_all((0..8).map(|_| stage.ask(1, policy, None))).await;

    assert_eq!((accepted(&today).len(), accepted(&tomorrow).len(), accepted(&third_day).len()), (2, 2, 1));
    let is_daily = |error: &crate::error::Error| {
        matches!(error.fault(), Some(CouponError::LimitReached { limit: "per_member_daily_count", maximum: 2, .. }))
    };
    assert!(is_daily(&before_midnight));
    assert!(today.iter().filter_map(|answer| answer.as_ref().err()).all(is_daily));
    stage.calm().await;
    assert_eq!(stage.coupons.remaining(policy).await, Some(995), "what was refused is there for others");
    stage.ends_with(policy, 5).await;
}

/// Guard: `hopeless`. The second tap of each is over the day's limit, and its place is given back once the rows have said so: that
/// none is left meanwhile is not the last word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_double_taps_took_for_a_moment_is_there_for_those_behind_them() {
    let stage = Stage::new().await;
    let policy = &stage
        .open(|offer| {
            offer.total = Some(20);
            offer.per_member = 2;
            offer.per_member_daily = Some(1);
        })
        .await;

    let twice = (0..30).flat_map(|number| [number, number]);
    let answers = join_all(twice.map(|number| stage.ask(number, policy, None))).await;

    let members: HashSet<_> = accepted(&answers).into_iter().map(|receipt| receipt.member).collect();
    assert_eq!((accepted(&answers).len(), members.len()), (20, 20), "all of them, one each");
    let told = [ErrorReason::CouponSoldOut, ErrorReason::CouponLimitReached].map(|reason| refused(&answers, reason));
    assert_eq!(told.iter().sum::<usize>(), 40, "{answers:?}");
    stage.ends_with(policy, 20).await;
    let known = stage.coupons.gate.remaining(policy.id.0).await.expect("answers").expect("is open");
    assert_eq!((known.taken, known.kept), (20, 20), "nobody waits any more");
}

/// Guard: `HOPE`. A place without a row that nobody is about to write keeps those who come behind waiting once.
#[tokio::test]
async fn a_place_that_is_not_given_back_is_not_waited_for_again_and_again() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(2)).await;
    stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
    stage.ask(1, policy, Some(1)).await.expect_err("ends half-way");
    stage.ask(2, policy, None).await.expect("is accepted");
    stage.calm().await;
    let told_after = async |number| {
        let began = Instant::now();
        assert_eq!(reason(stage.ask(number, policy, None).await), ErrorReason::CouponSoldOut);
        began.elapsed()
    };

    let (first, second) = (told_after(3).await, told_after(4).await);

    assert!(second * 2 < first, "{second:?}, {first:?}");
    stage.ask(1, policy, Some(1)).await.expect("has the place");
    stage.ends_with(policy, 2).await;
}

/// Guard: how many a member has, whichever ordinals those are.
#[tokio::test]
async fn a_lower_limit_that_the_gate_was_not_told_of_holds() {
    let stage = Stage::new().await;
    let policy = &stage.policy_with(|offer| offer.per_member = 3).await;
    for _ in 0..3 {
        stage.ask(1, policy, None).await.expect("is accepted");
    }
    let taken_back = "cancel_time = create_time, ordinal = NULL, place = NULL";
    stage.execute(&format!("UPDATE coupon_receipt SET {taken_back} WHERE ordinal = 1")).await;
    let coupons = stage.beside(60);
    coupons.open_gate(policy.id).await.expect("opens");
    let fewer = &stage.change_row(policy, |policy| policy.offer.per_member = 2).await;

    let refused = ask(&coupons, 1, fewer, None).await;

    assert_eq!(reason(refused), ErrorReason::CouponLimitReached);
    assert_eq!(stage.count("coupon_receipt WHERE cancel_time IS NULL").await, 2);
}

/// Guard: of those whom a gate of older terms lets in together, one a member is written.
#[tokio::test]
async fn two_places_that_a_gate_of_older_terms_gave_a_member_are_one_receipt() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.per_member = 2).await;
    let fewer = &stage.change_row(policy, |policy| policy.offer.per_member = 1).await;

    let answers = join_all((0..2).map(|_| stage.ask(1, fewer, None))).await;

    assert_eq!(accepted(&answers).len(), 1, "{answers:?}");
    assert_eq!(stage.count("coupon_receipt WHERE ordinal = 1").await, 1);
    stage.ends_with(fewer, 1).await;
}

/// Guard: the limit of those who wait. Each is told.
#[tokio::test]
async fn who_would_make_too_many_wait_is_told_so() {
    let stage = Stage::new().await;
    let policy = &stage.policy(None).await;
    let (mut asks, mut answers) = (Vec::new(), Vec::new());
    for number in 0..=50_000 {
        let (answer, answered) = oneshot::channel();
        let (member, token) = (member(number).id, Uuid::from_u128(number));
        asks.push(Ask { member, token, actor: "a test".into(), trace: String::new(), closed: 0, answer });
        answers.push(answered);
    }

    stage.coupons.put_in_line(policy.id, asks);

    for answer in answers {
        assert_eq!(reason(answer.await.expect("each is answered")), ErrorReason::Overloaded);
    }
}
