//! Putting many properties in at once, with all that is below them: for demonstrations, imports and benches.

use std::collections::HashMap;

use super::calendar::month::{Cell, Month, NightRules, month_of};
use super::model::{Property, Rate, RatePlan, Restrictions, RoomType};
use super::{Part, Stays, store};
use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::date::Date;

/// How many properties one transaction puts in.
const CHUNK: usize = 50;

/// A property with all that is below it.
#[derive(Clone, Debug)]
pub struct NewProperty {
    /// The property.
    pub property: Property,
    /// Its room types.
    pub rooms: Vec<NewRoom>,
}

/// A room type with its nights.
#[derive(Clone, Debug)]
pub struct NewRoom {
    /// The room type.
    pub room_type: RoomType,
    /// What the calendar allows, from the first date on.
    pub restrictions: Vec<Restrictions>,
    /// Its rate plans.
    pub plans: Vec<NewPlan>,
}

/// A rate plan with its prices.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// The rate plan.
    pub plan: RatePlan,
    /// The price of each night, from the first date on.
    pub prices: Vec<Option<Rate>>,
}

impl Stays {
    /// Puts properties of a seller in, in few transactions; `done` hears how many more are in. Their calendars begin with the
    /// night of `first`.
    pub async fn put_in(
        &self,
        seller: &Seller,
        properties: &[NewProperty],
        first: Date,
        mut done: impl FnMut(usize),
    ) -> Result<(), Error> {
        for chunk in properties.chunks(CHUNK) {
            self.put_chunk(seller, chunk, first).await?;
            done(chunk.len());
        }
        Ok(())
    }

    async fn put_chunk(&self, seller: &Seller, chunk: &[NewProperty], first: Date) -> Result<(), Error> {
        let properties: Vec<_> = chunk.iter().map(|new| new.property.clone()).collect();
        let rooms: Vec<_> = chunk.iter().flat_map(|new| &new.rooms).collect();
        let room_types: Vec<_> = rooms.iter().map(|room| room.room_type.clone()).collect();
        let plans: Vec<_> = rooms.iter().flat_map(|room| &room.plans).collect();
        let rate_plans: Vec<_> = plans.iter().map(|plan| plan.plan.clone()).collect();
        let rule = |restrictions: &Restrictions| NightRules { restrictions: *restrictions, room_count: None };
        let rules: Vec<_> = rooms
            .iter()
            .flat_map(|room| {
                let months = by_month(first, room.restrictions.iter().map(rule));
                months.into_iter().map(|(month, rules)| (room.room_type.id, month, rules))
            })
            .collect();
        let prices: Vec<_> = plans
            .iter()
            .flat_map(|plan| {
                let months = by_month(first, plan.prices.iter().copied());
                months.into_iter().map(|(month, prices)| (plan.plan.id, month, prices))
            })
            .collect();
        self.kit
            .db
            .write(async |tx| {
                store::property::insert_many(&tx, &properties).await?;
                store::room_type::insert_many(&tx, &room_types).await?;
                store::rate_plan::insert_many(&tx, &rate_plans).await?;
                store::calendar::put_rules(&tx, rules.iter().copied()).await?;
                store::calendar::put_prices(&tx, prices.iter().copied()).await?;
                for property in &properties {
                    self.announce(&tx, seller, property, Part::Property);
                }
                Ok(())
            })
            .await
    }
}

/// Nights in a row by month; months in which nothing is set are left out.
fn by_month<C: Cell>(first: Date, nights: impl Iterator<Item = C>) -> Vec<(Date, Month<C>)> {
    let mut months: HashMap<Date, Month<C>> = HashMap::new();
    for (date, cell) in first.iter_days().zip(nights).filter(|(_, cell)| *cell != C::default()) {
        *months.entry(month_of(date)).or_default().day_mut(date) = cell;
    }
    months.into_iter().collect()
}
