//! The nights of a room type as its seller set them.

use super::month::{NightRules, month_of};
use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::date::Date;
use crate::kit::money::Money;
use crate::kit::page::Page;
use crate::stay::model::{RatePlanId, RoomTypeId};
use crate::stay::{Stays, store};

/// What is set for one night.
#[derive(Clone, Debug)]
pub(super) struct CalendarNight {
    pub(super) date: Date,
    pub(super) prices: Vec<(RatePlanId, Money)>,
    pub(super) rules: NightRules,
    /// How many rooms are for sale.
    pub(super) room_count: u32,
}

impl Stays {
    /// The nights of a room type from a date up to, and without, another; also those that were never set.
    pub(super) async fn calendar_nights(
        &self,
        seller: &Seller,
        room_type: RoomTypeId,
        (start, end): (Date, Date),
        page: &Page<Date>,
    ) -> Result<(Vec<CalendarNight>, String), Error> {
        let room_type = self.own_room_type(seller, room_type).await?;
        let start = page.after.and_then(|after| after.succ_opt()).map_or(start, |next| next.max(start));
        let dates: Vec<_> = start.iter_days().take_while(|date| *date < end).take(page.limit() + 1).collect();
        let Some((first, last)) = dates.first().zip(dates.last()) else { return Ok((Vec::new(), String::new())) };
        let (conn, months) = (self.kit.db.read(), (month_of(*first), month_of(*last)));
        let plans = store::rate_plan::ids(conn, room_type.id).await?;
        let prices = store::calendar::prices(conn, &plans, months).await?;
        let rules = store::calendar::rules(conn, room_type.id, months).await?;
        let night = |date: Date| {
            let month = month_of(date);
            let rules: NightRules = rules.get(&month).map(|month| month.day(date)).unwrap_or_default();
            let price = |plan: &RatePlanId| {
                let rate = prices.get(&(*plan, month))?.day(date)?;
                Some((*plan, Money::new(room_type.currency, rate.minor())))
            };
            let room_count = rules.room_count.map_or(room_type.about.room_count, u32::from);
            CalendarNight { date, prices: plans.iter().filter_map(price).collect(), rules, room_count }
        };
        let nights = dates.into_iter().map(night).collect();
        Ok(page.cut(&self.kit.keys, nights, |night: &CalendarNight| night.date))
    }
}
