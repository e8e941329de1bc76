//! Terms that change, and refusals told apart.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;

use super::stage::{Stage, accepted, reason, refused};
use crate::backend::gate::Sale;
use crate::coupon::error::CouponError;
use crate::coupon::model::{Issuing, Validity};
use crate::coupon::{Coupons, PolicyId, store};
use crate::error::ErrorReason;
use crate::kit::clock::Clock;

#[tokio::test]
async fn each_refusal_says_why() {
    let stage = Stage::new().await;
    let now = stage.yeyak.clock.now();
    let later = stage.policy_with(|offer| offer.start_time = Some(now + TimeDelta::hours(1))).await;
    let over = stage.policy_with(|offer| offer.end_time = Some(now)).await;
    let paused = stage.policy(None).await;
    let paused = stage.change(&paused, |policy| policy.sale = Sale::Paused).await;
    let ended = stage.policy(None).await;
    let ended = stage.change(&ended, |policy| policy.sale = Sale::Ended).await;
    let few = stage.policy(Some(1)).await;
    let receipt = stage.ask(1, &few, None).await.expect("is accepted").value;
    let three = stage.policy_with(|offer| offer.per_member = 3).await;
    for _ in 0..3 {
        stage.ask(1, &three, None).await.expect("is accepted");
    }
    let by_code = stage.policy(None).await;
    stage.execute("UPDATE coupon_policy SET issuing = 'CODE' WHERE name = '선착순' AND per_member = 1 AND version = 1 AND total IS NULL AND start_time IS NULL AND end_time IS NULL").await;
    assert_eq!(store::policy::find(stage.yeyak.db.read(), by_code.id).await.unwrap().unwrap().issuing, Issuing::Code);

    let start = stage.ask(2, &later, None).await.expect_err("is refused");
    assert!(
        matches!(start.fault(), Some(CouponError::NotStarted { start, .. }) if Some(*start) == later.offer.start_time)
    );
    assert_eq!(reason(stage.ask(2, &over, None).await), ErrorReason::CouponPolicyEnded);
    assert_eq!(reason(stage.ask(2, &paused, None).await), ErrorReason::CouponPolicyPaused);
    assert_eq!(reason(stage.ask(2, &ended, None).await), ErrorReason::CouponPolicyEnded);
    assert_eq!(reason(stage.ask(2, &few, None).await), ErrorReason::CouponSoldOut);
    let already = stage.ask(1, &few, None).await.expect_err("is refused");
    assert!(matches!(already.fault(), Some(CouponError::AlreadyYours { receipt: known, .. }) if *known == receipt.id));
    let limit = stage.ask(1, &three, None).await.expect_err("is refused");
    assert!(matches!(limit.fault(), Some(CouponError::LimitReached { limit: "per_member_count", maximum: 3, .. })));
    assert_eq!(reason(stage.ask(2, &by_code, None).await), ErrorReason::CouponWrongIssuing);
    let nowhere = crate::coupon::model::Policy { id: PolicyId(uuid::Uuid::from_u128(9)), ..few };
    assert_eq!(reason(stage.ask(2, &nowhere, None).await), ErrorReason::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_before_a_pause_is_issued_and_nothing_is_accepted_behind_it() {
    for sale in [Sale::Paused, Sale::Ended] {
        let stage = Stage::new().await;
        let policy = &stage.policy(Some(5000)).await;
        stage.ask(0, policy, Some(1)).await.expect("is accepted");

        let asking = join_all((1..3000).map(|number| stage.ask(number, policy, None)));
        let pausing = async {
            let paused = stage.change(policy, |policy| policy.sale = sale).await;
            (paused, stage.count("coupon_receipt").await)
        };
        let (answers, (paused, at_the_pause)) = tokio::join!(asking, pausing);

        assert_eq!(stage.count("coupon_receipt").await, at_the_pause, "{sale:?}");
        assert_eq!(accepted(&answers).len() as i64 + 1, at_the_pause);
        let why = if sale == Sale::Paused { ErrorReason::CouponPolicyPaused } else { ErrorReason::CouponPolicyEnded };
        assert_eq!(refused(&answers, why), 2999 - accepted(&answers).len());
        assert!(stage.ask(0, policy, Some(1)).await.expect("is known").replayed, "what was accepted stays so");
        stage.ends_with(&paused, at_the_pause).await;
    }
}

/// Guard: the state of the row, which the transaction reads: this gate never heard of the change.
#[tokio::test]
async fn a_gate_that_was_not_told_of_a_change_is_overruled_and_learns_of_it() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(100)).await;
    stage.ask(0, policy, None).await.expect("is accepted");

    let paused = &stage.change_row(policy, |policy| policy.sale = Sale::Paused).await;
    assert_eq!(reason(stage.ask(1, policy, None).await), ErrorReason::CouponPolicyPaused);
    stage.calm().await;
    assert_eq!(stage.coupons.gate.remaining(policy.id.0).await.unwrap().unwrap().version, paused.version);
    // Guard: what was let in for nothing is given back.
    assert_eq!(stage.coupons.gate.remaining(policy.id.0).await.unwrap().unwrap().taken, 1);

    let open = &stage.change(paused, |policy| policy.sale = Sale::Open).await;
    let answers = stage.all(1..200, policy).await;
    assert_eq!(accepted(&answers).len(), 99, "the place of who was refused is there for another");
    stage.ends_with(open, 100).await;
}

