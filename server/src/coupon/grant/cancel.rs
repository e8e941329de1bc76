//! Stopping a run.

use super::model::RunState;
use super::{GrantRun, GrantRunId};
use crate::coupon::keeper::Keeper;
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;

impl Coupons {
    /// Stops a run that is under way; one that has ended stays as it is. Behind the answer it gives nothing more.
    pub(super) async fn cancel_run(
        &self,
        keeper: &Keeper,
        id: GrantRunId,
        key: &RequestKey,
    ) -> Result<Reply<GrantRun>, Error> {
        let load = async |id| self.kept_run(keeper, GrantRunId(id)).await;
        self.kit
            .requests
            .once(keeper.id.0, "CancelCouponGrantRun", key, load, async |record| {
                let run = self.kept_run(keeper, id).await?;
                let now = self.kit.clock.now();
                let cancelled = match run.state {
                    RunState::Running => GrantRun { state: RunState::Cancelled, ..run.moved(now) },
                    _ => run.clone(),
                };
                self.kit
                    .db
                    .write(async |tx| {
                        if cancelled.version != run.version {
                            self.put_run(&tx, &run, &cancelled).await?;
                        }
                        record.put(&tx, id.0).await
                    })
                    .await?;
                Ok(cancelled)
            })
            .await
    }

    /// Writes what has become of a run, unless it has changed since, and wakes who watches it.
    pub(super) async fn put_run(&self, tx: &Tx, before: &GrantRun, after: &GrantRun) -> Result<(), Error> {
        store::run::update(tx, before.version, after).await?;
        let (bus, id) = (self.bus.clone(), after.id.0);
        tx.on_commit(move || bus.publish(id));
        Ok(())
    }
}
