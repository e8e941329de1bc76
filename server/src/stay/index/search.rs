//! Finding properties that fit, each with its cheapest offer.

use std::sync::Arc;

use super::listing::{Listing, Plan, Room};
use super::{Availability, Index};
use crate::kit::clock::Time;
use crate::kit::date::{Date, Tz, local_date};
use crate::kit::money::{Currency, Money};
use crate::stay::model::{Amenities, GeoPoint, PropertyId, Region, StayPrice, Wanted, price_stay, total};

/// What to look for. An absent condition does not limit.
#[derive(Clone, Debug)]
pub struct Query {
    /// The stay.
    pub wanted: Wanted,
    /// What to pay in: offers in other currencies can't be compared.
    pub currency: Currency,
    /// Where.
    pub region: Option<Region>,
    /// A part of a name or the address, as [`fold`](super::fold) leaves it.
    pub text: Option<String>,
    /// The least that the stay may cost.
    pub min_total: Option<i64>,
    /// The most that the stay may cost.
    pub max_total: Option<i64>,
    /// All of these, at the property or in the room.
    pub amenities: Amenities,
    /// The least mean rating, in hundredths.
    pub min_rating: u16,
    /// Where to measure distances from.
    pub near: Option<GeoPoint>,
    /// The most meters from there.
    pub max_distance: Option<u32>,
    /// What stands first.
    pub order: Order,
    /// Only what stands behind this key.
    pub after: Option<Key>,
    /// The most hits.
    pub limit: usize,
}

impl Query {
    /// Every property that has the rooms, the best rated first, twenty of them.
    pub fn new(wanted: Wanted, currency: Currency) -> Self {
        Self {
            wanted,
            currency,
            region: None,
            text: None,
            min_total: None,
            max_total: None,
            amenities: Amenities::default(),
            min_rating: 0,
            near: None,
            max_distance: None,
            order: Order::Relevance,
            after: None,
            limit: 20,
        }
    }
}

/// What stands first; among equals the property with the lower id, which is the older one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Order {
    /// The closest match of the text, then the best rated, weighted by the number of reviews.
    Relevance,
    /// The cheapest stay.
    Price,
    /// The best mean rating.
    Rating,
    /// The closest to [`Query::near`]; without that, in order of id.
    Distance,
}

/// Where a hit stands in its order: the lowest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// What the order counts.
    pub rank: i64,
    /// Settles ties.
    pub property: PropertyId,
}

/// One page of a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// In order, at most as many as asked for.
    pub hits: Vec<Hit>,
    /// How many properties fit, on all pages.
    pub total_count: usize,
    /// Where the next page begins; none on the last.
    pub next: Option<Key>,
}

/// A property that fits, with its cheapest offer.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Where it stands in the order.
    pub key: Key,
    /// The property.
    pub listing: Arc<Listing>,
    /// The cheapest offer.
    pub best: Best,
    /// What the stay costs there.
    pub price: StayPrice,
    /// How far it is.
    pub meters: Option<u32>,
}

impl Hit {
    /// The room type of the offer.
    pub fn room(&self) -> &Room {
        &self.listing.rooms()[self.best.room]
    }

    /// The rate plan of the offer.
    pub fn plan(&self) -> &Plan {
        &self.room().plans[self.best.plan]
    }
}

/// The cheapest offer of a property: of equal ones, that of the older room type, then of the older rate plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Best {
    /// The place of the room type in its listing.
    pub room: usize,
    /// The place of the rate plan in its room type.
    pub plan: usize,
    /// What the stay costs, in minor units.
    pub total: i64,
    /// How many rooms are free on every night.
    pub free: i32,
}

struct Candidate<'a> {
    key: Key,
    listing: &'a Arc<Listing>,
    best: Best,
    meters: Option<u32>,
}

impl Index {
    /// Finds the properties that have the rooms on every night, each with its cheapest offer. `now` decides which day it is at
    /// each property.
    pub fn search(&self, query: &Query, availability: &dyn Availability, now: Time) -> Found {
        let snapshot = self.snapshot.load();
        let mut search = Search { query, availability, now, todays: Vec::new(), free: Vec::new() };
        search.free.resize(usize::from(query.wanted.nights().count()), 0);
        let mut candidates: Vec<_> = match query.region {
            Some(region) => {
                snapshot.regions[region as usize].iter().filter_map(|listing| search.look_at(listing)).collect()
            }
            None => snapshot
                .regions
                .iter()
                .flat_map(|region| region.iter())
                .filter_map(|listing| search.look_at(listing))
                .collect(),
        };
        let total_count = candidates.len();
        if let Some(after) = query.after {
            candidates.retain(|candidate| candidate.key > after);
        }
        let more = candidates.len() > query.limit;
        if more && query.limit > 0 {
            candidates.select_nth_unstable_by_key(query.limit - 1, |candidate| candidate.key);
        }
        candidates.truncate(query.limit);
        candidates.sort_unstable_by_key(|candidate| candidate.key);
        let next = candidates.last().filter(|_| more).map(|candidate| candidate.key);
        let hits = candidates.into_iter().filter_map(|candidate| search.hit(candidate)).collect();
        Found { hits, total_count, next }
    }
}

