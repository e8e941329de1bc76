//! One room type: the price of a stay under each of its plans, and its nights one by one.

use super::{Availability, Index};
use crate::kit::clock::Time;
use crate::kit::date::{Date, Nights, local_date};
use crate::kit::money::Money;
use crate::stay::model::{
    CancellationPolicy, RatePlanId, Refusal, Restrictions, RoomTypeId, StayPrice, Wanted, price_stay,
};

/// A stay under one rate plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Priced {
    /// Which rate plan.
    pub plan: RatePlanId,
    /// Its name.
    pub plan_name: String,
    /// What the stay costs, or every reason why it can't be had.
    pub price: Result<StayPrice, Vec<Refusal>>,
    /// What it gives back.
    pub policy: CancellationPolicy,
}

/// What a guest should know of one night.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Night {
    /// The date on which it begins.
    pub date: Date,
    /// How many rooms are free; 0 when the night can't be had.
    pub free: i32,
    /// The lowest price of one room, over the open rate plans.
    pub lowest: Option<Money>,
    /// What the calendar allows.
    pub restrictions: Restrictions,
}

impl Index {
    /// Prices a stay under one plan of a room type or all of them, the cheapest first and the refused ones last. Nothing when
    /// the room type or the plan is not for sale.
    pub fn price(
        &self,
        room_type: RoomTypeId,
        plan: Option<RatePlanId>,
        wanted: &Wanted,
        availability: &dyn Availability,
        now: Time,
    ) -> Option<Vec<Priced>> {
        let (listing, at) = self.room_type(room_type)?;
        let (room, nights) = (&listing.rooms()[at], wanted.nights());
        let (day, today) = (listing.day(nights.check_in()), local_date(listing.details().zone, now));
        let mut free = vec![0; usize::from(nights.count())];
        availability.free(room_type, room.room_count, nights, &mut free);
        // No room need be free on the check-out date.
        free.push(0);
        let asked = |id: RatePlanId| plan.is_none_or(|plan| plan == id);
        let mut priced = Vec::new();
        for plan in room.plans.iter().filter(|plan| asked(plan.id)) {
            let rates: Vec<_> = (0..).zip(&free).map(|(offset, free)| room.night(plan, day, offset, *free)).collect();
            let price = price_stay(wanted, &listing.offer(room, plan), &rates, today);
            let (plan_name, policy) = (plan.name.clone(), plan.policy.clone());
            priced.push(Priced { plan: plan.id, plan_name, price, policy });
        }
        if plan.is_some() && priced.is_empty() {
            return None;
        }
        priced.sort_by_key(|priced| priced.price.as_ref().map_or(i64::MAX, |price| price.total.minor));
        Some(priced)
    }

    /// The nights of a room type, for a guest to choose from. Nothing when it is not for sale.
    pub fn nights(
        &self,
        room_type: RoomTypeId,
        nights: Nights,
        availability: &dyn Availability,
        now: Time,
    ) -> Option<Vec<Night>> {
        let (listing, at) = self.room_type(room_type)?;
        let (room, currency) = (&listing.rooms()[at], listing.details().currency);
        let (day, today) = (listing.day(nights.check_in()), local_date(listing.details().zone, now));
        let mut free = vec![0; usize::from(nights.count())];
        availability.free(room_type, room.room_count, nights, &mut free);
        let night = |(offset, date, free): (u16, Date, i32)| {
            let restrictions = room.restrictions(day, offset);
            let lowest = room.lowest_price(day, offset).map(|rate| Money::new(currency, rate.minor()));
            let sold = date >= today && !restrictions.closed && lowest.is_some();
            Night { date, free: if sold { free.max(0) } else { 0 }, lowest, restrictions }
        };
        Some((0..).zip(nights.dates()).zip(free).map(|((offset, date), free)| night((offset, date, free))).collect())
    }
}
