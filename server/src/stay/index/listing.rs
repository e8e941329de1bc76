//! What the index holds of one property.

use chrono_tz::Tz;
use unicode_normalization::UnicodeNormalization;

use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::money::Currency;
use crate::stay::LatePayment;
use crate::stay::model::{
    Amenities, CancellationPolicy, GeoPoint, NightRate, Occupancy, Offer, Photo, PropertyId, Rate, RatePlanId, Rating,
    Region, Restrictions, RoomTypeId, StayLimits,
};

/// A property as a list shows it.
#[derive(Clone, Debug)]
pub struct Details {
    /// Which property.
    pub id: PropertyId,
    /// The version of the rows that it was read from; grows with each change of the property and all below it.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Its English name, or empty.
    pub name_en: String,
    /// Its address.
    pub address: String,
    /// The division it lies in.
    pub region: Region,
    /// Where it is.
    pub location: GeoPoint,
    /// Where its days begin.
    pub zone: Tz,
    /// What all its prices are in.
    pub currency: Currency,
    /// What guests thought of it.
    pub rating: Rating,
    /// What the whole property offers.
    pub amenities: Amenities,
    /// Its first photo.
    pub photo: Option<Photo>,
    /// Who sells it.
    pub seller: MemberId,
    /// Whether the seller is asked before a booking stands.
    pub needs_approval: bool,
    /// What becomes of a payment that comes too late.
    pub late_payment: LatePayment,
}

/// A property with its open room types, ready to be searched.
#[derive(Debug)]
pub struct Listing {
    details: Details,
    base: Date,
    rooms: Vec<Room>,
    texts: Texts,
}

/// An open room type.
#[derive(Clone, Debug)]
pub struct Room {
    /// Which room type.
    pub id: RoomTypeId,
    /// Its name.
    pub name: String,
    /// The guests that it takes.
    pub occupancy: Occupancy,
    /// What it offers beside the property.
    pub amenities: Amenities,
    /// How many rooms there are in a night for which nothing else is known.
    pub room_count: u32,
    /// What the calendar allows, from the base date on, night by night.
    pub restrictions: Vec<Restrictions>,
    /// Its open rate plans.
    pub plans: Vec<Plan>,
}

/// An open rate plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which rate plan.
    pub id: RatePlanId,
    /// Its name.
    pub name: String,
    /// The stays that it is for.
    pub limits: StayLimits,
    /// What a cancellation gives back.
    pub policy: CancellationPolicy,
    /// The price of one room, from the base date on, night by night.
    pub prices: Vec<Option<Rate>>,
}

/// What a text is looked for in, folded.
#[derive(Debug)]
struct Texts {
    names: [String; 2],
    address: String,
}

/// How well a text matches; better ones are greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Match {
    Address,
    WithinName,
    StartOfWord,
    StartOfName,
    WholeName,
}

/// A text as it is compared: composed, since macOS sends Hangul in pieces, in lower case, and without space around it.
pub fn fold(text: &str) -> String {
    text.trim().to_lowercase().nfc().collect()
}

impl Listing {
    /// A property and its calendar, whose first night is that of `base`. Room types and rate plans are ordered by id, which
    /// settles ties.
    pub fn new(details: Details, base: Date, mut rooms: Vec<Room>) -> Self {
        rooms.sort_by_key(|room| room.id);
        for room in &mut rooms {
            room.plans.sort_by_key(|plan| plan.id);
        }
        let names = [fold(&details.name), fold(&details.name_en)];
        let texts = Texts { names, address: fold(&details.address) };
        Self { details, base, rooms, texts }
    }

    /// An open rate plan of one of its room types.
    pub fn plan(&self, at: usize, id: RatePlanId) -> Option<&Plan> {
        self.rooms.get(at)?.plans.iter().find(|plan| plan.id == id)
    }

    /// Which property.
    pub fn id(&self) -> PropertyId {
        self.details.id
    }

    /// The version of the rows that it was read from.
    pub fn version(&self) -> i64 {
        self.details.version
    }

    /// The division it lies in.
    pub fn region(&self) -> Region {
        self.details.region
    }

    /// What a list shows of it.
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// Its open room types, in order of id.
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// What holds for all nights of a room under a plan.
    pub(super) fn offer(&self, room: &Room, plan: &Plan) -> Offer {
        Offer { currency: self.details.currency, occupancy: room.occupancy, limits: plan.limits }
    }

    /// Where a date is in the calendar; before its base it may be, and then no night is.
    pub(super) fn day(&self, date: Date) -> Day {
        Day((date - self.base).num_days())
    }

    /// How well a folded text matches, if it does.
    pub(super) fn matches(&self, text: &str) -> Option<Match> {
        let in_names = self.texts.names.iter().filter_map(|name| match_in(name, text)).max();
        in_names.or_else(|| self.texts.address.contains(text).then_some(Match::Address))
    }
}

fn match_in(name: &str, text: &str) -> Option<Match> {
    let at = name.find(text)?;
    if at == 0 {
        return Some(if name.len() == text.len() { Match::WholeName } else { Match::StartOfName });
    }
    let mut starts = name.match_indices(text).map(|(at, _)| &name[..at]);
    let at_word = starts.any(|before| !before.ends_with(char::is_alphanumeric));
    Some(if at_word { Match::StartOfWord } else { Match::WithinName })
}

/// A position in the calendar of a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day(i64);

impl Day {
    fn get<T: Copy>(self, nights: &[T], offset: u16) -> Option<T> {
        let at = usize::try_from(self.0 + i64::from(offset)).ok()?;
        nights.get(at).copied()
    }
}

impl Room {
    /// What the calendar allows some nights behind a day.
    pub(super) fn restrictions(&self, day: Day, offset: u16) -> Restrictions {
        day.get(&self.restrictions, offset).unwrap_or_default()
    }

    /// One night under a plan, with so many rooms free.
    pub(super) fn night(&self, plan: &Plan, day: Day, offset: u16, free: i32) -> NightRate {
        let price = day.get(&plan.prices, offset).flatten();
        NightRate { price, free, restrictions: self.restrictions(day, offset) }
    }

    /// The lowest price of a night over all plans.
    pub(super) fn lowest_price(&self, day: Day, offset: u16) -> Option<Rate> {
        self.plans.iter().filter_map(|plan| day.get(&plan.prices, offset).flatten()).min()
    }
}
