//! A room type while its seller writes it: fields that only fit together are checked together.

use super::{Amenities, NotOccupancy, Occupancy, Photo, Rate, RoomAbout};
use crate::kit::money::Money;

/// What a seller says of a room type, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct RoomDraft {
    /// Its name.
    pub name: String,
    /// Plain text, or empty.
    pub description: String,
    /// How many guests the price includes.
    pub base_occupancy: u16,
    /// How many guests may sleep in one room.
    pub max_occupancy: u16,
    /// What each guest beyond the base costs a night.
    pub extra_guest_fee: Option<Money>,
    /// How many rooms there are.
    pub room_count: u32,
    /// What it offers beside the property.
    pub amenities: Amenities,
    /// In the order in which they are shown.
    pub photos: Vec<Photo>,
}

/// One field of a room type, set.
#[derive(Clone, Debug)]
pub enum RoomChange {
    /// Its name.
    Name(String),
    /// Plain text.
    Description(String),
    /// How many guests the price includes.
    BaseOccupancy(u16),
    /// How many guests may sleep in one room.
    MaxOccupancy(u16),
    /// What each guest beyond the base costs.
    ExtraGuestFee(Option<Money>),
    /// How many rooms there are.
    RoomCount(u32),
    /// What it offers.
    Amenities(Amenities),
    /// Its pictures.
    Photos(Vec<Photo>),
}

impl RoomDraft {
    /// What is there, to be changed.
    pub fn of(about: &RoomAbout, fee: Option<Money>) -> Self {
        let about = about.clone();
        Self {
            name: about.name,
            description: about.description,
            base_occupancy: about.occupancy.base(),
            max_occupancy: about.occupancy.max(),
            extra_guest_fee: fee,
            room_count: about.room_count,
            amenities: about.amenities,
            photos: about.photos,
        }
    }

    /// Sets one field.
    pub fn apply(&mut self, change: RoomChange) {
        match change {
            RoomChange::Name(name) => self.name = name,
            RoomChange::Description(description) => self.description = description,
            RoomChange::BaseOccupancy(guests) => self.base_occupancy = guests,
            RoomChange::MaxOccupancy(guests) => self.max_occupancy = guests,
            RoomChange::ExtraGuestFee(fee) => self.extra_guest_fee = fee,
            RoomChange::RoomCount(rooms) => self.room_count = rooms,
            RoomChange::Amenities(amenities) => self.amenities = amenities,
            RoomChange::Photos(photos) => self.photos = photos,
        }
    }

    /// The room type, when its numbers of guests fit together.
    pub fn finish(self) -> Result<RoomAbout, NotOccupancy> {
        let fee = self.extra_guest_fee.and_then(|fee| Rate::new(fee.minor).ok());
        Ok(RoomAbout {
            name: self.name,
            description: self.description,
            occupancy: Occupancy::new(self.base_occupancy, self.max_occupancy, fee)?,
            room_count: self.room_count,
            amenities: self.amenities,
            photos: self.photos,
        })
    }
}
