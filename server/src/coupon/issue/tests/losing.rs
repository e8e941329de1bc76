//! Gates that were lost, and messages.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use tokio::time::timeout;

use super::stage::{Stage, accepted, ask, process, reason, refused};
use crate::backend::gate::{MemoryGate, Refused};
use crate::coupon::keep::GatesJob;
use crate::coupon::model::ReceiptState;
use crate::error::ErrorReason;
use crate::kit::crash::How;
use crate::kit::job::Job;

/// Guard: what a new gate is built from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_is_lost_again_and_again_gives_neither_more_nor_less() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(500)).await;
    let mut all = Vec::new();
    for turn in 0..10 {
        // Each process begins with a gate that knows nothing.
        let coupons = super::stage::process(&stage.yeyak, Arc::new(MemoryGate::default()), 20 + turn);
        all.extend(join_all((0..200).map(|n| ask(&coupons, turn * 150 + n, policy, Some(1)))).await);
        coupons.tasks.close();
        coupons.tasks.wait().await;
    }

    let known = accepted(&all).len() - 500;
    assert_eq!(refused(&all, ErrorReason::CouponSoldOut), 2000 - 500 - known);
    stage.ends_with(policy, 500).await;
}

/// Guard: who meets a closed gate waits for the one who opens it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_is_built_once_for_all_who_wait() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(500)).await;

    let answers = stage.all(0..500, policy).await;

    assert_eq!(accepted(&answers).len(), 500);
    assert_eq!(stage.count("coupon_policy WHERE gate_epoch = 1").await, 1);
}

/// Guard: a policy that is over is answered for by its rows.
#[tokio::test]
async fn nobody_builds_the_gate_of_a_policy_that_is_over() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(500)).await;
    let receipt = stage.ask(1, policy, Some(1)).await.expect("is accepted").value;
    stage.change_row(policy, |policy| policy.sale = crate::backend::gate::Sale::Ended).await;
    let coupons = stage.beside(30);

    let again = ask(&coupons, 1, policy, Some(1)).await.expect("is known");

    assert_eq!((again.replayed, again.value.id), (true, receipt.id));
    assert_eq!(reason(ask(&coupons, 2, policy, None).await), ErrorReason::CouponPolicyEnded);
    let taken = coupons.gate.take(policy.id.0, &[], policy.create_time).await.expect("answers");
    assert!(taken.each.iter().all(|answer| *answer == Err(Refused::Closed)));
}

/// Guard: the look after gates, without which the places of those who died stay with them.
#[tokio::test]
async fn places_of_those_who_never_came_back_are_found() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(10)).await;
    for number in 0..3 {
        stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
        stage.ask(number, policy, None).await.expect_err("ends half-way");
    }
    assert_eq!(accepted(&stage.all(100..120, policy).await).len(), 7);
    stage.calm().await;

    assert_eq!(stage.run("coupon-gates").await, 0, "they may be on their way");
    assert_eq!(stage.run("coupon-gates").await, 1);

    assert_eq!(accepted(&stage.all(200..220, policy).await).len(), 3);
    stage.ends_with(policy, 10).await;
}

/// Guard: the version of the gate's terms.
#[tokio::test]
async fn a_gate_that_missed_a_change_is_told_of_it() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(1)).await;
    stage.ask(1, policy, None).await.expect("is accepted");
    let more = &stage.change_row(policy, |policy| policy.offer.total = Some(2)).await;
    assert_eq!(reason(stage.ask(2, policy, None).await), ErrorReason::CouponSoldOut);

    assert_eq!(stage.run("coupon-gates").await, 1);

    stage.ask(2, policy, None).await.expect("is accepted");
    stage.ends_with(more, 2).await;
}

