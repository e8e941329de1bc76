//! Putting a rate plan on sale, and taking it off.

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::stay::model::{RatePlan, RatePlanId, SaleState};
use crate::stay::{Part, Stays, store};

impl Stays {
    /// Opens or closes a rate plan; one that is in the state already stays as it is. Bookings made before stand.
    pub(super) async fn sell_rate_plan(
        &self,
        seller: &Seller,
        id: RatePlanId,
        state: SaleState,
        key: &RequestKey,
    ) -> Result<Reply<RatePlan>, Error> {
        let method = match state {
            SaleState::Open => "OpenRatePlan",
            SaleState::Closed => "CloseRatePlan",
        };
        let load = async |id| self.own_rate_plan(seller, RatePlanId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, method, key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        let mut rate_plan = self.touch_rate_plan(&tx, seller, id, Part::RatePlan).await?;
                        if rate_plan.state != state {
                            rate_plan.state = state;
                            rate_plan.version += 1;
                            rate_plan.update_time = self.kit.clock.now();
                            store::rate_plan::update(&tx, &rate_plan).await?;
                        }
                        record.put(&tx, id.0).await?;
                        Ok(rate_plan)
                    })
                    .await
            })
            .await
    }
}
