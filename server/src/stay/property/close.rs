//! Taking a property off the market.

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::stay::model::{Property, PropertyId, PropertyState};
use crate::stay::{Part, Stays, store};

impl Stays {
    /// Closes a property; a closed one stays as it is. Bookings made before stand.
    pub(super) async fn close_property(
        &self,
        seller: &Seller,
        id: PropertyId,
        key: &RequestKey,
    ) -> Result<Reply<Property>, Error> {
        let load = async |id| self.own_property(seller, PropertyId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "CloseProperty", key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        let mut property = self.touch(&tx, seller, id, Part::Property).await?;
                        if property.state != PropertyState::Closed {
                            property.state = PropertyState::Closed;
                            property.version += 1;
                            property.update_time = self.kit.clock.now();
                            store::property::update(&tx, &property, property.update_time).await?;
                        }
                        record.put(&tx, id.0).await?;
                        Ok(property)
                    })
                    .await
            })
            .await
    }
}
