//! A batch that is cancelled while one of its codes is redeemed.

use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::BatchState;
use super::create::CreateBatch;
use crate::coupon::model::Issuing;
use crate::coupon::{stage, store};
use crate::harness::Harness;
use crate::kit::idempotency::RequestKey;

/// Guard: the lock of the batch's row, which whoever redeems shares and who cancels waits for: behind the answer none is redeemed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_a_batch_waits_for_whoever_redeems_one_of_its_codes() {
    let yeyak = Harness::new().await;
    let (coupons, keeper) = (stage::coupons(&yeyak), stage::admin());
    let policy = stage::policy(&yeyak, Issuing::Code, 1).await;
    let command = CreateBatch { policy: policy.id, code_count: 1, uses_per_code: 1, tag: String::new() };
    let made = coupons.create_batch(&keeper, &command, &RequestKey::default()).await.expect("makes");
    let id = made.value.batch.id;
    let (inside, entered) = oneshot::channel();
    let (leave, left) = oneshot::channel::<()>();
    let once = Mutex::new(Some((inside, left)));
    let redeeming = yeyak.db.write(async |tx| {
        let state = store::code::keep(&tx, id).await?;
        let (inside, left) = once.lock().unwrap().take().expect("runs once");
        inside.send(()).unwrap();
        left.await.unwrap();
        Ok(state)
    });
    let cancelling = async {
        entered.await.unwrap();
        let key = RequestKey::default();
        let mut cancelling = pin!(coupons.cancel_batch(&keeper, id, &key));
        assert!(timeout(Duration::from_millis(200), &mut cancelling).await.is_err(), "it did not wait");
        leave.send(()).unwrap();
        cancelling.await
    };

    let (kept, cancelled) = tokio::join!(redeeming, cancelling);

    assert_eq!(kept.expect("reads"), Some(BatchState::Active));
    assert_eq!(cancelled.expect("cancels").value.batch.state, BatchState::Cancelled);
}
