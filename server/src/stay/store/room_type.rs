//! Room types.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::{narrow, unreadable};
use crate::error::Error;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::stay::entity::Photos;
use crate::stay::entity::room_type::{ActiveModel, Column, Entity, Model, of_seller};
use crate::stay::model::{Amenities, Occupancy, PropertyId, Rate, RoomAbout, RoomType, RoomTypeId, SaleState};

pub(in crate::stay) const OPEN: &str = "OPEN";

pub(in crate::stay) fn state_code(state: SaleState) -> &'static str {
    match state {
        SaleState::Open => OPEN,
        SaleState::Closed => "CLOSED",
    }
}

pub(in crate::stay) fn state(code: &str) -> Result<SaleState, Error> {
    match code {
        OPEN => Ok(SaleState::Open),
        "CLOSED" => Ok(SaleState::Closed),
        _ => Err(unreadable("state")),
    }
}

/// The guests that a room takes.
pub(in crate::stay) fn occupancy(row: &Model) -> Result<Occupancy, Error> {
    let base = narrow("room_type.base_occupancy", row.base_occupancy)?;
    let max = narrow("room_type.max_occupancy", row.max_occupancy)?;
    Occupancy::new(base, max, Rate::new(row.extra_guest_fee).ok()).map_err(Error::internal)
}

impl TryFrom<Model> for RoomType {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let occupancy = occupancy(&row)?;
        let about = RoomAbout {
            name: row.name,
            description: row.description,
            occupancy,
            room_count: narrow("room_type.room_count", row.room_count)?,
            amenities: Amenities::of_bits(row.amenities),
            photos: row.photos.into(),
        };
        Ok(Self {
            id: RoomTypeId(row.id),
            property: PropertyId(row.property_id),
            seller: MemberId(row.seller_id),
            about,
            currency: row.currency.parse().map_err(Error::internal)?,
            state: state(&row.state)?,
            version: row.version,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn row(room_type: &RoomType) -> Model {
    let about = &room_type.about;
    Model {
        id: room_type.id.0,
        property_id: room_type.property.0,
        seller_id: room_type.seller.0,
        name: about.name.clone(),
        description: about.description.clone(),
        base_occupancy: i32::from(about.occupancy.base()),
        max_occupancy: i32::from(about.occupancy.max()),
        extra_guest_fee: about.occupancy.extra_guest_fee().map_or(0, Rate::minor),
        currency: room_type.currency.to_string(),
        room_count: i32::try_from(about.room_count).unwrap_or(i32::MAX),
        state: state_code(room_type.state).to_owned(),
        amenities: about.amenities.bits(),
        photos: Photos::from(&*about.photos),
        version: room_type.version,
        create_time: room_type.create_time,
        update_time: room_type.update_time,
    }
}

/// How many room types a property has.
pub(in crate::stay) async fn count(conn: &impl ConnectionTrait, property: PropertyId) -> Result<u64, Error> {
    Ok(Entity::find().filter(Column::PropertyId.eq(property.0)).count(conn).await?)
}

pub(in crate::stay) async fn insert_many(tx: &Tx, room_types: &[RoomType]) -> Result<(), Error> {
    let rows: Vec<ActiveModel> = room_types.iter().map(|room_type| row(room_type).into_active_model()).collect();
    Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes a room type whose property is locked, in the place of the version before.
pub(in crate::stay) async fn update(tx: &Tx, room_type: &RoomType) -> Result<(), Error> {
    let written = Entity::update_many()
        .set(row(room_type).into_active_model().reset_all())
        .filter(Column::Id.eq(room_type.id.0))
        .filter(Column::Version.eq(room_type.version - 1))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(room_type.id)) }
}

pub(in crate::stay) async fn get(conn: &impl ConnectionTrait, id: RoomTypeId) -> Result<Option<RoomType>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(RoomType::try_from).transpose()
}

/// How many rooms a type has, kept so until the transaction ends.
pub(in crate::stay) async fn pin_room_count(tx: &Tx, id: RoomTypeId) -> Result<Option<i32>, Error> {
    let row = Entity::find_by_id(id.0).select_only().column(Column::RoomCount).lock_shared();
    Ok(row.into_tuple().one(&**tx).await?)
}

pub(in crate::stay) async fn get_of(
    conn: &impl ConnectionTrait,
    seller: MemberId,
    id: RoomTypeId,
) -> Result<Option<RoomType>, Error> {
    let row = of_seller(seller).filter(Column::Id.eq(id.0)).one(conn).await?;
    row.map(RoomType::try_from).transpose()
}

/// The room types of a property, oldest first.
pub(in crate::stay) async fn list(
    conn: &impl ConnectionTrait,
    property: PropertyId,
    of_state: Option<SaleState>,
    page: &Page,
) -> Result<Vec<RoomType>, Error> {
    let mut rows =
        Entity::find().filter(Column::PropertyId.eq(property.0)).order_by_asc(Column::Id).limit(page.fetch());
    if let Some(of_state) = of_state {
        rows = rows.filter(Column::State.eq(state_code(of_state)));
    }
    if let Some(after) = page.after {
        rows = rows.filter(Column::Id.gt(after));
    }
    rows.all(conn).await?.into_iter().map(RoomType::try_from).collect()
}

/// The open room types of a property.
pub(in crate::stay) async fn open_ids(
    conn: &impl ConnectionTrait,
    property: PropertyId,
) -> Result<Vec<RoomTypeId>, Error> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::PropertyId.eq(property.0))
        .filter(Column::State.eq(OPEN));
    let ids: Vec<Uuid> = rows.into_tuple().all(conn).await?;
    Ok(ids.into_iter().map(RoomTypeId).collect())
}