/// Guard: `Round`, without which the first gate that can't be looked after would be the last that is.
#[tokio::test]
async fn a_gate_that_can_not_be_built_again_keeps_no_other_waiting() {
    let stage = Stage::new().await;
    let broken = &stage.open(|offer| offer.total = Some(1)).await;
    stage.advance(TimeDelta::seconds(1));
    let behind = &stage.open(|offer| offer.total = Some(2)).await;
    stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
    stage.ask(1, broken, None).await.expect_err("ends half-way");
    stage.calm().await;
    // There is no epoch behind this one.
    stage.execute("UPDATE coupon_policy SET gate_epoch = 9223372036854775807 WHERE total = 1").await;
    let job = GatesJob::new(stage.coupons.clone());
    assert_eq!(job.run().await.expect("runs"), 0, "it may be on its way");
    let more = stage.change_row(behind, |policy| policy.offer.total = Some(3)).await;

    job.run().await.expect_err("a gate can't be built again");

    let told = stage.coupons.gate.remaining(behind.id.0).await.expect("answers").expect("is open");
    assert_eq!(told.version, more.version);
}

/// Guard: the job that hands receipts over again.
#[tokio::test]
async fn receipts_whose_message_was_lost_are_issued_all_the_same() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(2000)).await;
    stage.all(0..1200, policy).await;
    stage.calm().await;
    stage.execute("DELETE FROM outbox").await;
    stage.settle().await;
    stage.advance(TimeDelta::seconds(59));
    assert_eq!(stage.run("coupon-receipts").await, 0, "they may be on their way");

    stage.advance(TimeDelta::seconds(2));
    assert_eq!(stage.run("coupon-receipts").await, 1200);
    stage.settle().await;
    stage.advance(TimeDelta::seconds(61));
    assert_eq!(stage.run("coupon-receipts").await, 0);
    stage.ends_with(policy, 1200).await;

    // Once more: what is looked at goes on where it was.
    let late = stage.ask(5000, policy, None).await.expect("is accepted").value;
    stage.calm().await;
    stage.execute("DELETE FROM outbox").await;
    stage.coupons.republish(policy).await.expect("publishes");
    stage.settle().await;
    assert_eq!(stage.receipt(late.id).await.state(), ReceiptState::Issued);
}

/// Guard: the receipt's `cancel_time` in the statement that issues.
#[tokio::test]
async fn a_receipt_that_was_taken_back_becomes_no_coupon() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(2)).await;
    let receipt = stage.ask(1, policy, Some(1)).await.expect("is accepted").value;
    stage.ask(2, policy, None).await.expect("is accepted");
    stage.calm().await;
    stage
        .execute(
            "UPDATE coupon_receipt SET cancel_time = create_time, ordinal = NULL, place = NULL, day_slot = NULL WHERE place = 1",
        )
        .await;
    let token = stage.coupons.token(
        super::stage::member(1).id,
        super::super::Issue { policy: policy.id, request: Some(uuid::Uuid::from_u128(1)) },
    );
    stage.coupons.release_place(policy, super::stage::member(1).id, token).await;

    stage.settle().await;
    let again = stage.ask(1, policy, Some(1)).await.expect("is known");
    let anew = stage.ask(1, policy, Some(2)).await.expect("is accepted");

    assert_eq!((again.value.id, again.value.state()), (receipt.id, ReceiptState::Cancelled));
    assert!(!anew.replayed);
    assert_eq!(anew.value.place, Some(1), "its place is free again");
    stage.ends_with(policy, 2).await;

    for built in ["by the places given", "from the rows"] {
        let again = stage.ask(1, policy, Some(1)).await.expect("is known, though all are gone");
        assert_eq!((again.value.id, again.replayed), (receipt.id, true), "{built}");
        assert_eq!(refused(&[stage.ask(3, policy, None).await], ErrorReason::CouponSoldOut), 1, "{built}");
        stage.coupons.rebuild_gate(policy).await.expect("is built");
    }
}

