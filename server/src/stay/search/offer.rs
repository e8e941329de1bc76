//! What a booking asks of stays.

use crate::error::{Error, NotFound};
use crate::kit::date::Nights;
use crate::kit::tx::Tx;
use crate::stay::model::{RatePlanId, RoomTypeId, Wanted};
use crate::stay::{Availability, Rooms, StayError, StayOffer, Stays, store};

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
        self.offer_from(room_type, rate_plan, wanted, &*self.rooms).await
    }

    /// The same for who has rooms of the type in some nights already, and would give them up: those count as free.
    pub async fn offer_again(
        &self,
        room_type: RoomTypeId,
        rate_plan: RatePlanId,
        wanted: Wanted,
        own: &[Nights],
    ) -> Result<StayOffer, Error> {
        let given_up = GivenUp { rooms: &*self.rooms, nights: own, count: i32::from(wanted.rooms()) };
        self.offer_from(room_type, rate_plan, wanted, &given_up).await
    }

    /// How many rooms a type has in a night that nobody has touched, in the transaction that takes one: an offer may be older
    /// than what the seller has said since.
    pub async fn room_count(&self, tx: &Tx, room_type: RoomTypeId) -> Result<u32, Error> {
        let count = store::room_type::pin_room_count(tx, room_type).await?;
        let count = count.ok_or_else(|| NotFound::new("room_type", room_type))?;
        u32::try_from(count).map_err(Error::internal)
    }

    async fn offer_from(
        &self,
        room_type: RoomTypeId,
        rate_plan: RatePlanId,
        wanted: Wanted,
        rooms: &dyn Availability,
    ) -> Result<StayOffer, Error> {
        let now = self.kit.clock.now();
        let no_room_type = || Error::from(NotFound::new("room_type", room_type));
        let no_plan = || Error::from(NotFound::new("rate_plan", rate_plan));
        let index = self.catalogue.of_room_type(room_type).await?;
        let (listing, at) = index.room_type(room_type).ok_or_else(no_room_type)?;
        let plan = listing.plan(at, rate_plan).ok_or_else(no_plan)?;
        let priced = index.price(room_type, Some(rate_plan), &wanted, rooms, now).ok_or_else(no_plan)?;
        let priced = priced.into_iter().next().ok_or_else(no_plan)?;
        let refused = |refusals| StayError::Refused { room_type, rate_plan, refusals };
        let price = priced.price.map_err(refused)?;
        let room = &listing.rooms()[at];
        let (property, check_in) = (listing.details(), wanted.nights().check_in());
        Ok(StayOffer {
            property: property.id,
            property_name: property.name.clone(),
            region: property.region,
            seller: property.seller,
            zone: property.zone,
            room_type,
            room_type_name: room.name.clone(),
            room_count: room.room_count,
            rate_plan,
            wanted,
            price,
            terms: plan.policy.resolve(&self.season, property.zone, check_in, now),
            needs_approval: property.needs_approval,
            late_payment: property.late_payment,
        })
    }
}

/// Rooms as they would be if some were given up.
#[derive(Debug)]
struct GivenUp<'a> {
    rooms: &'a dyn Rooms,
    nights: &'a [Nights],
    count: i32,
}

impl Availability for GivenUp<'_> {
    fn free(&self, room_type: RoomTypeId, room_count: u32, nights: Nights, free: &mut [i32]) {
        self.rooms.free(room_type, room_count, nights, free);
        for (date, free) in nights.dates().zip(free) {
            if self.nights.iter().any(|own| own.contains(date)) {
                *free += self.count;
            }
        }
    }
}
