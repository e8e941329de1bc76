//! The months of the calendar.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait, QuerySelect};

use super::unreadable;
use crate::error::Error;
use crate::kit::date::Date;
use crate::kit::tx::Tx;
use crate::stay::calendar::month::{Month, NightRules};
use crate::stay::entity::{rate_month, room_month};
use crate::stay::model::{Rate, RatePlanId, RoomTypeId};

pub(in crate::stay) type Prices = Month<Option<Rate>>;
pub(in crate::stay) type Rules = Month<NightRules>;

/// Rows of at most three values are written so many at once: SQLite binds 32,766 values a statement.
const CHUNK: usize = 5_000;

/// The months of a room type from one to another, both included.
pub(in crate::stay) async fn rules(
    conn: &impl ConnectionTrait,
    room_type: RoomTypeId,
    months: (Date, Date),
) -> Result<HashMap<Date, Rules>, Error> {
    let rows = room_month::Entity::find()
        .filter(room_month::Column::RoomTypeId.eq(room_type.0))
        .filter(room_month::Column::Month.between(months.0, months.1));
    let rows = rows.all(conn).await?.into_iter();
    rows.map(|row| Ok((row.month, Month::read(&row.nights).ok_or_else(|| unreadable("room_month.nights"))?))).collect()
}

/// The months of rate plans from one to another, both included.
pub(in crate::stay) async fn prices(
    conn: &impl ConnectionTrait,
    plans: &[RatePlanId],
    months: (Date, Date),
) -> Result<HashMap<(RatePlanId, Date), Prices>, Error> {
    let rows = rate_month::Entity::find()
        .filter(rate_month::Column::RatePlanId.is_in(plans.iter().map(|id| id.0)))
        .filter(rate_month::Column::Month.between(months.0, months.1));
    let read = |row: rate_month::Model| {
        let prices = Month::read(&row.prices).ok_or_else(|| unreadable("rate_month.prices"))?;
        Ok(((RatePlanId(row.rate_plan_id), row.month), prices))
    };
    rows.all(conn).await?.into_iter().map(read).collect()
}

/// Writes months of room types, in the place of what was there.
pub(in crate::stay) async fn put_rules(
    tx: &Tx,
    months: impl IntoIterator<Item = (RoomTypeId, Date, Rules)>,
) -> Result<(), Error> {
    let rows: Vec<_> = months
        .into_iter()
        .map(|(room_type, month, rules)| room_month::ActiveModel {
            room_type_id: ActiveValue::Set(room_type.0),
            month: ActiveValue::Set(month),
            nights: ActiveValue::Set(rules.write()),
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        let mut replace = OnConflict::columns([room_month::Column::RoomTypeId, room_month::Column::Month]);
        replace.update_column(room_month::Column::Nights);
        room_month::Entity::insert_many(chunk.to_vec()).on_conflict(replace).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// Writes months of rate plans, in the place of what was there.
pub(in crate::stay) async fn put_prices(
    tx: &Tx,
    months: impl IntoIterator<Item = (RatePlanId, Date, Prices)>,
) -> Result<(), Error> {
    let rows: Vec<_> = months
        .into_iter()
        .map(|(plan, month, prices)| rate_month::ActiveModel {
            rate_plan_id: ActiveValue::Set(plan.0),
            month: ActiveValue::Set(month),
            prices: ActiveValue::Set(prices.write()),
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        let mut replace = OnConflict::columns([rate_month::Column::RatePlanId, rate_month::Column::Month]);
        replace.update_column(rate_month::Column::Prices);
        rate_month::Entity::insert_many(chunk.to_vec()).on_conflict(replace).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// A month as a row has it: whose it is, its first day, and its nights.
pub(in crate::stay) type Row = (Uuid, Date, String);

/// The months of rate plans between two, the last included, unread; of all plans when none are named.
pub(in crate::stay) async fn price_rows(
    conn: &impl ConnectionTrait,
    plans: Option<&[Uuid]>,
    months: (Date, Date),
) -> Result<Vec<Row>, Error> {
    use rate_month::Column;
    let mut rows = rate_month::Entity::find()
        .select_only()
        .columns([Column::RatePlanId, Column::Month, Column::Prices])
        .filter(Column::Month.between(months.0, months.1));
    if let Some(plans) = plans {
        rows = rows.filter(Column::RatePlanId.is_in(plans.iter().copied()));
    }
    Ok(rows.into_tuple().all(conn).await?)
}

/// The months of room types between two, the last included, unread; of all room types when none are named.
pub(in crate::stay) async fn rule_rows(
    conn: &impl ConnectionTrait,
    room_types: Option<&[Uuid]>,
    months: (Date, Date),
) -> Result<Vec<Row>, Error> {
    use room_month::Column;
    let mut rows = room_month::Entity::find()
        .select_only()
        .columns([Column::RoomTypeId, Column::Month, Column::Nights])
        .filter(Column::Month.between(months.0, months.1));
    if let Some(room_types) = room_types {
        rows = rows.filter(Column::RoomTypeId.is_in(room_types.iter().copied()));
    }
    Ok(rows.into_tuple().all(conn).await?)
}
