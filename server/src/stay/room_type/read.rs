//! Reading room types.

use crate::error::{Error, NotFound};
use crate::kit::caller::{Caller, Seller};
use crate::kit::page::Page;
use crate::stay::model::{PropertyId, RoomType, RoomTypeId, SaleState};
use crate::stay::{Stays, reader, store};

impl Stays {
    /// A room type of the seller, in any state.
    pub(in crate::stay) async fn own_room_type(&self, seller: &Seller, id: RoomTypeId) -> Result<RoomType, Error> {
        let found = store::room_type::get_of(self.kit.db.read(), seller.id, id).await?;
        found.ok_or_else(|| NotFound::new("room_type", id).into())
    }

    /// A room type that the caller may see: an open one at a listed property, or their own.
    pub(in crate::stay) async fn seen_room_type(&self, caller: &Caller, id: RoomTypeId) -> Result<RoomType, Error> {
        let not_found = || Error::from(NotFound::new("room_type", id));
        let found = store::room_type::get(self.kit.db.read(), id).await?.ok_or_else(not_found)?;
        if reader(caller) == Some(found.seller) {
            return Ok(found);
        }
        self.seen_property(caller, found.property).await.map_err(|error| error.hidden(not_found))?;
        if found.state == SaleState::Open { Ok(found) } else { Err(not_found()) }
    }

    /// The room types of a property that the caller may see, oldest first.
    pub(super) async fn list_room_types(
        &self,
        caller: &Caller,
        property: PropertyId,
        page: &Page,
    ) -> Result<(Vec<RoomType>, String), Error> {
        let property = self.seen_property(caller, property).await?;
        let state = if reader(caller) == Some(property.seller) { None } else { Some(SaleState::Open) };
        let found = store::room_type::list(self.kit.db.read(), property.id, state, page).await?;
        Ok(page.cut(&self.kit.keys, found, |room_type| room_type.id.0))
    }
}
