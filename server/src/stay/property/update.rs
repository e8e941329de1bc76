//! Changing what a seller says of a property.

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::tx::Tx;
use crate::kit::violation::Violations;
use crate::stay::model::{Property, PropertyChange, PropertyId, PropertyState};
use crate::stay::{Part, StayError, Stays, check_etag, store};

/// Asks for changes of a property.
#[derive(Clone, Debug)]
pub(super) struct UpdateProperty {
    pub(super) id: PropertyId,
    pub(super) etag: Option<String>,
    pub(super) changes: Vec<PropertyChange>,
}

impl Stays {
    /// Changes a property. A listed one must stay complete, and its days stay where they are once it was opened.
    pub(super) async fn update_property(
        &self,
        seller: &Seller,
        command: &UpdateProperty,
        key: &RequestKey,
    ) -> Result<Reply<Property>, Error> {
        let load = async |id| self.own_property(seller, PropertyId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "UpdateProperty", key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        let property = self.change_property(&tx, seller, command).await?;
                        record.put(&tx, property.id.0).await?;
                        Ok(property)
                    })
                    .await
            })
            .await
    }

    async fn change_property(&self, tx: &Tx, seller: &Seller, command: &UpdateProperty) -> Result<Property, Error> {
        let mut property = self.touch(tx, seller, command.id, Part::Property).await?;
        check_etag(property.id, command.etag.as_deref(), property.version)?;
        let zone = property.about.zone;
        command.changes.iter().for_each(|change| property.about.apply(change.clone()));
        if property.open_time.is_some() && property.about.zone != zone {
            let mut violations = Violations::new();
            violations.add("property.time_zone", "can't change once the property was opened");
            return violations.finish(None);
        }
        if property.state == PropertyState::Listed && property.about.location.is_none() {
            return Err(StayError::Incomplete { property: property.id, missing: vec!["location"] }.into());
        }
        property.version += 1;
        property.update_time = self.kit.clock.now();
        store::property::update(tx, &property, property.update_time).await?;
        Ok(property)
    }
}
