//! Requests to queries, and what was found to answers.

use std::num::NonZeroU16;

use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::search_stays_request::OrderBy;
use yeyak_proto::yeyak::stay::v1::stay_refusal::Restriction as Wire;

use crate::error::Error;
use crate::kit::date::{Date, Nights, from_proto, to_proto};
use crate::kit::money::{Currency, Money};
use crate::kit::proto_time;
use crate::kit::violation::Violations;
use crate::stay::convert::{
    amenities, amenity_numbers, choice, money, nights, point, proto_photo, proto_point, proto_tier, region,
    region_number, wanted,
};
use crate::stay::index::{Details, Hit, Night, Order, Priced, Query, fold};
use crate::stay::model::{NightPrice, RatePlanId, RefundTerms, Refusal, Restriction, RoomTypeId, StayPrice, Wanted};

/// Who stays when a request does not say: a first look needs no more than a place.
const TWO_ADULTS: pb::Guests = pb::Guests { adult_count: 2, child_count: 0 };

/// `earliest` is the first day that is not past everywhere: each property refuses its own past, by the calendar of its zone.
pub(super) fn search(request: &pb::SearchStaysRequest, earliest: Date, tomorrow: Date) -> Result<Query, Error> {
    let mut violations = Violations::new();
    let past = request.check_in_date.as_ref().and_then(from_proto).filter(|arrival| *arrival < earliest);
    let arrival = request.check_in_date.or(Some(to_proto(tomorrow)));
    let v = &mut violations;
    if let Some(past) = past {
        v.add("check_in_date", format!("must be {earliest} or later; {past} is past everywhere"));
    }
    v.require("page_size", request.page_size >= 0, "must not be negative");
    let nights = match &request.check_out_date {
        Some(departure) => nights(v, ("check_in_date", arrival.as_ref()), ("check_out_date", Some(departure))),
        None => {
            let arrival = v.date("check_in_date", arrival.as_ref());
            arrival.and_then(|arrival| Nights::between(arrival, arrival.succ_opt()?).ok())
        }
    };
    let wanted = wanted(v, nights, Some(request.guests.as_ref().unwrap_or(&TWO_ADULTS)), request.room_count);
    let code = if request.currency_code.is_empty() { "KRW" } else { &request.currency_code };
    let currency = v.take("currency_code", code.parse::<Currency>());
    let region = match request.region {
        0 => Some(None),
        number => region(v, "region", number).map(Some),
    };
    let text = match &*request.text {
        "" => Some(None),
        text => v.text("text", text, 1, 100).map(|text| Some(fold(&text))),
    };
    let min_total = total(v, "min_total_price", request.min_total_price.as_ref(), currency);
    let max_total = total(v, "max_total_price", request.max_total_price.as_ref(), currency);
    let amenities = amenities(v, "amenities", &request.amenities);
    let min_rating = v.within("min_rating_hundredths", request.min_rating_hundredths, 0, 500);
    let near = match &request.near {
        Some(near) => point(v, "near", near).map(Some),
        None => Some(None),
    };
    let max_distance = match request.max_distance_meters {
        Some(meters) => v.within("max_distance_meters", meters, 1, 1_000_000).map(|meters| u32::try_from(meters).ok()),
        None => Some(None),
    };
    let order = order(v, request.order_by);
    let needs_near = order == Some(Order::Distance) || request.max_distance_meters.is_some();
    v.require("near", request.near.is_some() || !needs_near, "must be given with a distance or the order DISTANCE");
    let query = (|| {
        Some(Query {
            region: region?,
            text: text?,
            min_total: min_total?,
            max_total: max_total?,
            amenities: amenities?,
            min_rating: u16::try_from(min_rating?).ok()?,
            near: near?,
            max_distance: max_distance?,
            order: order?,
            ..Query::new(wanted?, currency?)
        })
    })();
    violations.finish(query)
}

/// A limit of the whole price, in the currency that is looked for.
fn total(
    violations: &mut Violations,
    field: &str,
    sent: Option<&yeyak_proto::yeyak::common::v1::Money>,
    currency: Option<Currency>,
) -> Option<Option<i64>> {
    let Some(sent) = sent else { return Some(None) };
    let amount = money(violations, field, sent, (0, i64::MAX))?;
    let same = currency.is_none_or(|currency| currency == amount.currency);
    violations.require(format!("{field}.currency_code"), same, "must be `currency_code`");
    same.then_some(Some(amount.minor))
}

fn order(violations: &mut Violations, number: i32) -> Option<Order> {
    choice(violations, "order_by", number, |order| {
        Some(match order {
            OrderBy::Unspecified | OrderBy::Relevance => Order::Relevance,
            OrderBy::Price => Order::Price,
            OrderBy::Rating => Order::Rating,
            OrderBy::Distance => Order::Distance,
        })
    })
}

