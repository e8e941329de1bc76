//! Receipts that forbid each other.

use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::stage::{Stage, member};
use crate::backend::gate::Place;
use crate::coupon::model::ReceiptId;
use crate::coupon::store;
use crate::coupon::store::receipt::New;
use crate::kit::clock::Clock;
use crate::kit::tx::Tx;

/// Guards: what is unique among receipts: (policy, place); (policy, member, ordinal); the slot of a day; the request of a member
/// who may have several. When the second is written, the first can't be read yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_receipts_that_forbid_each_other_and_are_written_at_once_the_first_stays() {
    // Member, request, place, ordinal and slot of the second; the first has 1 of each.
    let seconds = [
        ("place", 3, (2, 2, 1, 1, None)),
        ("ordinal", 1, (1, 2, 2, 1, None)),
        ("slot", 3, (1, 2, 2, 2, Some(1))),
        ("request", 3, (1, 1, 2, 2, None)),
    ];
    for (what, per_member, second) in seconds {
        let stage = Stage::new().await;
        let policy = stage.policy_with(|offer| offer.per_member = per_member).await.id;
        let now = stage.yeyak.clock.now();
        let row = |(who, token, place, ordinal, day_slot): (u128, u128, u64, u32, Option<i64>)| New {
            id: ReceiptId::new(&stage.yeyak.kit.ids, now),
            policy,
            is_only: per_member == 1,
            member: member(who).id,
            token: Uuid::from_u128(token),
            place: Place { place, ordinal },
            day_slot,
            expire_time: now,
            created_by: "a test".into(),
        };
        let (first, second) = ([row((1, 1, 1, 1, Some(1)))], [row(second)]);
        let (inside, entered) = oneshot::channel();
        let (leave, left) = oneshot::channel::<()>();
        let once = Mutex::new(Some((inside, left)));
        let db = &stage.yeyak.db;
        let writing = db.write(async |tx| {
            let written = store::receipt::insert(&tx, &first, now).await?;
            let (inside, left) = once.lock().unwrap().take().expect("runs once");
            inside.send(()).unwrap();
            left.await.unwrap();
            Ok(written)
        });
        let behind = async {
            entered.await.unwrap();
            let insert = async |tx: Tx| store::receipt::insert(&tx, &second, now).await;
            let mut behind = pin!(db.write(insert));
            assert!(timeout(Duration::from_millis(200), &mut behind).await.is_err(), "{what}: it did not wait");
            leave.send(()).unwrap();
            behind.await
        };

        let (written, behind) = tokio::join!(writing, behind);

        assert_eq!((written.unwrap().len(), behind.unwrap().len()), (1, 0), "{what}");
    }
}

/// Guard: the slices in which SQLite makes coupons, a statement of which has at most 32,766 values.
#[tokio::test]
async fn as_many_receipts_as_come_together_are_issued_together() {
    let stage = Stage::new().await;
    let (policy, now) = (stage.policy(None).await.id, stage.yeyak.clock.now());
    let rows: Vec<_> = (1..=8_000)
        .map(|number: u64| New {
            id: ReceiptId::new(&stage.yeyak.kit.ids, now),
            policy,
            is_only: true,
            member: member(number.into()).id,
            token: Uuid::from_u128(number.into()),
            place: Place { place: number, ordinal: 1 },
            day_slot: None,
            expire_time: now,
            created_by: "a test".into(),
        })
        .collect();
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();

    let issued = stage.yeyak.db.write(async |tx| {
        for some in rows.chunks(500) {
            store::receipt::insert(&tx, some, now).await?;
        }
        store::coupon::issue(&tx, &ids, now).await
    });

    assert_eq!(issued.await.expect("issues").len(), 8_000);
}
