//! Rate plans.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::room_type::{OPEN, state, state_code};
use super::{narrow, unreadable};
use crate::error::Error;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::stay::entity::Tiers;
use crate::stay::entity::rate_plan::{ActiveModel, Column, Entity, Model, of_seller};
use crate::stay::model::{
    CancellationPolicy, Meals, PlanTerms, PropertyId, RatePlan, RatePlanId, RefundTiers, RoomTypeId, SaleState,
    StayLimits,
};

fn policy_code(policy: &CancellationPolicy) -> &'static str {
    match policy {
        CancellationPolicy::Flexible => "FLEXIBLE",
        CancellationPolicy::Moderate => "MODERATE",
        CancellationPolicy::Strict => "STRICT",
        CancellationPolicy::KrLodging => "KR_LODGING",
        CancellationPolicy::NonRefundable => "NON_REFUNDABLE",
        CancellationPolicy::Custom(_) => "CUSTOM",
    }
}

/// What a cancellation gives back.
pub(in crate::stay) fn policy(code: &str, tiers: Tiers) -> Result<CancellationPolicy, Error> {
    match code {
        "FLEXIBLE" => Ok(CancellationPolicy::Flexible),
        "MODERATE" => Ok(CancellationPolicy::Moderate),
        "STRICT" => Ok(CancellationPolicy::Strict),
        "KR_LODGING" => Ok(CancellationPolicy::KrLodging),
        "NON_REFUNDABLE" => Ok(CancellationPolicy::NonRefundable),
        "CUSTOM" => Ok(CancellationPolicy::Custom(RefundTiers::new(tiers.into()).map_err(Error::internal)?)),
        _ => Err(unreadable("rate_plan.policy")),
    }
}

const MEALS: [(Meals, &str); 5] = [
    (Meals::RoomOnly, "ROOM_ONLY"),
    (Meals::Breakfast, "BREAKFAST"),
    (Meals::HalfBoard, "HALF_BOARD"),
    (Meals::FullBoard, "FULL_BOARD"),
    (Meals::AllInclusive, "ALL_INCLUSIVE"),
];

fn meals_code(meals: Meals) -> &'static str {
    MEALS.into_iter().find(|(known, _)| *known == meals).map_or("ROOM_ONLY", |(_, code)| code)
}

fn meals(code: &str) -> Result<Meals, Error> {
    let found = MEALS.into_iter().find(|(_, known)| *known == code);
    found.map(|(meals, _)| meals).ok_or_else(|| unreadable("rate_plan.meals"))
}

/// The stays that a plan is for.
pub(in crate::stay) fn limits(row: &Model) -> Result<StayLimits, Error> {
    let number = |number| narrow::<u16>("rate_plan limits", number);
    let nights = (Some(number(row.min_nights)?), Some(number(row.max_nights)?));
    let advance = (Some(number(row.min_advance)?), row.max_advance.map(number).transpose()?);
    StayLimits::new(nights, advance).map_err(Error::internal)
}

impl TryFrom<Model> for RatePlan {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let limits = limits(&row)?;
        let policy = policy(&row.policy, row.tiers)?;
        Ok(Self {
            id: RatePlanId(row.id),
            room_type: RoomTypeId(row.room_type_id),
            property: PropertyId(row.property_id),
            seller: MemberId(row.seller_id),
            terms: PlanTerms { name: row.name, policy, limits, meals: meals(&row.meals)? },
            state: state(&row.state)?,
            version: row.version,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn row(plan: &RatePlan) -> Model {
    let PlanTerms { name, policy, limits, meals } = &plan.terms;
    let tiers = match policy {
        CancellationPolicy::Custom(tiers) => Tiers::from(tiers.as_slice()),
        _ => Tiers::default(),
    };
    let ((min_nights, max_nights), (min_advance, max_advance)) = (limits.nights(), limits.advance());
    Model {
        id: plan.id.0,
        room_type_id: plan.room_type.0,
        property_id: plan.property.0,
        seller_id: plan.seller.0,
        name: name.clone(),
        policy: policy_code(policy).to_owned(),
        tiers,
        min_nights: i32::from(min_nights),
        max_nights: i32::from(max_nights),
        min_advance: i32::from(min_advance),
        max_advance: max_advance.map(i32::from),
        meals: meals_code(*meals).to_owned(),
        state: state_code(plan.state).to_owned(),
        version: plan.version,
        create_time: plan.create_time,
        update_time: plan.update_time,
    }
}

/// How many rate plans a room type has.
pub(in crate::stay) async fn count(conn: &impl ConnectionTrait, room_type: RoomTypeId) -> Result<u64, Error> {
    Ok(Entity::find().filter(Column::RoomTypeId.eq(room_type.0)).count(conn).await?)
}

pub(in crate::stay) async fn insert_many(tx: &Tx, plans: &[RatePlan]) -> Result<(), Error> {
    let rows: Vec<ActiveModel> = plans.iter().map(|plan| row(plan).into_active_model()).collect();
    Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes a rate plan whose property is locked, in the place of the version before.
pub(in crate::stay) async fn update(tx: &Tx, plan: &RatePlan) -> Result<(), Error> {
    let written = Entity::update_many()
        .set(row(plan).into_active_model().reset_all())
        .filter(Column::Id.eq(plan.id.0))
        .filter(Column::Version.eq(plan.version - 1))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(plan.id)) }
}

pub(in crate::stay) async fn get(conn: &impl ConnectionTrait, id: RatePlanId) -> Result<Option<RatePlan>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(RatePlan::try_from).transpose()
}

pub(in crate::stay) async fn get_of(
    conn: &impl ConnectionTrait,
    seller: MemberId,
    id: RatePlanId,
) -> Result<Option<RatePlan>, Error> {
    let row = of_seller(seller).filter(Column::Id.eq(id.0)).one(conn).await?;
    row.map(RatePlan::try_from).transpose()
}

/// The rate plans of a room type, oldest first.
pub(in crate::stay) async fn list(
    conn: &impl ConnectionTrait,
    room_type: RoomTypeId,
    of_state: Option<SaleState>,
    page: &Page,
) -> Result<Vec<RatePlan>, Error> {
    let mut rows =
        Entity::find().filter(Column::RoomTypeId.eq(room_type.0)).order_by_asc(Column::Id).limit(page.fetch());
    if let Some(of_state) = of_state {
        rows = rows.filter(Column::State.eq(state_code(of_state)));
    }
    if let Some(after) = page.after {
        rows = rows.filter(Column::Id.gt(after));
    }
    rows.all(conn).await?.into_iter().map(RatePlan::try_from).collect()
}

/// The ids of every rate plan of a room type, oldest first.
pub(in crate::stay) async fn ids(conn: &impl ConnectionTrait, room_type: RoomTypeId) -> Result<Vec<RatePlanId>, Error> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::RoomTypeId.eq(room_type.0))
        .order_by_asc(Column::Id);
    let ids: Vec<Uuid> = rows.into_tuple().all(conn).await?;
    Ok(ids.into_iter().map(RatePlanId).collect())
}

/// Whether any of some room types has an open rate plan.
pub(in crate::stay) async fn any_open(conn: &impl ConnectionTrait, room_types: &[RoomTypeId]) -> Result<bool, Error> {
    let open = Entity::find()
        .filter(Column::RoomTypeId.is_in(room_types.iter().map(|id| id.0)))
        .filter(Column::State.eq(OPEN))
        .count(conn)
        .await?;
    Ok(open > 0)
}
