//! Putting a property up for sale.

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::stay::model::{Property, PropertyId, PropertyState};
use crate::stay::{Part, StayError, Stays, store};

impl Stays {
    /// Lists a property that has a location and an open room type with an open rate plan; a listed one stays as it is.
    pub(super) async fn open_property(
        &self,
        seller: &Seller,
        id: PropertyId,
        key: &RequestKey,
    ) -> Result<Reply<Property>, Error> {
        let load = async |id| self.own_property(seller, PropertyId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "OpenProperty", key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        let property = self.list_property(&tx, seller, id).await?;
                        record.put(&tx, id.0).await?;
                        Ok(property)
                    })
                    .await
            })
            .await
    }

    async fn list_property(&self, tx: &Tx, seller: &Seller, id: PropertyId) -> Result<Property, Error> {
        let mut property = self.touch(tx, seller, id, Part::Property).await?;
        if property.state == PropertyState::Listed {
            return Ok(property);
        }
        let missing = missing(tx, &property).await?;
        if !missing.is_empty() {
            return Err(StayError::Incomplete { property: id, missing }.into());
        }
        let now = self.kit.clock.now();
        property.state = PropertyState::Listed;
        property.open_time = property.open_time.or(Some(now));
        property.version += 1;
        property.update_time = now;
        store::property::update(tx, &property, now).await?;
        Ok(property)
    }
}

/// What a property lacks to be for sale.
async fn missing(tx: &Tx, property: &Property) -> Result<Vec<&'static str>, Error> {
    let mut missing = Vec::new();
    if property.about.location.is_none() {
        missing.push("location");
    }
    let rooms = store::room_type::open_ids(&**tx, property.id).await?;
    if rooms.is_empty() {
        missing.push("room_type");
    }
    if !store::rate_plan::any_open(&**tx, &rooms).await? {
        missing.push("rate_plan");
    }
    Ok(missing)
}
