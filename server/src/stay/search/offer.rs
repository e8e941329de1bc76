//! What a booking asks of stays.

use crate::error::{Error, NotFound};
use crate::kit::tx::Tx;
use crate::stay::model::{RatePlanId, RoomTypeId, Wanted};
use crate::stay::{StayError, StayOffer, Stays, store};

impl Stays {
    /// A stay with its price and its terms, as it can be had now.
    ///
    /// Errors: `NOT_FOUND` for a room type or rate plan that is not open at a listed property; `STAY_REFUSED` with every night
    /// and restriction in the way, nights without enough free rooms among them. Rooms are counted for good when they are held.
    pub async fn offer(
        &self,
        room_type: RoomTypeId,
        rate_plan: RatePlanId,
        wanted: Wanted,
    ) -> Result<StayOffer, Error> {
        let now = self.kit.clock.now();
        let no_room_type = || Error::from(NotFound::new("room_type", room_type));
        let no_plan = || Error::from(NotFound::new("rate_plan", rate_plan));
        let index = self.catalogue.of_room_type(room_type).await?;
        let (listing, at) = index.room_type(room_type).ok_or_else(no_room_type)?;
        let conn = self.kit.db.read();
        let property = store::property::get(conn, listing.id()).await?.ok_or_else(no_room_type)?;
        let plan = store::rate_plan::get(conn, rate_plan).await?.ok_or_else(no_plan)?;
        let priced = index.price(room_type, Some(rate_plan), &wanted, &*self.rooms, now).ok_or_else(no_plan)?;
        let priced = priced.into_iter().next().ok_or_else(no_plan)?;
        let refused = |refusals| StayError::Refused { room_type, rate_plan, refusals };
        let price = priced.price.map_err(refused)?;
        let room = &listing.rooms()[at];
        let check_in = wanted.nights().check_in();
        Ok(StayOffer {
            property: property.id,
            property_name: property.about.name,
            seller: property.seller,
            zone: property.about.zone,
            room_type,
            room_type_name: room.name.clone(),
            room_count: room.room_count,
            rate_plan,
            wanted,
            price,
            terms: plan.terms.policy.resolve(&self.season, property.about.zone, check_in, now),
            needs_approval: property.about.needs_approval,
            late_payment: property.about.late_payment,
            revision: listing.version(),
        })
    }

    /// Asserts, in the transaction that rests on it, that an offer is still what would be offered: nothing of its property has
    /// changed, and nothing does until the transaction ends. A lost assertion reruns the operation from its load.
    pub async fn assert_offered(&self, tx: &Tx, offer: &StayOffer) -> Result<(), Error> {
        match store::property::pin(tx, offer.property).await? {
            Some(revision) if revision == offer.revision => Ok(()),
            _ => Err(Error::lost(offer.property)),
        }
    }
}
