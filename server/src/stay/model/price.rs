//! What a stay costs: every night at its own price, and the guests beyond those that it includes.

use std::convert::Infallible;
use std::num::NonZeroU64;
use std::ops::ControlFlow;

use super::{Occupancy, Refusal, Restrictions, StayLimits, Wanted, check};
use crate::kit::date::Date;
use crate::kit::money::{Currency, Money};

/// What one room or one extra guest costs a night, in minor units: 1 to 10^12, so that no stay overflows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rate(NonZeroU64);

/// An amount that is no price of a night.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be 1 to {} minor units", Rate::LIMIT)]
pub struct NotARate;

impl Rate {
    /// The highest price.
    pub const LIMIT: u64 = 1_000_000_000_000;

    /// A price in minor units.
    pub fn new(minor: i64) -> Result<Self, NotARate> {
        let minor = u64::try_from(minor).ok().filter(|minor| *minor <= Self::LIMIT);
        minor.and_then(NonZeroU64::new).map(Self).ok_or(NotARate)
    }

    /// In minor units.
    pub fn minor(self) -> i64 {
        self.0.get().cast_signed()
    }
}

/// One night of a room type under one rate plan.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NightRate {
    /// The price of one room; none when the night is not sold under the plan.
    pub price: Option<Rate>,
    /// How many rooms are free; `i32::MAX` where the caller counts them otherwise.
    pub free: i32,
    /// What the calendar allows.
    pub restrictions: Restrictions,
}

/// What holds for all nights of a room type under a rate plan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offer {
    /// The currency of the property.
    pub currency: Currency,
    /// The guests that a room takes.
    pub occupancy: Occupancy,
    /// The stays that the plan is for.
    pub limits: StayLimits,
}

/// What a stay costs, for all rooms together. The nights add up to the total.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StayPrice {
    /// One for each night, in order.
    pub nights: Vec<NightPrice>,
    /// Their sum.
    pub total: Money,
}

/// What one night costs, for all rooms together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NightPrice {
    /// The date on which the night begins.
    pub date: Date,
    /// The rooms.
    pub price: Money,
    /// The guests beyond those in the price.
    pub extra_guest_fee: Money,
}

/// Prices a stay, or gives every reason why it can't be had, in order of date.
///
/// `nights` begins on the check-in date and ends *with* the check-out date, whose departure is checked too. A night that is
/// missing has no price and no rooms; a missing check-out date does not refuse. `today` is the date at the property.
pub fn price_stay(
    wanted: &Wanted,
    offer: &Offer,
    nights: &[NightRate],
    today: Date,
) -> Result<StayPrice, Vec<Refusal>> {
    let night = |offset: u16| nights.get(usize::from(offset)).copied().unwrap_or_default();
    let mut refusals = Vec::new();
    let checked = check(wanted, offer, today, night, |refusal| {
        refusals.push(refusal);
        ControlFlow::<Infallible>::Continue(())
    });
    let ControlFlow::Continue(()) = checked;
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let fee = extra_fee(wanted, offer);
    let prices = nights.iter().filter_map(|night| night.price);
    let nights: Vec<_> = wanted
        .nights()
        .dates()
        .zip(prices)
        .map(|(date, price)| NightPrice {
            date,
            price: Money::new(offer.currency, price.minor() * i64::from(wanted.rooms())),
            extra_guest_fee: Money::new(offer.currency, fee),
        })
        .collect();
    let total = nights.iter().map(|night| night.price.minor + night.extra_guest_fee.minor).sum();
    Ok(StayPrice { nights, total: Money::new(offer.currency, total) })
}

/// The total of the price that [`price_stay`] would give, or nothing when it would refuse: for searching, which looks at
/// hundreds of offers to show one.
#[inline]
pub(in crate::stay) fn total(
    wanted: &Wanted,
    offer: &Offer,
    today: Date,
    night: impl Fn(u16) -> NightRate,
) -> Option<i64> {
    if check(wanted, offer, today, &night, |_| ControlFlow::Break(())).is_break() {
        return None;
    }
    let count = wanted.nights().count();
    let rooms: i64 = (0..count).filter_map(|offset| night(offset).price).map(Rate::minor).sum();
    Some(rooms * i64::from(wanted.rooms()) + extra_fee(wanted, offer) * i64::from(count))
}

/// What the guests beyond the price cost a night.
fn extra_fee(wanted: &Wanted, offer: &Offer) -> i64 {
    let fee = offer.occupancy.extra_guest_fee().map_or(0, Rate::minor);
    fee * i64::from(offer.occupancy.extra_guests(wanted))
}

#[cfg(test)]
mod tests;
