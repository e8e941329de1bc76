//! What a stay is made of, without tables and without waiting.

mod cancellation;
mod listed;
mod place;
mod price;
mod restriction;
mod room_draft;

pub use cancellation::{
    CancellationPolicy, NotTiers, Peak, RefundTerms, RefundTier, RefundTiers, Season, refund_percent,
};
pub use listed::{
    About, Meals, PlanChange, PlanTerms, Property, PropertyChange, PropertyState, RatePlan, RoomAbout, RoomType,
    SaleState,
};
pub use place::{Amenities, Amenity, GeoPoint, NotAPoint, NotARegion, Photo, Rating, Region};
pub(in crate::stay) use price::total;
pub use price::{NightPrice, NightRate, NotARate, Offer, Rate, StayPrice, price_stay};
pub(in crate::stay) use restriction::check;
pub use restriction::{NotLimits, Refusal, Restriction, Restrictions, StayLimits, refusals_in_short};
pub use room_draft::{RoomChange, RoomDraft};

use crate::kit::date::Nights;
use crate::typed_id;

typed_id!(
    /// The id of a property.
    PropertyId,
    "property"
);
typed_id!(
    /// The id of a room type.
    RoomTypeId,
    "roomtype"
);
typed_id!(
    /// The id of a rate plan.
    RatePlanId,
    "rateplan"
);

/// Who stays, in all rooms together. A child takes the place of a guest.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Guests {
    adults: u16,
    children: u16,
}

/// Numbers of guests or rooms that are no stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotWanted {
    /// No adult, or too many.
    #[error("must be 1 to {} adults", Guests::LIMIT)]
    Adults,
    /// Too many children.
    #[error("must be at most {} children", Guests::LIMIT)]
    Children,
    /// No room, or too many.
    #[error("must be 1 to {} rooms", Wanted::ROOMS)]
    Rooms,
    /// Fewer adults than rooms.
    #[error("must be at most one room for each adult")]
    RoomWithoutAdult,
}

impl Guests {
    /// The most adults, and the most children.
    pub const LIMIT: u16 = 100;

    /// At least one adult; at most [`Self::LIMIT`] adults and as many children.
    pub fn new(adults: u16, children: u16) -> Result<Self, NotWanted> {
        match (adults, children) {
            (0, _) => Err(NotWanted::Adults),
            (adults, _) if adults > Self::LIMIT => Err(NotWanted::Adults),
            (_, children) if children > Self::LIMIT => Err(NotWanted::Children),
            _ => Ok(Self { adults, children }),
        }
    }

    /// How many adults.
    pub fn adults(&self) -> u16 {
        self.adults
    }

    /// How many children.
    pub fn children(&self) -> u16 {
        self.children
    }

    /// How many guests.
    pub fn count(&self) -> u16 {
        self.adults + self.children
    }
}

/// The stay that someone asks for: nights, guests and rooms of one type.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Wanted {
    nights: Nights,
    guests: Guests,
    rooms: u16,
}

impl Wanted {
    /// The most rooms of one stay.
    pub const ROOMS: u16 = 20;

    /// At least one room, at most [`Self::ROOMS`], and an adult in each.
    pub fn new(nights: Nights, guests: Guests, rooms: u16) -> Result<Self, NotWanted> {
        match rooms {
            0 => Err(NotWanted::Rooms),
            rooms if rooms > Self::ROOMS => Err(NotWanted::Rooms),
            rooms if rooms > guests.adults => Err(NotWanted::RoomWithoutAdult),
            _ => Ok(Self { nights, guests, rooms }),
        }
    }

    /// When.
    pub fn nights(&self) -> Nights {
        self.nights
    }

    /// Who.
    pub fn guests(&self) -> Guests {
        self.guests
    }

    /// How many rooms.
    pub fn rooms(&self) -> u16 {
        self.rooms
    }

    /// The guests of the fullest room, when they are spread as evenly as they can be.
    pub fn fullest_room(&self) -> u16 {
        self.guests.count().div_ceil(self.rooms)
    }
}

/// How many guests a room takes, and what those beyond the price cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Occupancy {
    base: u16,
    max: u16,
    extra_guest_fee: Option<Rate>,
}

