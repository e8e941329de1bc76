//! Creating a rate plan.

use std::slice;

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::stay::model::{PlanTerms, RatePlan, RatePlanId, RoomTypeId, SaleState};
use crate::stay::{Part, StayError, Stays, store};

/// The most rate plans of a room type.
const LIMIT: u64 = 20;

/// Asks for a rate plan.
#[derive(Clone, Debug)]
pub(super) struct CreateRatePlan {
    pub(super) room_type: RoomTypeId,
    pub(super) terms: PlanTerms,
}

impl Stays {
    /// Creates a rate plan, open for sale on nights that it gets a price for.
    pub(super) async fn create_rate_plan(
        &self,
        seller: &Seller,
        command: &CreateRatePlan,
        key: &RequestKey,
    ) -> Result<Reply<RatePlan>, Error> {
        let load = async |id| self.own_rate_plan(seller, RatePlanId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "CreateRatePlan", key, load, async |record| {
                let id = RatePlanId::new(&self.kit.ids, self.kit.clock.now());
                self.kit
                    .db
                    .write(async |tx| {
                        let plan = self.add_rate_plan(&tx, seller, id, command).await?;
                        record.put(&tx, id.0).await?;
                        Ok(plan)
                    })
                    .await
            })
            .await
    }

    async fn add_rate_plan(
        &self,
        tx: &Tx,
        seller: &Seller,
        id: RatePlanId,
        command: &CreateRatePlan,
    ) -> Result<RatePlan, Error> {
        let room_type = self.touch_room_type(tx, seller, command.room_type, Part::RatePlan).await?;
        if store::rate_plan::count(&**tx, room_type.id).await? >= LIMIT {
            return Err(StayError::LimitReached { limit: "rate plans", maximum: LIMIT }.into());
        }
        let now = self.kit.clock.now();
        let plan = RatePlan {
            id,
            room_type: room_type.id,
            property: room_type.property,
            seller: seller.id,
            terms: command.terms.clone(),
            state: SaleState::Open,
            version: 1,
            create_time: now,
            update_time: now,
        };
        store::rate_plan::insert_many(tx, slice::from_ref(&plan)).await?;
        Ok(plan)
    }
}
