//! Properties.

use chrono::{NaiveTime, Timelike};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{ConnectionTrait, ExprTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::{narrow, unreadable};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::stay::LatePayment;
use crate::stay::entity::property::{ActiveModel, Column, Entity, Model, of_seller};
use crate::stay::entity::{Lines, Photos, room_type};
use crate::stay::model::{About, Amenities, GeoPoint, Property, PropertyId, PropertyState, Rating, RoomTypeId};

pub(in crate::stay) const LISTED: &str = "LISTED";

fn state_code(state: PropertyState) -> &'static str {
    match state {
        PropertyState::Draft => "DRAFT",
        PropertyState::Listed => LISTED,
        PropertyState::Closed => "CLOSED",
    }
}

fn state(code: &str) -> Result<PropertyState, Error> {
    match code {
        "DRAFT" => Ok(PropertyState::Draft),
        LISTED => Ok(PropertyState::Listed),
        "CLOSED" => Ok(PropertyState::Closed),
        _ => Err(unreadable("property.state")),
    }
}

fn late_payment_code(policy: LatePayment) -> &'static str {
    match policy {
        LatePayment::AcceptIfAvailable => "ACCEPT_IF_AVAILABLE",
        LatePayment::Refund => "REFUND",
        LatePayment::Manual => "MANUAL",
    }
}

pub(in crate::stay) fn late_payment(code: &str) -> Result<LatePayment, Error> {
    match code {
        "ACCEPT_IF_AVAILABLE" => Ok(LatePayment::AcceptIfAvailable),
        "REFUND" => Ok(LatePayment::Refund),
        "MANUAL" => Ok(LatePayment::Manual),
        _ => Err(unreadable("property.late_payment")),
    }
}

const INSTANT: &str = "INSTANT";
pub(in crate::stay) const REQUEST: &str = "REQUEST";

fn minute(time: NaiveTime) -> i32 {
    i32::try_from(time.num_seconds_from_midnight() / 60).expect("1,440 minutes a day")
}

fn time_of(column: &'static str, minute: i32) -> Result<NaiveTime, Error> {
    let minute: u32 = narrow(column, minute)?;
    NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).ok_or_else(|| unreadable(column))
}

/// Where a property is, when both numbers are there.
pub(in crate::stay) fn location(row: &Model) -> Result<Option<GeoPoint>, Error> {
    let Some((latitude, longitude)) = row.latitude_e7.zip(row.longitude_e7) else { return Ok(None) };
    GeoPoint::new(latitude, longitude).map(Some).map_err(Error::internal)
}

/// What guests thought of a property.
pub(in crate::stay) fn rating(row: &Model) -> Result<Rating, Error> {
    let average_hundredths = narrow("property.rating_average", row.rating_average)?;
    Ok(Rating { average_hundredths, review_count: narrow("property.review_count", row.review_count)? })
}

