//! Requests to commands, and nights to answers.

use std::num::NonZeroU16;

use chrono::{Datelike, Days, Weekday};
use yeyak_proto::yeyak::common::v1 as common;
use yeyak_proto::yeyak::stay::v1 as pb;

use super::HORIZON_DAYS;
use super::read::CalendarNight;
use super::update::{PlanPrice, RulesEdit, UpdateCalendar};
use crate::error::Error;
use crate::kit::date::{Date, Nights, to_proto};
use crate::kit::idempotency::RequestKey;
use crate::kit::violation::Violations;
use crate::stay::convert::{distinct, money};
use crate::stay::model::{Rate, RoomTypeId};

/// The longest range of one call.
const LONGEST: i64 = 731;
/// How many days ago a night may be that is set.
const BACK_DAYS: u64 = 366;

pub(super) fn update(request: &pb::UpdateCalendarRequest, today: Date) -> Result<(UpdateCalendar, RequestKey), Error> {
    let mut violations = Violations::new();
    let v = &mut violations;
    let key = RequestKey::of(request, v);
    let room_type = v.id("room_type_id", &request.room_type_id);
    let range = range(v, request.start_date.as_ref(), request.end_date.as_ref());
    if let Some((start, end)) = range {
        v.require("start_date", start + Days::new(BACK_DAYS) >= today, "must be at most 366 days ago");
        v.require("end_date", end <= today + Days::new(HORIZON_DAYS), "must be at most 1,461 days ahead");
    }
    let weekdays = weekdays(v, &request.weekdays);
    v.require("prices", request.prices.len() <= 50, "must be at most 50 prices");
    let prices: Option<Vec<_>> =
        (0..).zip(request.prices.iter().take(50)).map(|(at, sent)| price(v, at, sent)).collect();
    for (at, sent) in request.prices.iter().take(50).enumerate() {
        let again = request.prices[..at].iter().any(|other| other.rate_plan_id == sent.rate_plan_id);
        v.require(format!("prices[{at}].rate_plan_id"), !again, "must stand there once");
    }
    let rules = rules(v, request);
    let anything = !request.prices.is_empty() || rules.is_none_or(|rules| !rules.is_empty());
    v.require("prices", anything, "must be given, or another field to set");
    let command = (|| {
        let (start, end) = range?;
        let weekdays = weekdays?;
        let chosen = |date: &Date| weekdays.is_empty() || weekdays.contains(&date.weekday());
        let dates = start.iter_days().take_while(|date| *date < end).filter(chosen).collect();
        Some((UpdateCalendar { room_type: room_type?, dates, prices: prices?, rules: rules? }, key))
    })();
    violations.finish(command)
}

/// Dates of which the first is before the last, and not too far.
fn range(
    violations: &mut Violations,
    start: Option<&common::Date>,
    end: Option<&common::Date>,
) -> Option<(Date, Date)> {
    let start = violations.date("start_date", start);
    let end = violations.date("end_date", end);
    let (start, end) = start.zip(end)?;
    let fits = (1..=LONGEST).contains(&(end - start).num_days());
    violations.require("end_date", fits, "must be 1 to 731 days after the start date");
    fits.then_some((start, end))
}

fn weekdays(violations: &mut Violations, numbers: &[i32]) -> Option<Vec<Weekday>> {
    let weekday = |number| {
        let day = u8::try_from(number).ok()?.checked_sub(1)?;
        Weekday::try_from(day).ok()
    };
    distinct(violations, "weekdays", numbers, ("a day of the week", 7), weekday)
}

fn price(violations: &mut Violations, at: usize, sent: &pb::RatePlanPrice) -> Option<PlanPrice> {
    let plan = violations.id(format!("prices[{at}].rate_plan_id"), &sent.rate_plan_id);
    let price = match &sent.price {
        Some(price) => {
            let money = money(violations, &format!("prices[{at}].price"), price, (1, Rate::LIMIT.cast_signed()));
            let priced = money.and_then(|money| Some((Rate::new(money.minor).ok()?, money)));
            Some(priced?)
        }
        None => None,
    };
    plan.map(|plan| PlanPrice { plan, price })
}

fn rules(violations: &mut Violations, request: &pb::UpdateCalendarRequest) -> Option<RulesEdit> {
    let mut stay = |field, nights: Option<i32>| match nights {
        Some(nights) => {
            let nights = violations.within(field, nights, 0, i32::from(Nights::LIMIT))?;
            Some(Some(NonZeroU16::new(u16::try_from(nights).ok()?)))
        }
        None => Some(None),
    };
    let min_stay_arrival = stay("min_stay_arrival", request.min_stay_arrival);
    let min_stay_through = stay("min_stay_through", request.min_stay_through);
    let max_stay = stay("max_stay", request.max_stay);
    let room_count = match request.room_count {
        Some(rooms) => violations.within("room_count", rooms, 0, 10_000).map(|rooms| u16::try_from(rooms).ok()),
        None => Some(None),
    };
    Some(RulesEdit {
        closed: request.closed,
        closed_to_arrival: request.closed_to_arrival,
        closed_to_departure: request.closed_to_departure,
        min_stay_arrival: min_stay_arrival?,
        min_stay_through: min_stay_through?,
        max_stay: max_stay?,
        room_count: room_count?,
    })
}

/// The room type and the dates of a list.
pub(super) fn list(request: &pb::ListCalendarNightsRequest) -> Result<(RoomTypeId, (Date, Date)), Error> {
    let mut violations = Violations::new();
    let room_type = violations.id("room_type_id", &request.room_type_id);
    let range = range(&mut violations, request.start_date.as_ref(), request.end_date.as_ref());
    violations.require("page_size", request.page_size >= 0, "must not be negative");
    violations.finish(room_type.zip(range))
}

impl From<CalendarNight> for pb::CalendarNight {
    fn from(night: CalendarNight) -> Self {
        let restrictions = night.rules.restrictions;
        let limit = |limit: Option<NonZeroU16>| limit.map_or(0, |limit| i32::from(limit.get()));
        let price = |(plan, money): (crate::stay::RatePlanId, crate::kit::money::Money)| pb::RatePlanPrice {
            rate_plan_id: plan.to_string(),
            price: Some(money.into()),
        };
        Self {
            date: Some(to_proto(night.date)),
            prices: night.prices.into_iter().map(price).collect(),
            closed: restrictions.closed,
            closed_to_arrival: restrictions.closed_to_arrival,
            closed_to_departure: restrictions.closed_to_departure,
            min_stay_arrival: limit(restrictions.min_stay_arrival),
            min_stay_through: limit(restrictions.min_stay_through),
            max_stay: limit(restrictions.max_stay),
            room_count: i32::try_from(night.room_count).unwrap_or(i32::MAX),
        }
    }
}