/// Numbers of guests that are no occupancy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotOccupancy {
    /// The price includes no one, or too many.
    #[error("must be 1 to {} guests", Occupancy::LIMIT)]
    Base,
    /// The room sleeps fewer than the price includes, or too many.
    #[error("must be at least the base occupancy, and at most {} guests", Occupancy::LIMIT)]
    Max,
}

impl Occupancy {
    /// The most guests of one room.
    pub const LIMIT: u16 = 50;

    /// `base` guests are in the price, `max` is how many sleep there, and each between costs the fee a night.
    pub fn new(base: u16, max: u16, extra_guest_fee: Option<Rate>) -> Result<Self, NotOccupancy> {
        if !(1..=Self::LIMIT).contains(&base) {
            return Err(NotOccupancy::Base);
        }
        if !(base..=Self::LIMIT).contains(&max) {
            return Err(NotOccupancy::Max);
        }
        Ok(Self { base, max, extra_guest_fee })
    }

    /// How many guests the price includes.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// How many guests one room sleeps.
    pub fn max(&self) -> u16 {
        self.max
    }

    /// What each guest beyond the base costs a night.
    pub fn extra_guest_fee(&self) -> Option<Rate> {
        self.extra_guest_fee
    }

    /// The guests beyond the price. Spread evenly, a room has more than its base only when every room is full to it, so that
    /// the even split is also the cheapest.
    pub fn extra_guests(&self, wanted: &Wanted) -> u16 {
        wanted.guests.count().saturating_sub(self.base * wanted.rooms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kit::clock::Time;
    use crate::kit::id::Ids;

    fn nights() -> Nights {
        let date = |text: &str| text.parse().expect("a date");
        Nights::between(date("2026-05-01"), date("2026-05-03")).expect("two nights")
    }

    #[test]
    fn ids_carry_their_kind() {
        let ids = Ids::seeded(1);
        assert!(RoomTypeId::new(&ids, Time::UNIX_EPOCH).to_string().starts_with("roomtype_"));
        assert!(RatePlanId::new(&ids, Time::UNIX_EPOCH).to_string().starts_with("rateplan_"));
        let property = PropertyId::new(&ids, Time::UNIX_EPOCH);
        assert!(property.to_string().parse::<RoomTypeId>().is_err(), "a property is no room type");
    }

    #[test]
    fn impossible_parties_are_refused() {
        assert_eq!(Guests::new(0, 2), Err(NotWanted::Adults));
        assert_eq!(Guests::new(501, 0), Err(NotWanted::Adults));
        assert_eq!(Guests::new(1, 501), Err(NotWanted::Children));
        let two = Guests::new(2, 3).expect("guests");
        assert_eq!(Wanted::new(nights(), two, 0), Err(NotWanted::Rooms));
        assert_eq!(Wanted::new(nights(), two, 51), Err(NotWanted::Rooms));
        assert_eq!(Wanted::new(nights(), two, 3), Err(NotWanted::RoomWithoutAdult));
        assert_eq!(Occupancy::new(0, 2, None), Err(NotOccupancy::Base));
        assert_eq!(Occupancy::new(3, 2, None), Err(NotOccupancy::Max));
        assert_eq!(Occupancy::new(3, 51, None), Err(NotOccupancy::Max));
    }

    proptest! {
        #[test]
        fn extra_guests_are_those_of_the_even_split(adults in 1..40_u16, children in 0..40_u16, rooms in 1..10_u16, base in 1..8_u16) {
            prop_assume!(rooms <= adults);
            let guests = Guests::new(adults, children).expect("guests");
            let wanted = Wanted::new(nights(), guests, rooms).expect("wanted");
            let occupancy = Occupancy::new(base, 50, None).expect("occupancy");

            let in_room = |room: u16| guests.count() / rooms + u16::from(room < guests.count() % rooms);

            prop_assert_eq!((0..rooms).map(in_room).max(), Some(wanted.fullest_room()));
            let extra: u16 = (0..rooms).map(|room| in_room(room).saturating_sub(base)).sum();
            prop_assert_eq!(extra, occupancy.extra_guests(&wanted));
        }
    }
}