pub(super) fn price(request: &pb::PriceStayRequest) -> Result<(RoomTypeId, Option<RatePlanId>, Wanted), Error> {
    let mut violations = Violations::new();
    let room_type = violations.id("room_type_id", &request.room_type_id);
    let plan = match &*request.rate_plan_id {
        "" => Some(None),
        id => violations.id("rate_plan_id", id).map(Some),
    };
    let check_in = ("check_in_date", request.check_in_date.as_ref());
    let nights = nights(&mut violations, check_in, ("check_out_date", request.check_out_date.as_ref()));
    let guests = Some(request.guests.as_ref().unwrap_or(&TWO_ADULTS));
    let wanted = wanted(&mut violations, nights, guests, request.room_count);
    let command = (|| Some((room_type?, plan?, wanted?)))();
    violations.finish(command)
}

pub(super) fn calendar(request: &pb::GetStayCalendarRequest) -> Result<(RoomTypeId, Nights), Error> {
    let mut violations = Violations::new();
    let room_type = violations.id("room_type_id", &request.room_type_id);
    let start = ("start_date", request.start_date.as_ref());
    let nights = nights(&mut violations, start, ("end_date", request.end_date.as_ref()));
    violations.finish(room_type.zip(nights))
}

impl From<&Details> for pb::PropertySummary {
    fn from(details: &Details) -> Self {
        Self {
            id: details.id.to_string(),
            name: details.name.clone(),
            name_en: details.name_en.clone(),
            region: region_number(details.region),
            address: details.address.clone(),
            location: Some(proto_point(details.location)),
            rating: Some(details.rating.into()),
            amenities: amenity_numbers(details.amenities),
            photo: details.photo.as_ref().map(|photo| proto_photo(0, photo)),
        }
    }
}

impl From<Hit> for pb::StayOffer {
    fn from(hit: Hit) -> Self {
        Self {
            property: Some(hit.listing.details().into()),
            room_type_id: hit.room().id.to_string(),
            room_type_name: hit.room().name.clone(),
            rate_plan_id: hit.plan().id.to_string(),
            rate_plan_name: hit.plan().name.clone(),
            free_room_count: hit.best.free,
            distance_meters: hit.meters.map(|meters| i32::try_from(meters).unwrap_or(i32::MAX)),
            price: Some(hit.price.into()),
        }
    }
}

impl From<StayPrice> for pb::StayPrice {
    fn from(price: StayPrice) -> Self {
        let night = |night: NightPrice| pb::NightPrice {
            date: Some(to_proto(night.date)),
            price: Some(night.price.into()),
            extra_guest_fee: Some(night.extra_guest_fee.into()),
        };
        Self { nights: price.nights.into_iter().map(night).collect(), total: Some(price.total.into()) }
    }
}

pub(super) fn plan_offer((priced, terms): (Priced, RefundTerms)) -> pb::PlanOffer {
    let (price, refusals) = match priced.price {
        Ok(price) => (Some(price.into()), Vec::new()),
        Err(refusals) => (None, refusals),
    };
    pb::PlanOffer {
        rate_plan_id: priced.plan.to_string(),
        rate_plan_name: priced.plan_name,
        price,
        refusals: refusals.into_iter().map(pb::StayRefusal::from).collect(),
        refund_tiers: terms.tiers.as_slice().iter().map(proto_tier).collect(),
        full_refund_until: terms.full_until.map(proto_time),
    }
}

impl From<Refusal> for pb::StayRefusal {
    fn from(refusal: Refusal) -> Self {
        let restriction = match refusal.restriction {
            Restriction::Closed => Wire::Closed,
            Restriction::ClosedToArrival => Wire::ClosedToArrival,
            Restriction::ClosedToDeparture => Wire::ClosedToDeparture,
            Restriction::MinStayArrival(_) => Wire::MinStayArrival,
            Restriction::MinStayThrough(_) => Wire::MinStayThrough,
            Restriction::MaxStay(_) => Wire::MaxStay,
            Restriction::NoPrice => Wire::NoPrice,
            Restriction::NoRooms(_) => Wire::NoRooms,
            Restriction::MinNights(_) => Wire::MinNights,
            Restriction::MaxNights(_) => Wire::MaxNights,
            Restriction::MinAdvance(_) => Wire::MinAdvance,
            Restriction::MaxAdvance(_) => Wire::MaxAdvance,
            Restriction::MaxOccupancy(_) => Wire::MaxOccupancy,
            Restriction::InThePast => Wire::InThePast,
        };
        Self {
            date: Some(to_proto(refusal.date)),
            restriction: restriction.into(),
            limit: i32::from(refusal.restriction.limit()),
            message: refusal.to_string(),
        }
    }
}

impl From<Night> for pb::StayNight {
    fn from(night: Night) -> Self {
        let limit = |limit: Option<NonZeroU16>| limit.map_or(0, |limit| i32::from(limit.get()));
        Self {
            date: Some(to_proto(night.date)),
            free_room_count: night.free,
            lowest_price: night.lowest.map(|lowest: Money| lowest.into()),
            closed_to_arrival: night.restrictions.closed_to_arrival,
            closed_to_departure: night.restrictions.closed_to_departure,
            min_stay_arrival: limit(night.restrictions.min_stay_arrival),
            min_stay_through: limit(night.restrictions.min_stay_through),
            max_stay: limit(night.restrictions.max_stay),
        }
    }
}
