//! Reading properties.

use crate::error::{Error, NotFound};
use crate::kit::caller::{Caller, Seller};
use crate::kit::page::Page;
use crate::stay::model::{Property, PropertyId, PropertyState};
use crate::stay::{Stays, reader, store};

impl Stays {
    /// A property of the seller, in any state.
    pub(in crate::stay) async fn own_property(&self, seller: &Seller, id: PropertyId) -> Result<Property, Error> {
        let found = store::property::get(self.kit.db.read(), id).await?;
        let own = found.filter(|property| property.seller == seller.id);
        own.ok_or_else(|| NotFound::new("property", id).into())
    }

    /// A property that the caller may see: a listed one, or their own.
    pub(in crate::stay) async fn seen_property(&self, caller: &Caller, id: PropertyId) -> Result<Property, Error> {
        let found = store::property::get(self.kit.db.read(), id).await?;
        let seen =
            |property: &Property| property.state == PropertyState::Listed || reader(caller) == Some(property.seller);
        found.filter(seen).ok_or_else(|| NotFound::new("property", id).into())
    }

    /// The seller's properties, newest first.
    pub(super) async fn list_properties(
        &self,
        seller: &Seller,
        state: Option<PropertyState>,
        page: &Page,
    ) -> Result<(Vec<Property>, String), Error> {
        let found = store::property::list(self.kit.db.read(), seller.id, state, page).await?;
        Ok(page.cut(&self.kit.keys, found, |property| property.id.0))
    }
}
