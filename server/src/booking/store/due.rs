//! Bookings about which time has decided what their rows do not say yet.

use chrono::{TimeDelta, Timelike};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ConnectionTrait, ExprTrait, QueryOrder, QuerySelect};

use crate::booking::entity::booking;
use crate::booking::model::State;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::{Date, Tz, days_before, local_date};
use crate::kit::id::BookingId;

/// Bookings whose time is over and whose state does not say so yet, the oldest first.
pub(in crate::booking) async fn overdue(
    conn: &impl ConnectionTrait,
    now: Time,
    limit: u64,
) -> Result<Vec<BookingId>, Error> {
    let overdue = booking::Entity::find()
        .filter(booking::Column::State.is_in([State::Held.name(), State::Requested.name()]))
        .filter(booking::Column::ExpireTime.lte(now))
        .order_by_asc(booking::Column::ExpireTime)
        .limit(limit);
    ids(conn, overdue).await
}

async fn ids(conn: &impl ConnectionTrait, bookings: Select<booking::Entity>) -> Result<Vec<BookingId>, Error> {
    let ids = bookings.select_only().column(booking::Column::Id).into_tuple::<Uuid>().all(conn).await?;
    Ok(ids.into_iter().map(BookingId).collect())
}

/// Stays that are over and whose state does not say so yet: from noon of the last day, wherever they are.
pub(in crate::booking) async fn departed(
    conn: &impl ConnectionTrait,
    now: Time,
    limit: u64,
) -> Result<Vec<BookingId>, Error> {
    let states = [State::Confirmed.name(), State::InUse.name()];
    let used = booking::Entity::find().filter(booking::Column::State.is_in(states));
    over(conn, used, now, limit, |zone| {
        let today = local_date(zone, now);
        if now.with_timezone(&zone).hour() >= 12 { today } else { days_before(today, 1) }
    })
    .await
}

/// No-shows whose last day has come, wherever they are, and of which what is kept, and what the platform pays of coupons and points,
/// is not the seller's yet.
pub(in crate::booking) async fn missed(
    conn: &impl ConnectionTrait,
    now: Time,
    limit: u64,
) -> Result<Vec<BookingId>, Error> {
    // In its words, which are those of the index.
    let missed = booking::Entity::find().filter(Expr::cust("state = 'NO_SHOW' AND NOT settled"));
    over(conn, missed, now, limit, |zone| local_date(zone, now)).await
}

/// Those of some bookings whose last day has come by the calendar of their place, the oldest first.
async fn over(
    conn: &impl ConnectionTrait,
    bookings: Select<booking::Entity>,
    now: Time,
    limit: u64,
    last_date: impl Fn(Tz) -> Date,
) -> Result<Vec<BookingId>, Error> {
    use booking::Column;
    // The day may have come already in the east of the world.
    let bookings = bookings.filter(Column::LastDate.lte(local_date(Tz::UTC, now + TimeDelta::hours(14))));
    let zones = bookings.clone().select_only().column(Column::TimeZone).distinct();
    let mut over = Condition::any();
    for name in zones.into_tuple::<String>().all(conn).await? {
        match name.parse() {
            Ok(zone) => over = over.add(Column::TimeZone.eq(name).and(Column::LastDate.lte(last_date(zone)))),
            // Whoever is there keeps nobody waiting who is elsewhere.
            Err(_) => tracing::error!("a booking is at {name}, which is no time zone"),
        }
    }
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let bookings = bookings.filter(over).order_by_asc(Column::LastDate).order_by_asc(Column::Id);
    ids(conn, bookings.limit(limit)).await
}
