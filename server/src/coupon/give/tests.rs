//! What a member may be given, and what is taken back while it is being issued.

use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::Recipient;
use super::slot::{day_of, last_of, next_of};
use crate::backend::gate::Place;
use crate::coupon::entity::receipt;
use crate::coupon::issue::Issue;
use crate::coupon::model::{CouponId, Issuing, Policy, Receipt, ReceiptId, State};
use crate::coupon::store::given::Taken;
use crate::coupon::store::receipt::New;
use crate::coupon::{stage, store};
use crate::error::{Error, ErrorReason};
use crate::harness::Harness;
use crate::kit::caller::{Actor, Member, Roles};
use crate::kit::clock::{Clock, Time};
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::tx::Tx;

/// Guard: who takes back a receipt whose coupon is not there writes it as revoked, under the key that the issuer writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_taken_back_while_it_is_issued_never_has_a_coupon_that_can_be_used() {
    let yeyak = Harness::new().await;
    let coupons = stage::coupons(&yeyak);
    let (policy, keeper) = (stage::policy(&yeyak, Issuing::FirstCome, 1).await, stage::admin());
    let now = yeyak.clock.now();
    let rows = (1..=200).map(|place: u64| New {
        id: ReceiptId::new(&yeyak.kit.ids, now),
        policy: policy.id,
        is_only: true,
        member: MemberId(Uuid::from_u128(1_000 + u128::from(place))),
        token: Uuid::from_u128(u128::from(place)),
        place: Place { place, ordinal: 1 },
        day_slot: None,
        expire_time: now,
        created_by: "test".into(),
    });
    let rows: Vec<_> = rows.collect();
    let written = yeyak.db.write(async |tx| store::receipt::insert(&tx, &rows, now).await).await;
    assert_eq!(written.expect("writes").len(), 200);

    let issued = rows.chunks(10).map(|some| {
        let (some, db) = (some.iter().map(|row| row.id).collect::<Vec<_>>(), yeyak.db.clone());
        tokio::spawn(async move { db.write(async |tx| store::coupon::issue(&tx, &some, now).await).await.map(drop) })
    });
    let revoked = rows.iter().map(|row| {
        let (coupons, keeper, id) = (coupons.clone(), keeper.clone(), row.id);
        tokio::spawn(async move { coupons.revoke(&keeper, id, "실수", &RequestKey::default()).await.map(drop) })
    });
    let all: Vec<_> = revoked.chain(issued).collect();

    for ended in join_all(all).await {
        ended.expect("no panic").expect("is done");
    }
    for row in &rows {
        let receipt = store::receipt::find(yeyak.db.read(), row.id).await.expect("reads").expect("is there");
        let coupon = store::coupon::find(yeyak.db.read(), CouponId::from(row.id)).await.expect("reads");
        assert!(receipt.is_cancelled && receipt.place.is_none());
        assert_eq!(coupon.map(|coupon| coupon.state), Some(State::Revoked));
    }
}

/// Whether the coupon was written.
async fn issue(tx: &Tx, receipt: &Receipt, now: Time) -> Result<bool, Error> {
    let issued = store::coupon::issue(tx, &[receipt.id], now).await?;
    Ok(!issued.is_empty())
}

/// Whether the coupon was written, as revoked.
async fn take_back(tx: &Tx, receipt: &Receipt, policy: &Policy, now: Time) -> Result<bool, Error> {
    let was_pending = store::given::forestall(tx, policy, receipt, "test", now).await?;
    store::given::cancel(tx, receipt, "실수", now).await?;
    Ok(was_pending)
}

/// Guard: the key of the coupon, which both write: the second waits for the first, and finds it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_issues_and_who_takes_back_wait_for_each_other() {
    for is_issued_first in [true, false] {
        let yeyak = Harness::new().await;
        let (policy, now) = (&stage::policy(&yeyak, Issuing::FirstCome, 1).await, yeyak.clock.now());
        let row = New {
            id: ReceiptId::new(&yeyak.kit.ids, now),
            policy: policy.id,
            is_only: true,
            member: MemberId(Uuid::from_u128(1)),
            token: Uuid::from_u128(1),
            place: Place { place: 1, ordinal: 1 },
            day_slot: None,
            expire_time: now,
            created_by: "test".into(),
        };
        let id = row.id;
        let rows = [row];
        let written = yeyak.db.write(async |tx| store::receipt::insert(&tx, &rows, now).await).await;
        assert_eq!(written.expect("writes").len(), 1);
        let receipt = &store::receipt::find(yeyak.db.read(), id).await.expect("reads").expect("is there");
        let (inside, entered) = oneshot::channel();
        let (leave, left) = oneshot::channel::<()>();
        let once = Mutex::new(Some((inside, left)));
        let first = yeyak.db.write(async |tx| {
            let done = match is_issued_first {
                true => issue(&tx, receipt, now).await?,
                false => take_back(&tx, receipt, policy, now).await?,
            };
            let (inside, left) = once.lock().unwrap().take().expect("runs once");
            inside.send(()).unwrap();
            left.await.unwrap();
            Ok(done)
        });
        let second = async {
            entered.await.unwrap();
            let mut second = pin!(yeyak.db.write(async |tx| match is_issued_first {
                true => take_back(&tx, receipt, policy, now).await,
                false => issue(&tx, receipt, now).await,
            }));
            assert!(timeout(Duration::from_millis(200), &mut second).await.is_err(), "it did not wait");
            leave.send(()).unwrap();
            second.await
        };

        let (first, second) = tokio::join!(first, second);

        assert_eq!((first.expect("writes"), second.expect("is done")), (true, false), "{is_issued_first}");
    }
}