/// Guard: the place within the total of the row.
#[tokio::test]
async fn a_lower_total_that_the_gate_was_not_told_of_holds() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(100)).await;
    stage.ask(0, policy, None).await.expect("is accepted");

    let fewer = &stage.change_row(policy, |policy| policy.offer.total = Some(10)).await;
    let answers = stage.all(1..60, policy).await;

    assert_eq!(accepted(&answers).len(), 9);
    assert_eq!(refused(&answers, ErrorReason::CouponSoldOut), 50);
    stage.ends_with(fewer, 10).await;
}

#[tokio::test]
async fn a_total_is_raised_and_lowered() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    assert_eq!(accepted(&stage.all(0..20, policy).await).len(), 10);

    let more = &stage.change(policy, |policy| policy.offer.total = Some(15)).await;
    assert_eq!(stage.coupons.remaining(more).await, Some(5));
    assert_eq!(accepted(&stage.all(100..102, more).await).len(), 2);
    let fewer = &stage.change(more, |policy| policy.offer.total = Some(13)).await;
    let answers = stage.all(200..220, fewer).await;

    assert_eq!(accepted(&answers).len(), 1);
    stage.ends_with(fewer, 13).await;
}

/// Guard: the shared turn, without which a change is answered while somebody is still accepted under the terms before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_for_whoever_is_being_accepted_and_those_behind_it_wait_for_the_change() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(100)).await;
    let db = &stage.yeyak.db;
    let (inside, entered) = tokio::sync::oneshot::channel();
    let (leave, left) = tokio::sync::oneshot::channel::<()>();
    let once = std::sync::Mutex::new(Some((inside, left)));
    let accepting = db.write(async |tx| {
        store::policy::hold(&tx, policy.id).await?;
        let (inside, left) = once.lock().unwrap().take().expect("runs once");
        inside.send(()).unwrap();
        left.await.unwrap();
        Ok(())
    });
    let changing = async {
        entered.await.unwrap();
        let mut changing = std::pin::pin!(stage.change_row(policy, |policy| policy.sale = Sale::Paused));
        let early = tokio::time::timeout(Duration::from_millis(200), &mut changing).await;
        assert!(early.is_err(), "it did not wait");
        // Whoever comes now is not let in before it, or it would wait for as long as they come.
        let mut behind = std::pin::pin!(hold(&stage.coupons, policy.id));
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut behind).await.is_err(), "it was overtaken");
        leave.send(()).unwrap();
        let (_, read) = tokio::join!(changing, behind);
        assert_eq!(read, Sale::Paused);
    };

    let (accepted, ()) = tokio::join!(accepting, changing);
    accepted.unwrap();
}

async fn hold(coupons: &Coupons, policy: PolicyId) -> Sale {
    let read = async |tx| Ok(store::policy::hold(&tx, policy).await?.expect("it is there").sale);
    coupons.kit.db.write(read).await.unwrap()
}

/// Guard: the expiry that the receipt has.
#[tokio::test]
async fn a_coupon_is_good_for_as_long_as_the_policy_said_when_it_was_accepted() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(2)).await;
    let receipt = stage.ask(1, policy, None).await.expect("is accepted").value;

    stage.change(policy, |policy| policy.offer.validity = Validity::Days(1)).await;
    stage.advance(TimeDelta::days(1));
    stage.settle().await;

    let coupon = store::coupon::find(stage.yeyak.db.read(), receipt.id.into()).await.expect("reads").expect("is there");
    assert_eq!(coupon.expire_time, policy.expiry(receipt.create_time));
}
