//! `coupon.ended`.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use super::stage::{Stage, accepted};
use crate::backend::gate::{Outcome, Sale, Settlement};
use crate::coupon::model::{EndCause, Policy};
use crate::coupon::store;
use crate::kit::clock::Clock;
use crate::kit::crash::How;

const TOLD: &str = "outbox WHERE kind LIKE '%CouponPolicyEnded'";

/// Guard: `end_told`, which is set once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_once_when_the_last_receipt_is_written() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(1200)).await;
    assert_eq!(accepted(&stage.all(0..1199, policy).await).len(), 1199);
    stage.calm().await;
    assert_eq!(stage.run("coupon-ends").await, 0);
    assert_eq!(stage.count(TOLD).await, 0);

    stage.all(2000..2010, policy).await;
    stage.calm().await;
    assert_eq!(stage.count(TOLD).await, 1, "at once");

    stage.all(3000..3010, policy).await;
    stage.calm().await;
    stage.run("coupon-ends").await;
    assert_eq!(stage.count(TOLD).await, 1);
}

#[tokio::test]
async fn it_is_told_once_at_the_end_of_the_window_and_when_the_owner_ends_it() {
    let stage = Stage::new().await;
    let end = stage.yeyak.clock.now() + TimeDelta::hours(1);
    stage.policy_with(|offer| offer.end_time = Some(end)).await;
    let ended = stage.policy(None).await;
    stage.change(&ended, |policy| policy.sale = Sale::Ended).await;

    assert_eq!(stage.run("coupon-ends").await, 1);
    stage.advance(TimeDelta::hours(1));
    assert_eq!(stage.run("coupon-ends").await, 1);
    assert_eq!(stage.run("coupon-ends").await, 0);

    assert_eq!(stage.count(TOLD).await, 2);
    assert_eq!(stage.count("coupon_policy WHERE end_told = 'WINDOW'").await, 1);
    assert_eq!(stage.count("coupon_policy WHERE end_told = 'OWNER'").await, 1);
}

/// Guards: the conditions of `store::policy::untold` and `on_sale`: jobs look at what they may have to do something for.
#[tokio::test]
async fn jobs_look_at_policies_that_may_have_ended_and_at_those_that_issue_now() {
    let stage = Stage::new().await;
    let now = stage.yeyak.clock.now();
    let later = Some(now + TimeDelta::hours(1));
    let (open, sold) = (stage.policy(Some(2)).await, stage.policy(Some(1)).await);
    for policy in [&open, &sold] {
        stage.ask(1, policy, None).await.expect("is accepted");
    }
    stage.calm().await;
    let future = stage.policy_with(|offer| (offer.start_time, offer.end_time) = (later, later)).await;
    let [over, ended, given] = [stage.policy(None).await, stage.policy(None).await, stage.policy(Some(1)).await];
    stage.change_row(&over, |policy| policy.offer.end_time = Some(now)).await;
    stage.change_row(&ended, |policy| policy.sale = Sale::Ended).await;
    stage.execute("UPDATE coupon_policy SET end_told = ''").await;
    let by_code = "SELECT id FROM coupon_policy WHERE id NOT IN (SELECT policy_id FROM coupon_receipt) AND total = 1";
    stage.execute(&format!("UPDATE coupon_policy SET issuing = 'CODE' WHERE id IN ({by_code})")).await;
    stage.execute(&format!("UPDATE coupon_tally SET granted = 1 WHERE policy_id IN ({by_code})")).await;

    let conn = stage.yeyak.db.read();
    let (untold, _) = store::policy::untold(conn, now, Uuid::nil(), 100).await.expect("reads");
    let (on_sale, _) = store::policy::on_sale(conn, now, Uuid::nil(), 100).await.expect("reads");

    let ids = |policies: Vec<Policy>| policies.into_iter().map(|policy| policy.id).collect::<HashSet<_>>();
    assert_eq!(ids(untold), HashSet::from([sold.id, over.id, ended.id, given.id]));
    assert_eq!(ids(on_sale), HashSet::from([open.id, sold.id]));
    let (later, _) = store::policy::untold(conn, now + TimeDelta::hours(1), Uuid::nil(), 100).await.expect("reads");
    assert!(ids(later).contains(&future.id));
}

/// Guard: `store::policy::readable`, without which one row would keep every policy from being told of.
#[tokio::test]
async fn a_policy_that_can_not_be_read_keeps_no_other_waiting() {
    let stage = Stage::new().await;
    stage.policy(None).await;
    stage.execute("UPDATE coupon_policy SET refund_policy = 'OF_TOMORROW', benefit = '{}', state = 'ENDED'").await;
    let ended = stage.policy(None).await;
    stage.change(&ended, |policy| policy.sale = Sale::Ended).await;

    assert_eq!(stage.run("coupon-ends").await, 1);

    assert_eq!(stage.count("coupon_policy WHERE end_told = 'OWNER'").await, 1);
}

