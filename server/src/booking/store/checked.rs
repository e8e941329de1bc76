//! What the check looks at.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, ExprTrait, QueryOrder, QuerySelect};

use super::with_lines;
use crate::booking::entity::{booking, event};
use crate::booking::model::Booking;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::id::BookingId;

/// A slice of all bookings in the order of their ids, for the check.
pub(in crate::booking) async fn slice(
    conn: &impl ConnectionTrait,
    kit: &Kit,
    after: Option<BookingId>,
    limit: u64,
) -> Result<Vec<Booking>, Error> {
    let mut found = booking::Entity::find().order_by_asc(booking::Column::Id).limit(limit);
    if let Some(after) = after {
        found = found.filter(booking::Column::Id.gt(after.0));
    }
    with_lines(conn, kit, found.all(conn).await?).await
}

/// How many events each booking of a slice has: one for each version.
pub(in crate::booking) async fn event_counts(
    conn: &impl ConnectionTrait,
    bookings: &[Booking],
) -> Result<HashMap<BookingId, i64>, Error> {
    let counts: Vec<(Uuid, i64)> = event::Entity::find()
        .select_only()
        .column(event::Column::BookingId)
        .column_as(Expr::col(event::Column::Version).count(), "count")
        .filter(event::Column::BookingId.is_in(bookings.iter().map(|booking| booking.id.0)))
        .group_by(event::Column::BookingId)
        .into_tuple()
        .all(conn)
        .await?;
    Ok(counts.into_iter().map(|(id, count)| (BookingId(id), count)).collect())
}