/// Guards: a place whose row may have been written stays with its member; a row is never later than those who look for it wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_too_long_for_the_database_keeps_the_place() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(2)).await;
    let (inside, entered) = tokio::sync::oneshot::channel();
    let (leave, left) = tokio::sync::oneshot::channel::<()>();
    let once = std::sync::Mutex::new(Some((inside, left)));
    let occupying = stage.yeyak.db.write(async |tx| {
        tx.take_turn(policy.id.0).await?;
        let (inside, left) = once.lock().unwrap().take().expect("runs once");
        inside.send(()).unwrap();
        left.await.unwrap();
        Ok(())
    });
    let asking = async {
        entered.await.unwrap();
        let mut asking = std::pin::pin!(stage.ask(1, policy, Some(1)));
        assert!(timeout(Duration::from_millis(200), &mut asking).await.is_err(), "it did not wait");
        stage.advance(TimeDelta::seconds(21));
        leave.send(()).unwrap();
        asking.await
    };

    let (occupied, answer) = tokio::join!(occupying, asking);

    occupied.unwrap();
    assert_eq!(reason(answer), ErrorReason::DependencyUnavailable);
    stage.calm().await;
    assert_eq!(stage.count("coupon_receipt").await, 0);
    assert_eq!(stage.ask(2, policy, None).await.expect("has the other place").value.place, Some(2));
    assert_eq!(reason(stage.ask(3, policy, None).await), ErrorReason::CouponSoldOut);
    assert_eq!(stage.ask(1, policy, Some(1)).await.expect("is accepted").value.place, Some(1));
    stage.ends_with(policy, 2).await;
}

/// Guard: what was taken for nothing is given back.
#[tokio::test]
async fn a_place_whose_row_could_not_be_written_is_another_s() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(1)).await;
    stage.execute("ALTER TABLE coupon_receipt RENAME TO coupon_receipt_elsewhere").await;
    assert_eq!(reason(stage.ask(1, policy, None).await), ErrorReason::Internal);
    stage.calm().await;
    stage.execute("ALTER TABLE coupon_receipt_elsewhere RENAME TO coupon_receipt").await;

    assert_eq!(stage.ask(2, policy, None).await.expect("is accepted").value.place, Some(1));
    stage.ends_with(policy, 1).await;
}

/// Guard: the lease under which a gate is built. (In one process, its turn.)
#[tokio::test]
async fn a_gate_is_built_by_one_of_many_processes() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    let processes: Vec<_> = (40..45).map(|number| process(&stage.yeyak, stage.coupons.gate.clone(), number)).collect();

    let opened = join_all(processes.iter().map(|coupons| coupons.open_gate(policy.id))).await;

    assert!(opened.iter().all(|opened| matches!(opened, Ok(true))), "{opened:?}");
    assert_eq!(stage.count("coupon_policy WHERE gate_epoch = 1").await, 1);
}

/// Guard: a gate that takes another's place for a member's is built again (`is_astray`).
#[tokio::test]
async fn who_has_a_place_at_one_gate_that_a_row_gives_to_another_is_given_one_of_their_own() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(3)).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }
    stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
    ask(&other, 1, policy, Some(1)).await.expect_err("ends half-way");
    let rival = ask(&one, 2, policy, None).await.expect("is accepted").value;

    let anew = ask(&other, 1, policy, Some(2)).await.expect("is accepted").value;

    assert_eq!((rival.place, anew.place), (Some(1), Some(2)));
    stage.ends_with(policy, 2).await;
}

/// Guard: whose own a place is comes before who only found it.
#[tokio::test]
async fn of_two_requests_for_the_place_whose_answer_was_lost_the_one_that_took_it_has_it() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(2)).await;
    stage.yeyak.kit.crash.arm("coupon.taken", How::Error);
    stage.ask(1, policy, Some(1)).await.expect_err("ends half-way");

    let (anew, again) = tokio::join!(stage.ask(1, policy, Some(2)), stage.ask(1, policy, Some(1)));

    assert_eq!(again.expect("is accepted").value.place, Some(1));
    assert_eq!(reason(anew), ErrorReason::CouponAlreadyYours);
    stage.ends_with(policy, 1).await;
}

/// Guard: the mark, which stays before what is not issued yet.
#[tokio::test]
async fn receipts_whose_message_is_lost_time_and_again_are_handed_over_each_time() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    stage.all(0..10, policy).await;
    for _ in 0..3 {
        stage.calm().await;
        stage.execute("DELETE FROM outbox").await;
        stage.advance(TimeDelta::seconds(61));
        assert_eq!(stage.run("coupon-receipts").await, 10);
    }

    stage.ends_with(policy, 10).await;
}

