//! Changing the terms of a rate plan.

use crate::error::{Error, NotFound};
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::stay::model::{PlanChange, RatePlan, RatePlanId};
use crate::stay::{Part, Stays, check_etag, store};

/// Asks for changes of a rate plan.
#[derive(Clone, Debug)]
pub(super) struct UpdateRatePlan {
    pub(super) id: RatePlanId,
    pub(super) etag: Option<String>,
    pub(super) changes: Vec<PlanChange>,
}

impl Stays {
    /// Changes a rate plan. Bookings keep what they were made under.
    pub(super) async fn update_rate_plan(
        &self,
        seller: &Seller,
        command: &UpdateRatePlan,
        key: &RequestKey,
    ) -> Result<Reply<RatePlan>, Error> {
        let load = async |id| self.own_rate_plan(seller, RatePlanId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "UpdateRatePlan", key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        let mut plan = self.touch_rate_plan(&tx, seller, command.id, Part::RatePlan).await?;
                        check_etag(plan.id, command.etag.as_deref(), plan.version)?;
                        command.changes.iter().for_each(|change| plan.terms.apply(change.clone()));
                        plan.version += 1;
                        plan.update_time = self.kit.clock.now();
                        store::rate_plan::update(&tx, &plan).await?;
                        record.put(&tx, plan.id.0).await?;
                        Ok(plan)
                    })
                    .await
            })
            .await
    }

    /// Begins a change of a rate plan: see [`Stays::touch`].
    pub(super) async fn touch_rate_plan(
        &self,
        tx: &Tx,
        seller: &Seller,
        id: RatePlanId,
        part: Part,
    ) -> Result<RatePlan, Error> {
        let not_found = || Error::from(NotFound::new("rate_plan", id));
        let known = store::rate_plan::get_of(&**tx, seller.id, id).await?.ok_or_else(not_found)?;
        self.touch(tx, seller, known.property, part).await?;
        // As it is now that nobody else can change it.
        store::rate_plan::get_of(&**tx, seller.id, id).await?.ok_or_else(not_found)
    }
}
