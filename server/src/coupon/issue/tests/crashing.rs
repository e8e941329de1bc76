//! An end between any two steps, as by a kill.

use chrono::TimeDelta;

use super::stage::{Stage, accepted, reason};
use crate::error::ErrorReason;
use crate::kit::crash::How;
use crate::layer::testing::recorded;

/// Guard: a place whose answer was lost stays with its member, and whoever finds it without a row may write the row.
#[tokio::test]
async fn an_end_between_the_gate_and_the_commit_loses_no_place() {
    for per_member in [1, 2] {
        let stage = Stage::new().await;
        let policy = &stage
            .open(|offer| {
                offer.total = Some(2);
                offer.per_member = per_member;
            })
            .await;
        stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
        assert_eq!(reason(stage.ask(1, policy, Some(1)).await), ErrorReason::Internal);
        assert_eq!(stage.count("coupon_receipt").await, 0);

        // Another request of the same member finds the place, and so does the same one.
        let anew = stage.ask(1, policy, Some(2)).await.expect("is accepted").value;
        if per_member == 1 {
            assert_eq!(reason(stage.ask(1, policy, Some(1)).await), ErrorReason::CouponAlreadyYours);
        } else {
            stage.ask(1, policy, Some(1)).await.expect("is accepted");
        }
        if per_member == 1 {
            stage.ask(2, policy, None).await.expect("has the other place");
        }
        assert!(stage.ask(1, policy, Some(2)).await.is_ok_and(|reply| reply.replayed && reply.value.id == anew.id));
        stage.ends_with(policy, 2).await;
    }
}

/// Guard: `OverLimit` names a place without a row.
#[tokio::test]
async fn who_may_have_several_gets_the_one_whose_answer_was_lost() {
    let stage = Stage::new().await;
    let policy = &stage.policy_with(|offer| offer.per_member = 2).await;
    stage.ask(1, policy, None).await.expect("is accepted");
    stage.calm().await;
    stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
    stage.ask(1, policy, None).await.expect_err("ends half-way");

    stage.ask(1, policy, None).await.expect("is accepted");

    assert_eq!(reason(stage.ask(1, policy, None).await), ErrorReason::CouponLimitReached);
    stage.ends_with(policy, 2).await;
}

#[tokio::test]
async fn an_end_between_the_commit_and_the_answer_is_found_again() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(1)).await;
    stage.yeyak.kit.crash.arm("coupon.accepted", How::Error);
    stage.ask(1, policy, Some(1)).await.expect_err("ends half-way");

    let again = stage.ask(1, policy, Some(1)).await.expect("is known");

    assert!(again.replayed);
    assert_eq!(reason(stage.ask(2, policy, None).await), ErrorReason::CouponSoldOut);
    stage.ends_with(policy, 1).await;
}

/// Guard: the event is in the transaction of its receipts.
#[tokio::test]
async fn an_end_between_the_commit_and_the_publication_issues_all_the_same() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    assert_eq!(accepted(&stage.all(0..10, policy).await).len(), 10);

    // Whoever accepted them is gone; another process has a relay.
    stage.ends_with(policy, 10).await;
}

/// Guard: what is handed over again is told in the log, by which those who look after the queue learn that messages are lost.
#[tokio::test]
async fn receipts_that_are_handed_over_again_are_told_of() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    stage.all(0..10, policy).await;
    stage.calm().await;
    stage.execute("DELETE FROM outbox").await;
    stage.advance(TimeDelta::seconds(61));
    let (lines, _recorded) = recorded();

    assert_eq!(stage.run("coupon-receipts").await, 10);
    stage.coupons.republish(policy).await.expect("publishes");

    let log = lines.text();
    for told in ["10 late receipts".to_owned(), format!("10 receipts of {}", policy.id)] {
        assert!(log.contains(&format!("handed {told} to the issuers again")), "{log}");
    }
    stage.ends_with(policy, 10).await;
}

/// Guards: the inbox, and the coupon's id, which is the receipt's.
#[tokio::test]
async fn a_message_that_comes_twice_issues_once() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    stage.all(0..10, policy).await;
    stage.yeyak.kit.crash.arm("relay.published", How::Error);
    stage.relay.publish_due().await.expect_err("ends half-way");
    while stage.queue.consume_due(&*stage.consumer).await.expect("takes") > 0 {}
    let told = stage.count("outbox WHERE kind LIKE '%CouponsIssued'").await;
    stage.advance(TimeDelta::minutes(1));

    stage.relay.publish_due().await.expect("publishes again");
    while stage.queue.consume_due(&*stage.consumer).await.expect("takes") > 0 {}

    assert!(told > 0);
    assert_eq!(stage.count("outbox WHERE kind LIKE '%CouponsIssued'").await, 0, "and tells nobody twice");
    assert_eq!(stage.queue.list().await.expect("lists").delayed_count, 0, "and fails at nothing");
    stage.ends_with(policy, 10).await;
}

/// Guard: the issuer's one transaction.
#[tokio::test]
async fn an_issuer_that_ends_in_the_middle_of_a_batch_begins_it_again() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    stage.all(0..10, policy).await;
    for point in ["coupon.issuing", "queue.taken"] {
        stage.yeyak.kit.crash.arm(point, How::Error);
    }
    stage.relay.publish_due().await.expect("publishes");

    _ = stage.queue.consume_due(&*stage.consumer).await;
    assert_eq!(stage.count("coupon").await, 0);
    _ = stage.queue.consume_due(&*stage.consumer).await;
    stage.advance(TimeDelta::hours(1));

    stage.ends_with(policy, 10).await;
}

/// Guard: `never_gives_up`.
#[tokio::test]
async fn an_issuer_that_fails_for_long_loses_nothing() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    stage.all(0..10, policy).await;
    stage.calm().await;
    stage.relay.publish_due().await.expect("publishes");
    stage.execute("ALTER TABLE coupon RENAME TO coupon_elsewhere").await;
    for _ in 0..40 {
        stage.queue.consume_due(&*stage.consumer).await.expect("takes");
        stage.advance(TimeDelta::hours(1));
    }
    assert_eq!(stage.queue.list().await.expect("lists").queues[0].aside_count, 0);

    stage.execute("ALTER TABLE coupon_elsewhere RENAME TO coupon").await;
    stage.ends_with(policy, 10).await;
}
