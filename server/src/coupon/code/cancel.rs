//! Making the codes of a batch worthless.

use super::{BatchState, CodeBatchId};
use crate::coupon::keeper::Keeper;
use crate::coupon::store::code::Counted;
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::idempotency::{Reply, RequestKey};

impl Coupons {
    /// Cancels a batch; one that is cancelled already stays as it is. Behind the answer none of its codes is redeemed.
    pub(super) async fn cancel_batch(
        &self,
        keeper: &Keeper,
        id: CodeBatchId,
        key: &RequestKey,
    ) -> Result<Reply<Counted>, Error> {
        let load = async |id| self.kept_batch(keeper, CodeBatchId(id)).await;
        self.kit
            .requests
            .once(keeper.id.0, "CancelCouponCodeBatch", key, load, async |record| {
                let Counted { batch, .. } = self.kept_batch(keeper, id).await?;
                self.kit
                    .db
                    .write(async |tx| {
                        if batch.state == BatchState::Active {
                            store::code::cancel(&tx, &batch).await?;
                        }
                        record.put(&tx, id.0).await
                    })
                    .await?;
                self.kept_batch(keeper, id).await
            })
            .await
    }
}
