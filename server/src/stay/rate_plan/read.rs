//! Reading rate plans.

use crate::error::{Error, NotFound};
use crate::kit::caller::{Caller, Seller};
use crate::kit::page::Page;
use crate::stay::model::{RatePlan, RatePlanId, RoomTypeId, SaleState};
use crate::stay::{Stays, reader, store};

impl Stays {
    /// A rate plan of the seller, in any state.
    pub(super) async fn own_rate_plan(&self, seller: &Seller, id: RatePlanId) -> Result<RatePlan, Error> {
        let found = store::rate_plan::get_of(self.kit.db.read(), seller.id, id).await?;
        found.ok_or_else(|| NotFound::new("rate_plan", id).into())
    }

    /// A rate plan that the caller may see: an open one at a listed property, or their own.
    pub(super) async fn seen_rate_plan(&self, caller: &Caller, id: RatePlanId) -> Result<RatePlan, Error> {
        let not_found = || Error::from(NotFound::new("rate_plan", id));
        let found = store::rate_plan::get(self.kit.db.read(), id).await?.ok_or_else(not_found)?;
        if reader(caller) == Some(found.seller) {
            return Ok(found);
        }
        self.seen_property(caller, found.property).await.map_err(|error| error.hidden(not_found))?;
        if found.state == SaleState::Open { Ok(found) } else { Err(not_found()) }
    }

    /// The rate plans of a room type that the caller may see, oldest first.
    pub(super) async fn list_rate_plans(
        &self,
        caller: &Caller,
        room_type: RoomTypeId,
        page: &Page,
    ) -> Result<(Vec<RatePlan>, String), Error> {
        let room_type = self.seen_room_type(caller, room_type).await?;
        let state = if reader(caller) == Some(room_type.seller) { None } else { Some(SaleState::Open) };
        let found = store::rate_plan::list(self.kit.db.read(), room_type.id, state, page).await?;
        Ok(page.cut(&self.kit.keys, found, |plan| plan.id.0))
    }
}
