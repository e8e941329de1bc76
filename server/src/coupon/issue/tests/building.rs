//! Gates that are closed, and built again when that is asked for.

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::super::Issue;
use super::stage::{Stage, accepted, member, process, reason};
use crate::backend::gate::{Outcome, Progress, Sale, Settlement, Step, Taker};
use crate::coupon::store;
use crate::error::ErrorReason;

/// Guard: the rows, which answer for a gate that is closed.
#[tokio::test]
async fn what_is_left_is_known_while_the_gate_is_closed() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(3)).await;
    stage.all(0..2, policy).await;
    stage.calm().await;

    assert_eq!(stage.beside(51).remaining(policy).await, Some(1));
}

/// Guard: the epoch since which a gate must have been built.
#[tokio::test]
async fn a_gate_that_nobody_has_built_again_is_not_said_to_be() {
    let stage = Stage::new().await;
    let policy = &stage.open(|_| {}).await;
    let other = process(&stage.yeyak, stage.coupons.gate.clone(), 52);
    assert!(other.leases.hold(&format!("gate of {}", policy.id)).await.expect("asks").is_some());

    let refusal = async |why| stage.coupons.rebuild_gate(policy).await.expect_err(why).reason();
    let idle = refusal("another has the lease, and the gate is as it was").await;
    // And now it has died behind its first step.
    let stopped = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        store::policy::next_epoch(&stage.coupons.kit.db, policy.id).await
    };
    let (epoch, begun) = tokio::join!(stopped, refusal("another has an epoch, and the gate is as it was"));
    let (built, waited) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            other.build_again(policy.id, "a test").await
        },
        stage.coupons.rebuild_gate(policy),
    );

    assert_eq!(
        (idle, begun, epoch.expect("writes")),
        (ErrorReason::CouponGateClosed, ErrorReason::CouponGateClosed, 2)
    );
    assert!(built.is_ok() && waited.is_ok(), "{built:?} {waited:?}");
}

/// Guard: places without a row count as well while others are left; without it the gate would ask the rows for ever.
#[tokio::test]
async fn a_gate_that_holds_a_place_for_nobody_is_built_again_while_others_are_left() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(10)).await;
    stage.ask(1, policy, None).await.expect("is accepted");
    stage.calm().await;
    let (gate, taker) = (&stage.coupons.gate, Taker { member: Uuid::from_u128(2), token: Uuid::from_u128(2) });
    gate.take(policy.id.0, &[taker], policy.create_time).await.expect("answers");
    let occupied = Settlement { member: taker.member, token: taker.token, outcome: Outcome::Occupied };
    gate.settle(policy.id.0, &[occupied]).await.expect("is told");
    let known = async || {
        let now = gate.remaining(policy.id.0).await.expect("answers").expect("is open");
        (now.taken, now.kept)
    };
    assert_eq!(known().await, (2, 1));

    assert_eq!(stage.run("coupon-gates").await, 0, "they may be on their way");
    assert_eq!(stage.run("coupon-gates").await, 1);

    assert_eq!(known().await, (1, 1));
    assert_eq!(accepted(&stage.all(100..120, policy).await).len(), 9);
    stage.ends_with(policy, 10).await;
}

/// Guard: `GatesJob::lacks_rows`, which counts many rows no more often than it must.
#[tokio::test]
async fn the_rows_of_a_gate_that_does_not_change_are_counted_now_and_then() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(3)).await;
    stage.all(0..3, policy).await;
    stage.settle().await;
    assert_eq!(stage.run("coupon-gates").await, 0);
    let lost = "cancel_time = create_time, ordinal = NULL, place = NULL";
    stage.execute(&format!("UPDATE coupon_receipt SET {lost} WHERE place = 2")).await;
    let looks = async || [stage.run("coupon-gates").await, stage.run("coupon-gates").await];

    assert_eq!(looks().await, [0, 0], "they were counted just now");
    stage.advance(TimeDelta::minutes(10));

    assert_eq!(looks().await, [0, 1], "and the place is found");
}

/// Guard: a row that a gate hears of and does not know is one that it lacks: who asks for it again is not refused for a pause.
#[tokio::test]
async fn a_receipt_that_a_gate_was_built_without_is_known_behind_a_pause() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(2)).await;
    let receipt = stage.ask(1, policy, Some(1)).await.expect("is accepted").value;
    stage.calm().await;
    let gate = &stage.coupons.gate;
    // As if the rows had been read before this one was written.
    for step in [Step::Begin, Step::Open { terms: &policy.terms(), count: 0 }] {
        assert_eq!(gate.rebuild(policy.id.0, 2, step).await.expect("answers"), Progress::Done);
    }
    let (member, request) = (member(1).id, Some(Uuid::from_u128(1)));
    let token = stage.coupons.token(member, Issue { policy: policy.id, request });
    for outcome in [Outcome::Kept, Outcome::KeptAs(1)] {
        let settlement = Settlement { member: member.0, token, outcome };
        gate.settle(policy.id.0, &[settlement]).await.expect("is told");
    }
    let paused = &stage.change(policy, |policy| policy.sale = Sale::Paused).await;

    let again = stage.ask(1, paused, Some(1)).await.expect("is known");

    assert_eq!((again.replayed, again.value.id), (true, receipt.id));
    assert_eq!(reason(stage.ask(2, paused, None).await), ErrorReason::CouponPolicyPaused);
}
