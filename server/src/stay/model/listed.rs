//! What a seller keeps: properties, room types and rate plans, and the changes that can be made to them.

use chrono::NaiveTime;

use super::{
    Amenities, CancellationPolicy, GeoPoint, Occupancy, Photo, PropertyId, RatePlanId, Rating, Region, RoomTypeId,
    StayLimits,
};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::money::Currency;
use crate::stay::LatePayment;

/// A place to stay.
#[derive(Clone, Debug)]
pub struct Property {
    /// Which.
    pub id: PropertyId,
    /// Who sells it.
    pub seller: MemberId,
    /// What its seller says of it.
    pub about: About,
    /// What all its prices are in.
    pub currency: Currency,
    /// Whether it is for sale.
    pub state: PropertyState,
    /// What guests thought of it.
    pub rating: Rating,
    /// Grows with each change of the property itself.
    pub version: i64,
    /// Grows with each change of the property and of all below it.
    pub revision: i64,
    /// When it was first put up for sale.
    pub open_time: Option<Time>,
    /// When it was created.
    pub create_time: Time,
    /// When it last changed.
    pub update_time: Time,
}

/// What a seller says of a property.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its English name, or empty.
    pub name_en: String,
    /// The division it lies in.
    pub region: Region,
    /// Its address.
    pub address: String,
    /// Where it is, once that is known.
    pub location: Option<GeoPoint>,
    /// Plain text, or empty.
    pub description: String,
    /// Where its days begin.
    pub zone: Tz,
    /// The earliest arrival.
    pub check_in: NaiveTime,
    /// The latest departure.
    pub check_out: NaiveTime,
    /// What the whole property offers.
    pub amenities: Amenities,
    /// What guests must keep to.
    pub house_rules: Vec<String>,
    /// In the order in which they are shown.
    pub photos: Vec<Photo>,
    /// What becomes of a payment that comes too late.
    pub late_payment: LatePayment,
    /// Whether the seller is asked before a booking is confirmed.
    pub needs_approval: bool,
}

impl Default for About {
    fn default() -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour of the day");
        Self {
            name: String::new(),
            name_en: String::new(),
            region: Region::Seoul,
            address: String::new(),
            location: None,
            description: String::new(),
            zone: Tz::Asia__Seoul,
            check_in: hour(15),
            check_out: hour(11),
            amenities: Amenities::default(),
            house_rules: Vec::new(),
            photos: Vec::new(),
            late_payment: LatePayment::AcceptIfAvailable,
            needs_approval: false,
        }
    }
}

/// Whether a property is for sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PropertyState {
    /// Being prepared.
    Draft,
    /// For sale.
    Listed,
    /// Taken off the market.
    Closed,
}

/// One field of a property, set.
#[derive(Clone, Debug)]
pub enum PropertyChange {
    /// Its name.
    Name(String),
    /// Its English name.
    NameEn(String),
    /// The division it lies in.
    Region(Region),
    /// Its address.
    Address(String),
    /// Where it is.
    Location(Option<GeoPoint>),
    /// Plain text.
    Description(String),
    /// Where its days begin.
    Zone(Tz),
    /// The earliest arrival.
    CheckIn(NaiveTime),
    /// The latest departure.
    CheckOut(NaiveTime),
    /// What it offers.
    Amenities(Amenities),
    /// What guests must keep to.
    HouseRules(Vec<String>),
    /// Its pictures.
    Photos(Vec<Photo>),
    /// What becomes of a late payment.
    LatePayment(LatePayment),
    /// Whether the seller is asked first.
    NeedsApproval(bool),
}