/// Guard: a gate that gives one place after the other that rows have is built again, and asked once more.
#[tokio::test]
async fn who_asks_at_a_gate_that_lacks_many_rows_is_accepted() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(100)).await;
    let (one, other) = (stage.beside(11), stage.beside(12));
    for coupons in [&one, &other] {
        coupons.open_gate(policy.id).await.expect("opens");
    }
    let before = join_all((0..60).map(|number| ask(&one, number, policy, None))).await;
    assert_eq!(accepted(&before).len(), 60);

    let late = ask(&other, 100, policy, None).await.expect("is accepted").value;

    assert_eq!(late.place, Some(61));
    stage.ends_with(policy, 61).await;
}

/// Guard: the look after gates counts rows, without which a place that was taken back would be lost with the word of it.
#[tokio::test]
async fn a_place_that_was_taken_back_without_the_word_reaching_the_gate_is_found() {
    let stage = Stage::new().await;
    let policy = &stage.open(|offer| offer.total = Some(3)).await;
    assert_eq!(accepted(&stage.all(0..5, policy).await).len(), 3);
    stage.settle().await;
    stage
        .execute("UPDATE coupon SET state = 'REVOKED' WHERE id IN (SELECT id FROM coupon_receipt WHERE place = 2)")
        .await;
    let taken_back = "cancel_time = create_time, ordinal = NULL, place = NULL";
    stage.execute(&format!("UPDATE coupon_receipt SET {taken_back} WHERE place = 2")).await;
    assert_eq!(reason(stage.ask(9, policy, None).await), ErrorReason::CouponSoldOut);

    assert_eq!(stage.run("coupon-gates").await, 0, "it may be on its way");
    assert_eq!(stage.run("coupon-gates").await, 1);

    stage.ask(9, policy, None).await.expect("is accepted");
    stage.ends_with(policy, 3).await;
    assert_eq!(
        stage.run("coupon-gates").await + stage.run("coupon-gates").await,
        0,
        "there is nothing more to be found"
    );
}

/// Guard: a gate that does not know of every place whose it is refuses nobody whose request a row has.
#[tokio::test]
async fn who_asks_again_at_a_gate_that_lacks_their_row_is_told_the_same() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(2)).await;
    let coupons = stage.beside(41);
    coupons.open_gate(policy.id).await.expect("opens");
    let receipt = stage.ask(1, policy, Some(1)).await.expect("is accepted").value;
    // The gate beside gives the place of that receipt once more, and has none left behind the second.
    ask(&coupons, 2, policy, None).await.expect("is accepted");
    assert_eq!(reason(ask(&coupons, 3, policy, None).await), ErrorReason::CouponSoldOut);

    let again = ask(&coupons, 1, policy, Some(1)).await.expect("is known");

    assert_eq!((again.replayed, again.value.id), (true, receipt.id));
    assert_eq!(reason(ask(&coupons, 1, policy, Some(2)).await), ErrorReason::CouponSoldOut);
    assert_eq!(stage.count("coupon_receipt").await, 2);
}

/// Guard: `TakenBack`, said by whoever finds that a receipt has lost its place.
#[tokio::test]
async fn a_receipt_whose_loss_the_gate_has_not_heard_of_is_known_when_all_are_gone() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(1)).await;
    let receipt = stage.ask(1, policy, Some(1)).await.expect("is accepted").value;
    stage.calm().await;
    stage.execute("UPDATE coupon_receipt SET cancel_time = create_time, ordinal = NULL, place = NULL").await;

    let known = stage.ask(1, policy, Some(1)).await.expect("is known").value;
    stage.calm().await;
    stage.ask(2, policy, None).await.expect("has the place");
    stage.calm().await;
    let again = stage.ask(1, policy, Some(1)).await.expect("is known").value;

    assert_eq!((known.id, again.id), (receipt.id, receipt.id));
}
