//! Many at once.

use std::collections::HashSet;

use futures::future::join_all;

use super::stage::{Stage, accepted, ask, reason, refused};
use crate::error::ErrorReason;

/// Guards: the unique places and members of receipts, and the token of a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_who_ask_twice_get_a_thousand_coupons() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(1000)).await;
    // Half repeat their request, half ask anew.
    let twice = (0..10_000).flat_map(|number| {
        let again = (number % 2 == 0).then_some(number);
        [(number, again), (number, again)]
    });

    let answers = join_all(twice.map(|(number, request)| stage.ask(number, policy, request))).await;

    let receipts: HashSet<_> = accepted(&answers).into_iter().map(|receipt| receipt.id).collect();
    assert_eq!(receipts.len(), 1000);
    let told = [ErrorReason::CouponSoldOut, ErrorReason::CouponAlreadyYours].map(|reason| refused(&answers, reason));
    assert_eq!(told.iter().sum::<usize>() + accepted(&answers).len(), 20_000);
    stage.ends_with(policy, 1000).await;
    assert_eq!(stage.count("coupon").await, 1000);
    assert_eq!(stage.count("(SELECT DISTINCT member_id FROM coupon) AS members").await, 1000);
}

/// Guards: the unique place, and the place that is taken instead of an occupied one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gates_that_both_lead_give_no_coupon_twice() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(300)).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    // Both were built when there was nothing.
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }

    let asks = (0..1000).map(|number| ask(if number % 2 == 0 { &one } else { &other }, number, policy, None));
    let answers = join_all(asks).await;

    assert_eq!(accepted(&answers).len(), 300);
    assert_eq!(refused(&answers, ErrorReason::CouponSoldOut), 700);
    stage.ends_with(policy, 300).await;
}

/// Guard: who of a batch was written is read where a row has another's place: the others are accepted with it, and issued.
#[tokio::test]
async fn of_a_batch_in_which_some_places_are_occupied_everybody_is_accepted() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(300)).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }
    let before = join_all((0..2).map(|number| ask(&one, number, policy, None))).await;
    assert_eq!(accepted(&before).len(), 2);

    let batch = join_all((10..15).map(|number| ask(&other, number, policy, None))).await;

    assert_eq!(accepted(&batch).len(), 5);
    assert!(batch.iter().all(|answer| answer.as_ref().is_ok_and(|reply| !reply.replayed)), "{batch:?}");
    stage.ends_with(policy, 7).await;
}

/// Guard: the member's receipts, by which a gate that knows of none is overruled.
#[tokio::test]
async fn a_member_who_asks_at_two_gates_has_one_coupon() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(300)).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }

    let first = ask(&one, 1, policy, Some(7)).await.expect("is accepted");
    ask(&one, 2, policy, None).await.expect("is accepted");
    let again = ask(&other, 1, policy, Some(7)).await.expect("is known");
    let anew = ask(&other, 1, policy, None).await;

    assert_eq!((again.replayed, again.value.id), (true, first.value.id));
    assert_eq!(reason(anew), ErrorReason::CouponAlreadyYours);
    stage.ends_with(policy, 2).await;
}

/// Guards: the member's rows, which the statement that writes receipts looks at, and the unique (policy, member, ordinal).
#[tokio::test]
async fn a_member_who_asks_anew_at_a_gate_that_does_not_know_them_has_one_coupon() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(300)).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }
    ask(&one, 1, policy, None).await.expect("is accepted");
    let second = ask(&other, 2, policy, None).await.expect("is accepted").value;
    assert_eq!(second.place, Some(2), "what comes next at this gate is free");

    assert_eq!(reason(ask(&other, 1, policy, None).await), ErrorReason::CouponAlreadyYours);
    stage.ends_with(policy, 2).await;
}

/// Guard: the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_has_the_same_receipt_for_ever() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;

    let twins = join_all((0..50).map(|_| stage.ask(1, policy, Some(7)))).await;
    let ids: HashSet<_> = accepted(&twins).into_iter().map(|receipt| receipt.id).collect();
    stage.advance(chrono::TimeDelta::days(400));
    let years_later = stage.ask(1, policy, Some(7)).await.expect("is known");

    assert_eq!((accepted(&twins).len(), ids.len()), (50, 1));
    assert_eq!(twins.iter().filter(|answer| answer.as_ref().is_ok_and(|reply| !reply.replayed)).count(), 1);
    assert!(years_later.replayed && ids.contains(&years_later.value.id));
    // With another policy it is another request.
    let other = &stage.policy(Some(10)).await;
    assert!(!stage.ask(1, other, Some(7)).await.expect("is accepted").replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_without_an_end_gives_to_everybody_once() {
    let stage = Stage::new().await;
    let policy = &stage.policy(None).await;

    let answers = join_all((0..3000).map(|number| stage.ask(number % 1500, policy, None))).await;

    assert_eq!(accepted(&answers).len(), 1500);
    assert_eq!(refused(&answers, ErrorReason::CouponAlreadyYours), 1500);
    assert_eq!(stage.coupons.remaining(policy).await, None);
    stage.ends_with(policy, 1500).await;
}

#[tokio::test]
async fn a_receipt_is_there_when_it_is_answered_and_becomes_the_coupon_of_its_member() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;

    let receipt = stage.ask(1, policy, None).await.expect("is accepted").value;
    let before = stage.receipt(receipt.id).await;
    stage.settle().await;
    let behind = stage.receipt(receipt.id).await;

    assert_eq!(before, receipt);
    assert!(!before.is_issued && behind.is_issued);
    let member = super::stage::member(1);
    let (coupon, _) = stage.coupons.coupon(&member, receipt.id.into()).await.expect("is theirs");
    assert_eq!((coupon.member, coupon.created_by), (member.id, member.actor().0));
    // Seven days behind the day in Seoul, of which nine hours have gone by.
    assert_eq!(coupon.expire_time.to_rfc3339(), "2026-03-08T15:00:00+00:00");
}