impl About {
    /// Sets one field.
    pub fn apply(&mut self, change: PropertyChange) {
        match change {
            PropertyChange::Name(name) => self.name = name,
            PropertyChange::NameEn(name) => self.name_en = name,
            PropertyChange::Region(region) => self.region = region,
            PropertyChange::Address(address) => self.address = address,
            PropertyChange::Location(location) => self.location = location,
            PropertyChange::Description(description) => self.description = description,
            PropertyChange::Zone(zone) => self.zone = zone,
            PropertyChange::CheckIn(time) => self.check_in = time,
            PropertyChange::CheckOut(time) => self.check_out = time,
            PropertyChange::Amenities(amenities) => self.amenities = amenities,
            PropertyChange::HouseRules(rules) => self.house_rules = rules,
            PropertyChange::Photos(photos) => self.photos = photos,
            PropertyChange::LatePayment(policy) => self.late_payment = policy,
            PropertyChange::NeedsApproval(needed) => self.needs_approval = needed,
        }
    }
}

/// Whether a room type or a rate plan is for sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaleState {
    /// For sale, on nights that have a price.
    Open,
    /// Not for sale.
    Closed,
}

/// Rooms of one kind.
#[derive(Clone, Debug)]
pub struct RoomType {
    /// Which.
    pub id: RoomTypeId,
    /// Where.
    pub property: PropertyId,
    /// Who sells it.
    pub seller: MemberId,
    /// What its seller says of it.
    pub about: RoomAbout,
    /// The property's.
    pub currency: Currency,
    /// Whether it is for sale.
    pub state: SaleState,
    /// Grows with each change.
    pub version: i64,
    /// When it was created.
    pub create_time: Time,
    /// When it last changed.
    pub update_time: Time,
}

/// What a seller says of a room type.
#[derive(Clone, Debug)]
pub struct RoomAbout {
    /// Its name.
    pub name: String,
    /// Plain text, or empty.
    pub description: String,
    /// The guests that it takes.
    pub occupancy: Occupancy,
    /// How many there are.
    pub room_count: u32,
    /// What it offers beside the property.
    pub amenities: Amenities,
    /// In the order in which they are shown.
    pub photos: Vec<Photo>,
}

/// Terms of sale.
#[derive(Clone, Debug)]
pub struct RatePlan {
    /// Which.
    pub id: RatePlanId,
    /// Of which room type.
    pub room_type: RoomTypeId,
    /// Where.
    pub property: PropertyId,
    /// Who sells it.
    pub seller: MemberId,
    /// What its seller says of it.
    pub terms: PlanTerms,
    /// Whether it is for sale.
    pub state: SaleState,
    /// Grows with each change.
    pub version: i64,
    /// When it was created.
    pub create_time: Time,
    /// When it last changed.
    pub update_time: Time,
}

/// What a seller says of a rate plan.
#[derive(Clone, Debug)]
pub struct PlanTerms {
    /// Its name.
    pub name: String,
    /// What a cancellation refunds.
    pub policy: CancellationPolicy,
    /// The stays that it is for.
    pub limits: StayLimits,
    /// The meals in the price.
    pub meals: Meals,
}

impl Default for PlanTerms {
    fn default() -> Self {
        let (policy, limits) = (CancellationPolicy::KrLodging, StayLimits::NONE);
        Self { name: String::new(), policy, limits, meals: Meals::RoomOnly }
    }
}

/// The meals in a price.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meals {
    /// None.
    RoomOnly,
    /// Breakfast.
    Breakfast,
    /// Breakfast and dinner.
    HalfBoard,
    /// Three meals.
    FullBoard,
    /// All meals and drinks.
    AllInclusive,
}

/// One field of a rate plan, set.
#[derive(Clone, Debug)]
pub enum PlanChange {
    /// Its name.
    Name(String),
    /// What a cancellation refunds.
    Policy(CancellationPolicy),
    /// The stays that it is for.
    Limits(StayLimits),
    /// The meals in the price.
    Meals(Meals),
}

impl PlanTerms {
    /// Sets one field.
    pub fn apply(&mut self, change: PlanChange) {
        match change {
            PlanChange::Name(name) => self.name = name,
            PlanChange::Policy(policy) => self.policy = policy,
            PlanChange::Limits(limits) => self.limits = limits,
            PlanChange::Meals(meals) => self.meals = meals,
        }
    }
}
