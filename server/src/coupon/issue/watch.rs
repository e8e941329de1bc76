//! Watching a receipt: as it is at once, and again whenever it changes.

use std::time::Duration;

use futures::{Stream, stream};
use tokio::time::timeout;

use crate::backend::bus::Subscription;
use crate::coupon::Coupons;
use crate::coupon::model::{Receipt, ReceiptId, ReceiptState};
use crate::error::Error;
use crate::kit::caller::Member;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// One item of a watch.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// What a watcher has seen is the state, which only goes forward.
    pub(super) cursor: ReceiptState,
    /// Absent in a heartbeat.
    pub(super) receipt: Option<Receipt>,
}

struct Watch {
    coupons: Coupons,
    caller: Member,
    id: ReceiptId,
    cursor: Option<ReceiptState>,
    changes: Box<dyn Subscription>,
    over: bool,
}

impl Coupons {
    /// Watches a receipt of the caller. The first item comes at once, unless the caller has seen it.
    pub(super) async fn watch_receipt(
        &self,
        caller: Member,
        id: ReceiptId,
        after: Option<ReceiptState>,
    ) -> Result<impl Stream<Item = Result<Seen, Error>> + Send + use<>, Error> {
        // Subscribed before the first look, so that nothing happens unseen between the two.
        let changes = self.bus.subscribe(id.0);
        self.receipt(&caller, id).await?;
        let watch = Watch { coupons: self.clone(), caller, id, cursor: after, changes, over: false };
        Ok(stream::unfold(watch, |mut watch| async move {
            if watch.over {
                return None;
            }
            let seen = watch.next().await.transpose()?;
            watch.over = match &seen {
                Ok(seen) => seen.receipt.is_some() && seen.cursor.is_final(),
                Err(_) => true,
            };
            Some((seen, watch))
        }))
    }
}

impl Watch {
    /// What there is to tell next; nothing when who watches has seen the end.
    async fn next(&mut self) -> Result<Option<Seen>, Error> {
        loop {
            let receipt = self.coupons.receipt(&self.caller, self.id).await?;
            let cursor = receipt.state();
            if self.cursor != Some(cursor) {
                self.cursor = Some(cursor);
                return Ok(Some(Seen { cursor, receipt: Some(receipt) }));
            }
            if cursor.is_final() {
                return Ok(None);
            }
            if timeout(HEARTBEAT, self.changes.changed()).await.is_err() {
                return Ok(Some(Seen { cursor, receipt: None }));
            }
        }
    }
}
