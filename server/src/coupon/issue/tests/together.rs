//! Those who came at the same moment for different policies: accepted in one commit, each by the terms of their own.

use futures::future::join_all;
use uuid::Uuid;

use super::stage::{Stage, accepted, ask, member, refused};
use crate::backend::gate::Sale;
use crate::coupon::issue::Issue;
use crate::coupon::model::PolicyId;
use crate::error::ErrorReason;

/// Guard: one transaction, and one event, for whatever came together.
#[tokio::test]
async fn who_came_together_is_accepted_together() {
    let stage = Stage::new().await;
    let policies = [stage.open(|_| {}).await, stage.open(|_| {}).await, stage.open(|_| {}).await];

    let asks = (0..9).zip(policies.iter().cycle()).map(|(number, policy)| stage.ask(number, policy, None));
    let answers = join_all(asks).await;

    assert_eq!(accepted(&answers).len(), 9);
    assert_eq!(stage.count("outbox WHERE kind LIKE '%CouponsAccepted'").await, 1);
    for policy in &policies {
        stage.ends_with(policy, 3).await;
    }
}

/// Guards: each row is judged by what its own policy says and has; who of a batch was written is known by the ids, not by how
/// many there were.
#[tokio::test]
async fn each_is_judged_by_the_policy_that_they_asked_for() {
    let stage = Stage::new().await;
    let (one, other) = (stage.beside(31), stage.beside(32));
    let plain = &stage.policy(Some(10)).await;
    let several = &stage.policy_with(|offer| offer.per_member = 2).await;
    let (lowered, stopped) = (&stage.policy(Some(100)).await, &stage.policy(Some(100)).await);
    // Of this one the gate knows no place that others have.
    let sold = &stage.policy(Some(6)).await;
    for policy in [plain, several, lowered, stopped, sold] {
        for coupons in [&one, &other] {
            assert!(coupons.open_gate(policy.id).await.expect("opens"));
        }
    }
    let before = join_all((90..93).map(|number| ask(&other, number, sold, None))).await;
    assert_eq!(accepted(&before).len(), 3);
    let lowered = &stage.change_row(lowered, |policy| policy.offer.total = Some(2)).await;
    let stopped = &stage.change_row(stopped, |policy| policy.sale = Sale::Paused).await;
    let (nobody_s, caller) = (PolicyId(Uuid::from_u128(1)), member(0));

    let asks = |policy, numbers: std::ops::Range<u128>| join_all(numbers.map(|number| ask(&one, number, policy, None)));
    let (plainly, twice, low, not_now, late, missing) = tokio::join!(
        asks(plain, 0..5),
        join_all([1, 1, 1, 2].map(|number| ask(&one, number, several, None))),
        asks(lowered, 0..4),
        asks(stopped, 0..3),
        asks(sold, 0..5),
        one.issue(&caller, Issue { policy: nobody_s, request: None }),
    );

    assert_eq!(accepted(&plainly).len(), 5, "{plainly:?}");
    assert_eq!((accepted(&twice).len(), refused(&twice, ErrorReason::CouponLimitReached)), (3, 1), "{twice:?}");
    assert_eq!((accepted(&low).len(), refused(&low, ErrorReason::CouponSoldOut)), (2, 2), "{low:?}");
    assert_eq!(refused(&not_now, ErrorReason::CouponPolicyPaused), 3, "{not_now:?}");
    assert_eq!((accepted(&late).len(), refused(&late, ErrorReason::CouponSoldOut)), (3, 2), "{late:?}");
    assert_eq!(refused(&[missing], ErrorReason::NotFound), 1);
    let ends = [(plain, plainly, 5), (several, twice, 3), (lowered, low, 2), (stopped, not_now, 0), (sold, late, 6)];
    for (policy, answers, count) in ends {
        assert!(accepted(&answers).iter().all(|receipt| receipt.policy == policy.id), "{answers:?}");
        stage.ends_with(policy, count).await;
    }
}

/// Guard: policies with which something is wrong are ruled on alone.
#[tokio::test]
async fn a_policy_that_this_release_can_not_read_holds_up_no_other() {
    let stage = Stage::new().await;
    let (plain, other) = (&stage.open(|_| {}).await, &stage.open(|_| {}).await);
    let newer = &stage.open(|offer| offer.name = "내일".into()).await;
    stage.execute("UPDATE coupon_policy SET issuing = 'TOMORROW' WHERE name = '내일'").await;

    let asks = |policy, numbers: std::ops::Range<u128>| join_all(numbers.map(|number| stage.ask(number, policy, None)));
    let (some, unread, more) = tokio::join!(asks(plain, 0..3), asks(newer, 0..3), asks(other, 0..2));

    assert_eq!((accepted(&some).len(), accepted(&more).len()), (3, 2), "{some:?} {more:?}");
    assert_eq!(refused(&unread, ErrorReason::Internal), 3, "{unread:?}");
    stage.calm().await;
    let left = stage.coupons.gate.remaining(newer.id.0).await.expect("answers").expect("is open");
    assert_eq!(left.taken, 0, "what was taken for nothing is given back");
    assert_eq!(stage.count("coupon_receipt").await, 5);
}

/// Guard: slots that another process took meanwhile are looked for again, policy by policy; on PostgreSQL, where two write at once.
#[tokio::test]
async fn slots_that_are_lost_to_another_process_cost_nobody_else_theirs() {
    let stage = Stage::new().await;
    let several = &stage.policy_with(|offer| offer.per_member = 3).await;
    let plain = &stage.policy(Some(100)).await;
    let processes: Vec<_> = (41..49).map(|number| stage.beside(number)).collect();
    for coupons in &processes {
        for policy in [several, plain] {
            assert!(coupons.open_gate(policy.id).await.expect("opens"));
        }
    }

    let one_of_each =
        |(coupons, number)| join_all([(1, several), (number, plain)].map(|(n, policy)| ask(coupons, n, policy, None)));
    let answers = join_all(processes.iter().zip(10..).map(one_of_each)).await;

    let (of_several, of_plain): (Vec<_>, Vec<_>) =
        answers.into_iter().flatten().enumerate().partition(|(number, _)| number % 2 == 0);
    let answers = |numbered: Vec<(usize, _)>| numbered.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>();
    let (of_several, of_plain) = (answers(of_several), answers(of_plain));
    assert_eq!(accepted(&of_plain).len(), 8, "{of_plain:?}");
    assert_eq!(
        (accepted(&of_several).len(), refused(&of_several, ErrorReason::CouponLimitReached)),
        (3, 5),
        "{of_several:?}"
    );
    stage.ends_with(several, 3).await;
    stage.ends_with(plain, 8).await;
}
