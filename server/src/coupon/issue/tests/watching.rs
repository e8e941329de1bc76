//! Watching a receipt.

use std::pin::pin;

use futures::{StreamExt, TryStreamExt};

use super::stage::{Stage, member};
use crate::coupon::model::ReceiptState;
use crate::error::ErrorReason;

/// Guard: the word of the issuer to the bus.
#[tokio::test]
async fn a_watch_shows_the_receipt_at_once_and_its_coupon_when_it_is_there() {
    let stage = Stage::new().await;
    let policy = &stage.policy(Some(10)).await;
    let receipt = stage.ask(1, policy, None).await.expect("is accepted").value;
    let watch = stage.coupons.watch_receipt(member(1), receipt.id, None).await.expect("watches");
    let mut watch = pin!(watch);

    let first = watch.try_next().await.expect("watches").expect("an item");
    let (second, ()) = tokio::join!(watch.try_next(), stage.settle());

    assert_eq!(first.cursor, ReceiptState::Pending);
    assert!(second.expect("watches").expect("an item").receipt.expect("no heartbeat").is_issued);
    assert!(watch.next().await.is_none(), "it has come to its end");
    let resumed = stage.coupons.watch_receipt(member(1), receipt.id, Some(ReceiptState::Pending)).await;
    assert_eq!(
        pin!(resumed.expect("watches")).try_next().await.expect("watches").expect("an item").cursor,
        ReceiptState::Issued
    );
    let over = stage.coupons.watch_receipt(member(1), receipt.id, Some(ReceiptState::Issued)).await.expect("watches");
    assert!(pin!(over).next().await.is_none(), "who has seen the end waits for nothing");
    let other = stage.coupons.watch_receipt(member(2), receipt.id, None).await.err().expect("not theirs");
    assert_eq!(other.reason(), ErrorReason::NotFound);
}