/// One search under way.
struct Search<'a> {
    query: &'a Query,
    availability: &'a dyn Availability,
    now: Time,
    /// Which day it is in each zone that was met; nearly always one.
    todays: Vec<(Tz, Date)>,
    /// The free rooms of the room type that is being looked at.
    free: Vec<i32>,
}

impl Search<'_> {
    fn look_at<'l>(&mut self, listing: &'l Arc<Listing>) -> Option<Candidate<'l>> {
        let (query, details) = (self.query, listing.details());
        if details.currency != query.currency || details.rating.average_hundredths < query.min_rating {
            return None;
        }
        let text = match &query.text {
            Some(text) => Some(listing.matches(text)?),
            None => None,
        };
        let meters = query.near.map(|near| near.meters_to(&details.location));
        if query.max_distance.is_some_and(|most| meters.is_none_or(|meters| meters > most)) {
            return None;
        }
        let best = self.best(listing)?;
        let rank = match query.order {
            Order::Relevance => -(text.map_or(0, |text| text as i64) * 1000 + i64::from(details.rating.weighted())),
            Order::Price => best.total,
            Order::Rating => -i64::from(details.rating.average_hundredths),
            Order::Distance => meters.map_or(0, i64::from),
        };
        Some(Candidate { key: Key { rank, property: details.id }, listing, best, meters })
    }

    fn best(&mut self, listing: &Listing) -> Option<Best> {
        let query = self.query;
        let today = self.today(listing.details().zone);
        let day = listing.day(query.wanted.nights().check_in());
        let mut best: Option<Best> = None;
        for (at, room) in listing.rooms().iter().enumerate() {
            let sleeps = room.occupancy.max() >= query.wanted.fullest_room();
            let offers = room.amenities.union(listing.details().amenities).has_all(query.amenities);
            // Asked before the rooms are counted, since that is the dearest question.
            if !sleeps || !offers || room.lowest_price(day, 0).is_none() {
                continue;
            }
            self.free.fill(0);
            self.availability.free(room.id, room.room_count, query.wanted.nights(), &mut self.free);
            let least = self.free.iter().copied().min().unwrap_or(0);
            if least < i32::from(query.wanted.rooms()) {
                continue;
            }
            for (plan_at, plan) in room.plans.iter().enumerate() {
                let night = |offset| room.night(plan, day, offset, least);
                let Some(total) = total(&query.wanted, &listing.offer(room, plan), today, night) else { continue };
                let asked =
                    query.min_total.is_none_or(|min| total >= min) && query.max_total.is_none_or(|max| total <= max);
                if asked && best.is_none_or(|best| total < best.total) {
                    best = Some(Best { room: at, plan: plan_at, total, free: least });
                }
            }
        }
        best
    }

    /// A candidate of the page, with its price night by night.
    fn hit(&mut self, candidate: Candidate<'_>) -> Option<Hit> {
        let Candidate { key, listing, best, meters } = candidate;
        let wanted = &self.query.wanted;
        let room = &listing.rooms()[best.room];
        let plan = &room.plans[best.plan];
        let day = listing.day(wanted.nights().check_in());
        let nights: Vec<_> =
            (0..=wanted.nights().count()).map(|offset| room.night(plan, day, offset, best.free)).collect();
        let today = self.today(listing.details().zone);
        let price = price_stay(wanted, &listing.offer(room, plan), &nights, today).ok()?;
        debug_assert_eq!(price.total, Money::new(self.query.currency, best.total));
        Some(Hit { key, listing: Arc::clone(listing), best, price, meters })
    }

    fn today(&mut self, zone: Tz) -> Date {
        if let Some((_, today)) = self.todays.iter().find(|(known, _)| *known == zone) {
            return *today;
        }
        let today = local_date(zone, self.now);
        self.todays.push((zone, today));
        today
    }
}
