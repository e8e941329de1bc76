//! Setting nights of a room type, all or none.

use std::num::NonZeroU16;

use super::month::{Month, NightRules, month_of};
use crate::error::{Error, NotFound};
use crate::kit::caller::Seller;
use crate::kit::date::Date;
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::stay::model::{Rate, RatePlanId, RoomType, RoomTypeId};
use crate::stay::{Part, StayError, Stays, store};

/// Asks for nights to be set.
#[derive(Clone, Debug)]
pub(super) struct UpdateCalendar {
    pub(super) room_type: RoomTypeId,
    /// In order.
    pub(super) dates: Vec<Date>,
    pub(super) prices: Vec<PlanPrice>,
    pub(super) rules: RulesEdit,
}

/// The price of the nights under a plan; none takes it away.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlanPrice {
    pub(super) plan: RatePlanId,
    pub(super) price: Option<(Rate, Money)>,
}

/// What to set of the rules of nights; what is absent stays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RulesEdit {
    pub(super) closed: Option<bool>,
    pub(super) closed_to_arrival: Option<bool>,
    pub(super) closed_to_departure: Option<bool>,
    pub(super) min_stay_arrival: Option<Option<NonZeroU16>>,
    pub(super) min_stay_through: Option<Option<NonZeroU16>>,
    pub(super) max_stay: Option<Option<NonZeroU16>>,
    pub(super) room_count: Option<u16>,
}

impl RulesEdit {
    fn apply(&self, rules: &mut NightRules) {
        let restrictions = &mut rules.restrictions;
        restrictions.closed = self.closed.unwrap_or(restrictions.closed);
        restrictions.closed_to_arrival = self.closed_to_arrival.unwrap_or(restrictions.closed_to_arrival);
        restrictions.closed_to_departure = self.closed_to_departure.unwrap_or(restrictions.closed_to_departure);
        restrictions.min_stay_arrival = self.min_stay_arrival.unwrap_or(restrictions.min_stay_arrival);
        restrictions.min_stay_through = self.min_stay_through.unwrap_or(restrictions.min_stay_through);
        restrictions.max_stay = self.max_stay.unwrap_or(restrictions.max_stay);
        rules.room_count = self.room_count.or(rules.room_count);
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self { closed, closed_to_arrival, closed_to_departure, .. } = self;
        let flags = closed.or(*closed_to_arrival).or(*closed_to_departure).is_some();
        let limits = self.min_stay_arrival.or(self.min_stay_through).or(self.max_stay).is_some();
        !flags && !limits && self.room_count.is_none()
    }
}

impl Stays {
    /// Sets nights, all or none; how many.
    pub(super) async fn update_calendar(
        &self,
        seller: &Seller,
        command: &UpdateCalendar,
        key: &RequestKey,
    ) -> Result<Reply<usize>, Error> {
        let count = command.dates.len();
        let load = async |_| Ok(count);
        self.kit
            .requests
            .once(seller.id.0, "UpdateCalendar", key, load, async |record| {
                self.making_way(async || self.set_nights(seller, command, &record).await).await?;
                Ok(count)
            })
            .await
    }

    async fn set_nights(&self, seller: &Seller, command: &UpdateCalendar, record: &Record) -> Result<(), Error> {
        self.kit
            .db
            .write(async |tx| {
                let room_type = self.touch_room_type(&tx, seller, command.room_type, Part::Calendar).await?;
                set_prices(&tx, &room_type, command).await?;
                set_rules(&tx, command).await?;
                if let Some(rooms) = command.rules.room_count {
                    self.rooms.set_rooms(&tx, room_type.id, &command.dates, u32::from(rooms)).await?;
                }
                record.put(&tx, room_type.id.0).await
            })
            .await
    }
}

/// The first and the last month of dates that are in order.
fn span(dates: &[Date]) -> Option<(Date, Date)> {
    dates.first().zip(dates.last()).map(|(first, last)| (month_of(*first), month_of(*last)))
}

async fn set_prices(tx: &Tx, room_type: &RoomType, command: &UpdateCalendar) -> Result<(), Error> {
    let plans = store::rate_plan::ids(&**tx, room_type.id).await?;
    for (at, PlanPrice { plan, price }) in command.prices.iter().enumerate() {
        if !plans.contains(plan) {
            return Err(NotFound::new("rate_plan", plan).into());
        }
        if let Some((_, money)) = price.filter(|(_, money)| money.currency != room_type.currency) {
            let (field, expected) = (format!("prices[{at}].price"), room_type.currency);
            return Err(StayError::CurrencyMismatch { field, expected, given: money.currency }.into());
        }
    }
    let Some(months) = span(&command.dates) else { return Ok(()) };
    let ids: Vec<_> = command.prices.iter().map(|price| price.plan).collect();
    let mut known = store::calendar::prices(&**tx, &ids, months).await?;
    for PlanPrice { plan, price } in &command.prices {
        for date in &command.dates {
            let month = known.entry((*plan, month_of(*date))).or_insert_with(Month::default);
            *month.day_mut(*date) = price.map(|(rate, _)| rate);
        }
    }
    store::calendar::put_prices(tx, known.into_iter().map(|((plan, month), prices)| (plan, month, prices))).await
}

async fn set_rules(tx: &Tx, command: &UpdateCalendar) -> Result<(), Error> {
    let Some(months) = span(&command.dates).filter(|_| !command.rules.is_empty()) else { return Ok(()) };
    let mut known = store::calendar::rules(&**tx, command.room_type, months).await?;
    for date in &command.dates {
        command.rules.apply(known.entry(month_of(*date)).or_default().day_mut(*date));
    }
    store::calendar::put_rules(tx, known.into_iter().map(|(month, rules)| (command.room_type, month, rules))).await
}
