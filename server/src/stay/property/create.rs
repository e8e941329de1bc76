//! Creating a property.

use std::slice;

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::money::Currency;
use crate::stay::model::{About, Property, PropertyId, PropertyState, Rating};
use crate::stay::{Part, StayError, Stays, store};

/// The most properties of a seller.
const LIMIT: u64 = 1_000;

/// Asks for a property.
#[derive(Clone, Debug)]
pub(super) struct CreateProperty {
    pub(super) about: About,
    pub(super) currency: Currency,
}

impl Stays {
    /// Creates a property, which only its seller sees at first.
    pub(super) async fn create_property(
        &self,
        seller: &Seller,
        command: &CreateProperty,
        key: &RequestKey,
    ) -> Result<Reply<Property>, Error> {
        let load = async |id| self.own_property(seller, PropertyId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "CreateProperty", key, load, async |record| {
                let property = self.draft(seller, command);
                self.kit
                    .db
                    .write(async |tx| {
                        tx.take_turn(seller.id.0).await?;
                        if store::property::count(&*tx, seller.id).await? >= LIMIT {
                            return Err(StayError::LimitReached { limit: "properties", maximum: LIMIT }.into());
                        }
                        store::property::insert_many(&tx, slice::from_ref(&property)).await?;
                        self.announce(&tx, seller, &property, Part::Property);
                        record.put(&tx, property.id.0).await
                    })
                    .await?;
                Ok(property)
            })
            .await
    }

    fn draft(&self, seller: &Seller, command: &CreateProperty) -> Property {
        let now = self.kit.clock.now();
        Property {
            id: PropertyId::new(&self.kit.ids, now),
            seller: seller.id,
            about: command.about.clone(),
            currency: command.currency,
            state: PropertyState::Draft,
            rating: Rating::default(),
            version: 1,
            revision: 1,
            open_time: None,
            create_time: now,
            update_time: now,
        }
    }
}