/// Guard: the gate is told of a place behind a repetition too: whoever took it back first may not have come to it.
#[tokio::test]
async fn a_gate_that_missed_a_place_that_was_taken_back_is_told_when_it_is_taken_back_again() {
    let yeyak = Harness::new().await;
    let (coupons, other, keeper) = (stage::coupons(&yeyak), stage::coupons(&yeyak), stage::admin());
    let policy = stage::policy(&yeyak, Issuing::FirstCome, 2).await;
    let member = Member { id: MemberId(Uuid::from_u128(1)), roles: Roles::default(), session: None, by: None };
    let ask = async || coupons.issue(&member, Issue { policy: policy.id, request: None }).await;
    let receipt = ask().await.expect("is accepted").value;
    ask().await.expect("is accepted");
    let key = RequestKey::default();
    other.revoke(&keeper, receipt.id, "실수", &key).await.expect("takes it back, and its own gate is another");
    assert_eq!(ask().await.expect_err("the gate did not hear of it").reason(), ErrorReason::CouponLimitReached);

    coupons.revoke(&keeper, receipt.id, "실수", &key).await.expect("stays taken back");

    ask().await.expect("is accepted");
}

/// Guard: how many a member has, whichever ordinals and slots those are.
#[tokio::test]
async fn a_lower_limit_counts_what_was_given_under_a_higher_one() {
    let yeyak = Harness::new().await;
    let mut policy = stage::policy(&yeyak, Issuing::Grant, 2).await;
    policy.offer.per_member_daily = Some(1);
    let now = yeyak.clock.now();
    let day = day_of(&policy, now);
    let taken = |ordinal, day_slot| Taken {
        member: MemberId(Uuid::from_u128(1)),
        ordinal: Some(ordinal),
        day_slot,
        once: None,
    };

    let two = [taken(2, None), taken(3, None)];
    assert!(next_of(&policy, &two, now).is_err() && last_of(&policy, &two).is_err());
    assert!(next_of(&policy, &[taken(1, Some(day + 1))], now).is_err(), "one today, in another slot");

    let one = [taken(3, Some(day - 1))];
    let next = next_of(&policy, &one, now).expect("one of two, none of them today");
    assert_eq!((next.ordinal, next.day_slot, last_of(&policy, &one).ok()), (1, Some(day), Some(2)));
}

/// Guard: the order of the locks; on PostgreSQL, where two write at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_back_waits_for_whoever_gives_before_it_touches_a_receipt() {
    let yeyak = Harness::new().await;
    let (coupons, keeper) = (stage::coupons(&yeyak), stage::admin());
    let policy = &stage::policy(&yeyak, Issuing::Grant, 1).await;
    let (now, actor) = (yeyak.clock.now(), Actor("test".into()));
    let member = MemberId(Uuid::from_u128(1));
    let recipient = Recipient { member, token: Uuid::from_u128(1), once: None, actor: &actor };
    let given = yeyak.db.write(async |tx| coupons.give(&tx, policy, recipient, now).await).await.expect("gives");
    let receipt =
        &store::receipt::find(yeyak.db.read(), ReceiptId(given.id.0)).await.expect("reads").expect("is there");
    let (inside, entered) = oneshot::channel();
    let (leave, left) = oneshot::channel::<()>();
    let once = Mutex::new(Some((inside, left)));
    let giving = yeyak.db.write(async |tx| {
        store::tally::give(&tx, policy.id, 1, None).await?;
        let (inside, left) = once.lock().unwrap().take().expect("is not tried again");
        inside.send(()).unwrap();
        left.await.unwrap();
        if tx.has_others() {
            let row = receipt::Entity::find_by_id(receipt.id.0);
            row.lock_with_behavior(LockType::Update, LockBehavior::Nowait).one(&*tx).await?;
        }
        Ok(())
    });
    let taking_back = async {
        entered.await.unwrap();
        let key = RequestKey::default();
        let mut taking_back = pin!(coupons.revoke(&keeper, receipt.id, "실수", &key));
        assert!(timeout(Duration::from_millis(200), &mut taking_back).await.is_err(), "it did not wait");
        leave.send(()).unwrap();
        taking_back.await
    };

    let (gave, taken_back) = tokio::join!(giving, taking_back);

    gave.expect("nobody has the receipt");
    assert!(taken_back.expect("takes back").value.is_cancelled);
}
