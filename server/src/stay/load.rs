//! Reading listings out of the tables: all of them at the start, some when they changed.

use std::collections::HashMap;

use chrono::Days;
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::calendar::HORIZON_DAYS;
use super::calendar::month::{Cell, NightRules, cells, month_of};
use super::entity::{property, rate_plan, room_type};
use super::index::{Details, Listing, Plan, Room};
use super::model::{Amenities, Photo, PropertyId, Rate, RatePlanId, RoomTypeId};
use super::store;
use super::store::calendar::Row;
use super::store::property::{LISTED, REQUEST};
use super::store::room_type::OPEN;
use crate::error::Error;
use crate::kit::date::Date;
use crate::kit::id::MemberId;

/// How many properties are read with one statement.
const CHUNK: usize = 25;

/// What was read of a property.
pub(super) enum Loaded {
    /// It is for sale.
    Listed(Box<Listing>),
    /// It is not, as of a revision.
    Unlisted(PropertyId, i64),
}

impl Loaded {
    /// The listing, when it is for sale.
    pub(super) fn listing(self) -> Option<Listing> {
        match self {
            Self::Listed(listing) => Some(*listing),
            Self::Unlisted(..) => None,
        }
    }
}

/// The rows of some properties, before they are put together.
struct Rows {
    properties: Vec<property::Model>,
    rooms: Vec<room_type::Model>,
    plans: Vec<rate_plan::Model>,
    prices: Vec<Row>,
    rules: Vec<Row>,
}

/// The properties that are for sale.
pub(super) async fn listed(conn: &DatabaseConnection) -> Result<Vec<PropertyId>, Error> {
    let ids = property::Entity::find().select_only().column(property::Column::Id);
    let ids = ids.filter(property::Column::State.eq(LISTED)).order_by_asc(property::Column::Id);
    let ids: Vec<Uuid> = ids.into_tuple().all(conn).await?;
    Ok(ids.into_iter().map(PropertyId).collect())
}

/// Some properties, for sale or not; in parts of [`CHUNK`], so that what is read on the way never takes much memory.
pub(super) async fn some(conn: &DatabaseConnection, ids: &[PropertyId], base: Date) -> Result<Vec<Loaded>, Error> {
    let months = months(base);
    let mut loaded = Vec::new();
    for ids in ids.chunks(CHUNK) {
        let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
        let of_property = |column: room_type::Column| column.is_in(ids.iter().copied());
        // First of all: a listing must not carry a later revision than its rows.
        let properties =
            property::Entity::find().filter(property::Column::Id.is_in(ids.iter().copied())).all(conn).await?;
        let rooms = room_type::Entity::find()
            .filter(of_property(room_type::Column::PropertyId))
            .filter(room_type::Column::State.eq(OPEN))
            .all(conn)
            .await?;
        let plans = rate_plan::Entity::find()
            .filter(rate_plan::Column::PropertyId.is_in(ids.iter().copied()))
            .filter(rate_plan::Column::State.eq(OPEN))
            .all(conn)
            .await?;
        let plan_ids: Vec<_> = plans.iter().map(|plan| plan.id).collect();
        let room_ids: Vec<_> = rooms.iter().map(|room| room.id).collect();
        let prices = store::calendar::price_rows(conn, Some(&plan_ids), months).await?;
        let rules = store::calendar::rule_rows(conn, Some(&room_ids), months).await?;
        let rows = Rows { properties, rooms, plans, prices, rules };
        // The prices of a year are many: long enough to keep others waiting.
        let together = tokio::task::spawn_blocking(move || rows.put_together(base));
        loaded.extend(together.await.map_err(Error::internal)??);
    }
    Ok(loaded)
}

fn months(base: Date) -> (Date, Date) {
    (month_of(base), month_of(base + Days::new(HORIZON_DAYS + 1)))
}

impl Rows {
    fn put_together(self, base: Date) -> Result<Vec<Loaded>, Error> {
        let mut prices = nights::<Option<Rate>>(&self.prices, base)?;
        let mut rules = nights::<NightRules>(&self.rules, base)?;
        let mut plans: HashMap<Uuid, Vec<Plan>> = HashMap::new();
        for row in self.plans {
            let limits = store::rate_plan::limits(&row)?;
            let prices = prices.remove(&row.id).unwrap_or_default();
            let policy = store::rate_plan::policy(&row.policy, row.tiers)?;
            let plan = Plan { id: RatePlanId(row.id), name: row.name, limits, policy, prices };
            plans.entry(row.room_type_id).or_default().push(plan);
        }
        let mut rooms: HashMap<Uuid, Vec<Room>> = HashMap::new();
        for row in self.rooms {
            let rules = rules.remove(&row.id).unwrap_or_default();
            let room = Room {
                id: RoomTypeId(row.id),
                occupancy: store::room_type::occupancy(&row)?,
                amenities: Amenities::of_bits(row.amenities),
                room_count: u32::try_from(row.room_count).unwrap_or(0),
                restrictions: rules.into_iter().map(|rules| rules.restrictions).collect(),
                plans: plans.remove(&row.id).unwrap_or_default(),
                name: row.name,
            };
            rooms.entry(row.property_id).or_default().push(room);
        }
        let listed = |row: property::Model| {
            let rooms = rooms.remove(&row.id).unwrap_or_default();
            match details(row)? {
                Ok(details) => Ok(Loaded::Listed(Box::new(Listing::new(details, base, rooms)))),
                Err((id, revision)) => Ok(Loaded::Unlisted(id, revision)),
            }
        };
        self.properties.into_iter().map(listed).collect()
    }
}

/// What a list shows of a property; of one that is not for sale, which revision that is.
fn details(row: property::Model) -> Result<Result<Details, (PropertyId, i64)>, Error> {
    let id = PropertyId(row.id);
    let location = store::property::location(&row)?.filter(|_| row.state == LISTED);
    let Some(location) = location else { return Ok(Err((id, row.revision))) };
    let rating = store::property::rating(&row)?;
    Ok(Ok(Details {
        id,
        version: row.revision,
        region: row.region.parse().map_err(Error::internal)?,
        location,
        zone: row.time_zone.parse().map_err(|_| Error::internal("an unknown time zone is stored"))?,
        currency: row.currency.parse().map_err(Error::internal)?,
        rating,
        amenities: Amenities::of_bits(row.amenities),
        photo: Vec::<Photo>::from(row.photos).into_iter().next(),
        seller: MemberId(row.seller_id),
        needs_approval: row.confirmation == REQUEST,
        late_payment: store::property::late_payment(&row.late_payment)?,
        name: row.name,
        name_en: row.name_en,
        address: row.address,
    }))
}

/// The nights of each owner from the base date on, in order.
fn nights<C: Cell>(rows: &[Row], base: Date) -> Result<HashMap<Uuid, Vec<C>>, Error> {
    let mut nights: HashMap<Uuid, Vec<C>> = HashMap::new();
    for (owner, month, text) in rows {
        let first = (*month - base).num_days();
        let nights = nights.entry(*owner).or_default();
        for (offset, cell) in (first..).zip(cells::<C>(text)) {
            let cell = cell.ok_or_else(|| Error::internal(format!("{month} of {owner} can't be read")))?;
            let Ok(at) = usize::try_from(offset) else { continue };
            if cell == C::default() {
                continue;
            }
            if nights.len() <= at {
                nights.resize(at + 1, C::default());
            }
            nights[at] = cell;
        }
    }
    Ok(nights)
}