impl TryFrom<Model> for Property {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let (location, rating) = (location(&row)?, rating(&row)?);
        let about = About {
            name: row.name,
            name_en: row.name_en,
            region: row.region.parse().map_err(Error::internal)?,
            address: row.address,
            location,
            description: row.description,
            zone: row.time_zone.parse().map_err(|_| unreadable("property.time_zone"))?,
            check_in: time_of("property.check_in_minute", row.check_in_minute)?,
            check_out: time_of("property.check_out_minute", row.check_out_minute)?,
            amenities: Amenities::of_bits(row.amenities),
            house_rules: row.house_rules.0,
            photos: row.photos.into(),
            late_payment: late_payment(&row.late_payment)?,
            needs_approval: row.confirmation == REQUEST,
        };
        Ok(Self {
            id: PropertyId(row.id),
            seller: MemberId(row.seller_id),
            about,
            currency: row.currency.parse().map_err(Error::internal)?,
            state: state(&row.state)?,
            rating,
            version: row.version,
            revision: row.revision,
            open_time: row.open_time,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn row(property: &Property, touch_time: Time) -> Model {
    let about = &property.about;
    Model {
        id: property.id.0,
        seller_id: property.seller.0,
        name: about.name.clone(),
        name_en: about.name_en.clone(),
        region: about.region.code().to_owned(),
        address: about.address.clone(),
        latitude_e7: about.location.map(|point| point.latitude_e7()),
        longitude_e7: about.location.map(|point| point.longitude_e7()),
        description: about.description.clone(),
        state: state_code(property.state).to_owned(),
        time_zone: about.zone.name().to_owned(),
        check_in_minute: minute(about.check_in),
        check_out_minute: minute(about.check_out),
        amenities: about.amenities.bits(),
        house_rules: Lines(about.house_rules.clone()),
        photos: Photos::from(&*about.photos),
        currency: property.currency.to_string(),
        late_payment: late_payment_code(about.late_payment).to_owned(),
        confirmation: if about.needs_approval { REQUEST } else { INSTANT }.to_owned(),
        rating_average: i32::from(property.rating.average_hundredths),
        review_count: i32::try_from(property.rating.review_count).unwrap_or(i32::MAX),
        version: property.version,
        revision: property.revision,
        touch_time,
        open_time: property.open_time,
        create_time: property.create_time,
        update_time: property.update_time,
    }
}

/// How many properties a seller has.
pub(in crate::stay) async fn count(conn: &impl ConnectionTrait, seller: MemberId) -> Result<u64, Error> {
    Ok(of_seller(seller).count(conn).await?)
}

/// Whether any property is sold.
pub(in crate::stay) async fn is_any_listed(conn: &impl ConnectionTrait) -> Result<bool, Error> {
    let listed =
        Entity::find().select_only().column(Column::Id).filter(Column::State.eq(state_code(PropertyState::Listed)));
    Ok(listed.limit(1).into_tuple::<Uuid>().one(conn).await?.is_some())
}

pub(in crate::stay) async fn insert_many(tx: &Tx, properties: &[Property]) -> Result<(), Error> {
    let rows: Vec<ActiveModel> =
        properties.iter().map(|property| row(property, property.update_time).into_active_model()).collect();
    Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes a property that [`touch`] has locked, in the place of the version before.
pub(in crate::stay) async fn update(tx: &Tx, property: &Property, now: Time) -> Result<(), Error> {
    let written = Entity::update_many()
        .set(row(property, now).into_active_model().reset_all())
        .filter(Column::Id.eq(property.id.0))
        .filter(Column::Version.eq(property.version - 1))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(property.id)) }
}

/// Locks a property of a seller for a change of it or of what is below it, and counts the change.
pub(in crate::stay) async fn touch(
    tx: &Tx,
    seller: MemberId,
    id: PropertyId,
    now: Time,
) -> Result<Option<Property>, Error> {
    let touched = Entity::update_many()
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .col_expr(Column::TouchTime, Expr::value(now))
        .filter(Column::Id.eq(id.0))
        .filter(Column::SellerId.eq(seller.0))
        .exec_with_returning(&**tx)
        .await?;
    touched.into_iter().next().map(Property::try_from).transpose()
}

pub(in crate::stay) async fn get(conn: &impl ConnectionTrait, id: PropertyId) -> Result<Option<Property>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(Property::try_from).transpose()
}

/// A seller's properties, newest first.
pub(in crate::stay) async fn list(
    conn: &impl ConnectionTrait,
    seller: MemberId,
    of_state: Option<PropertyState>,
    page: &Page,
) -> Result<Vec<Property>, Error> {
    let mut rows = of_seller(seller).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(of_state) = of_state {
        rows = rows.filter(Column::State.eq(state_code(of_state)));
    }
    if let Some(after) = page.after {
        rows = rows.filter(Column::Id.lt(after));
    }
    rows.all(conn).await?.into_iter().map(Property::try_from).collect()
}

/// Which revision each property is at that was touched since; for processes that follow the changes of others.
pub(in crate::stay) async fn touched_since(
    conn: &impl ConnectionTrait,
    since: Time,
) -> Result<Vec<(PropertyId, i64)>, Error> {
    let rows =
        Entity::find().select_only().columns([Column::Id, Column::Revision]).filter(Column::TouchTime.gte(since));
    let rows: Vec<(Uuid, i64)> = rows.into_tuple().all(conn).await?;
    Ok(rows.into_iter().map(|(id, revision)| (PropertyId(id), revision)).collect())
}

/// The property of a room type, and its revision.
pub(in crate::stay) async fn revision_of(
    conn: &impl ConnectionTrait,
    room_type: RoomTypeId,
) -> Result<Option<(PropertyId, i64)>, Error> {
    let of_room_type = Query::select()
        .column(room_type::Column::PropertyId)
        .from(room_type::Entity)
        .and_where(room_type::Column::Id.eq(room_type.0))
        .to_owned();
    let row = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Revision])
        .filter(Column::Id.in_subquery(of_room_type));
    let row: Option<(Uuid, i64)> = row.into_tuple().one(conn).await?;
    Ok(row.map(|(id, revision)| (PropertyId(id), revision)))
}