/// Guard: `end_told` in the condition of its update, which processes come to that have all read it as empty.
#[tokio::test]
async fn many_processes_that_see_the_end_tell_it_once() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(1)).await;
    let processes: Vec<_> = (50..55).map(|number| stage.beside(number)).collect();

    let telling = processes.iter().map(|coupons| coupons.tell_end(policy, EndCause::SoldOut));
    for told in join_all(telling).await {
        assert!(told.expect("is told"));
    }

    assert_eq!(stage.count(TOLD).await, 1);
}

/// Guard: what `store::policy::update` makes of `end_told`, behind which the rows of a higher total are counted anew.
#[tokio::test]
async fn it_is_told_again_when_the_total_was_raised_and_all_are_gone_once_more() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(2)).await;
    stage.all(0..3, policy).await;
    stage.calm().await;
    assert_eq!(stage.count(TOLD).await, 1);

    let named = &stage.change(policy, |policy| policy.offer.name = "봄".into()).await;
    assert_eq!(stage.count("coupon_policy WHERE end_told = 'SOLD_OUT'").await, 1, "that alone makes no more of them");
    let more = &stage.change(named, |policy| policy.offer.total = Some(4)).await;
    assert_eq!(accepted(&stage.all(10..11, more).await).len(), 1);
    stage.calm().await;
    assert_eq!((stage.run("coupon-ends").await, stage.count(TOLD).await), (0, 1), "one is left");
    assert_eq!(accepted(&stage.all(20..23, more).await).len(), 1);
    stage.calm().await;

    assert_eq!(stage.count(TOLD).await, 2, "at once");
    let endless = &stage.change(more, |policy| policy.offer.total = None).await;
    stage.change(endless, |policy| policy.sale = Sale::Ended).await;
    assert_eq!((stage.run("coupon-ends").await, stage.count(TOLD).await), (1, 3));
}

/// Guard: the count of the rows. That the gate has no place left is not the end while one of them has no row.
#[tokio::test]
async fn it_is_not_told_while_a_place_has_no_row() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(3)).await;
    stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
    stage.ask(1, policy, Some(1)).await.expect_err("ends half-way");
    assert_eq!(accepted(&stage.all(10..15, policy).await).len(), 2);
    stage.calm().await;
    assert_eq!((stage.run("coupon-ends").await, stage.count(TOLD).await), (0, 0));

    stage.ask(1, policy, Some(1)).await.expect("has the place");

    stage.calm().await;
    assert_eq!(stage.count(TOLD).await, 1);
}

/// A policy of two coupons that members have, as if nobody had been told of its end.
async fn two_that_are_gone(stage: &Stage) -> Policy {
    let policy = stage.open(|offer| offer.total = Some(2)).await;
    stage.all(0..2, &policy).await;
    stage.calm().await;
    stage.execute("DELETE FROM outbox").await;
    stage.execute("UPDATE coupon_policy SET end_told = ''").await;
    policy
}

/// Guard: the rows have the last word: what a gate has heard in error keeps nobody from being told, though not at once.
#[tokio::test]
async fn it_is_told_by_the_rows_where_the_gate_believes_that_a_place_is_left() {
    let stage = Stage::new().await;
    let policy = &two_that_are_gone(&stage).await;
    let found = stage.yeyak.db.read();
    let row = store::receipt::of_places(found, policy.id, [2].into_iter()).await.expect("reads").remove(0);
    let settlement = Settlement { member: row.member.0, token: row.token, outcome: Outcome::Released };
    stage.coupons.gate.settle(policy.id.0, &[settlement]).await.expect("is told");
    assert_eq!(stage.coupons.remaining(policy).await, Some(1));

    assert_eq!((stage.run("coupon-ends").await, stage.count(TOLD).await), (1, 1));
}

/// Guard: `COUNTED`. Rows of which some are missing are counted now and then while the gate knows that places are left.
#[tokio::test]
async fn rows_are_counted_no_more_often_than_they_must() {
    let stage = Stage::new().await;
    let policy = &two_that_are_gone(&stage).await;
    stage
        .execute("UPDATE coupon_receipt SET place = NULL, ordinal = NULL, cancel_time = create_time WHERE place = 1")
        .await;
    stage.coupons.rebuild_gate(policy).await.expect("is built");
    assert_eq!(stage.run("coupon-ends").await, 0, "one is left");
    stage.execute("UPDATE coupon_receipt SET place = 1, ordinal = 1, cancel_time = NULL WHERE place IS NULL").await;

    assert_eq!(stage.run("coupon-ends").await, 0, "they were counted just now");
    stage.advance(TimeDelta::minutes(10));

    assert_eq!(stage.run("coupon-ends").await, 1);
}
