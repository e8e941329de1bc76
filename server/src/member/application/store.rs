//! The queries of applications, one a function.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait, QueryOrder, QuerySelect, SqlErr};

use super::entity::{ActiveModel, Column, Entity, Model, of_member};
use super::model::{Application, BusinessNumber, SellerApplicationId, State};
use crate::error::Error;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::member::MemberError;

impl TryFrom<Model> for Application {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let unknown = || Error::internal(format!("an unknown state of an application is stored: {}", row.state));
        Ok(Self {
            id: SellerApplicationId(row.id),
            member: MemberId(row.member_id),
            state: State::of_name(&row.state).ok_or_else(unknown)?,
            business_name: row.business_name,
            business_number: BusinessNumber::stored(row.business_number),
            note: row.note,
            decision_reason: row.decision_reason,
            decided_by: row.decided_by.map(MemberId),
            create_time: row.create_time,
            decide_time: row.decide_time,
        })
    }
}

/// Writes a new application; refused by the index over open ones when the member has another.
pub(super) async fn insert(conn: &impl ConnectionTrait, application: &Application) -> Result<(), Error> {
    let row = ActiveModel {
        id: ActiveValue::Set(application.id.0),
        member_id: ActiveValue::Set(application.member.0),
        business_name: ActiveValue::Set(application.business_name.clone()),
        business_number: ActiveValue::Set(application.business_number.as_str().to_owned()),
        note: ActiveValue::Set(application.note.clone()),
        state: ActiveValue::Set(application.state.name().to_owned()),
        decision_reason: ActiveValue::Set(application.decision_reason.clone()),
        decided_by: ActiveValue::Set(None),
        create_time: ActiveValue::Set(application.create_time),
        decide_time: ActiveValue::Set(None),
    };
    match Entity::insert(row).exec_without_returning(conn).await {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(MemberError::AlreadySeller.into())
        }
        outcome => Ok(outcome.map(|_| ())?),
    }
}

/// Writes a decision, unless another was faster.
pub(super) async fn decide(conn: &impl ConnectionTrait, decided: &Application) -> Result<(), Error> {
    let written = Entity::update_many()
        .col_expr(Column::State, Expr::value(decided.state.name()))
        .col_expr(Column::DecisionReason, Expr::value(&*decided.decision_reason))
        .col_expr(Column::DecidedBy, Expr::value(decided.decided_by.map(|admin| admin.0)))
        .col_expr(Column::DecideTime, Expr::value(decided.decide_time))
        .filter(Column::Id.eq(decided.id.0))
        .filter(Column::State.eq(State::Pending.name()))
        .exec(conn)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(decided.id)) }
}

/// An application of anyone: for admins.
pub(super) async fn application(
    conn: &impl ConnectionTrait,
    id: SellerApplicationId,
) -> Result<Option<Application>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(Application::try_from).transpose()
}

pub(super) async fn application_of(
    conn: &impl ConnectionTrait,
    member: MemberId,
    id: SellerApplicationId,
) -> Result<Option<Application>, Error> {
    of_member(member).filter(Column::Id.eq(id.0)).one(conn).await?.map(Application::try_from).transpose()
}

/// The applications of a member, newest first.
pub(super) async fn applications_of(
    conn: &impl ConnectionTrait,
    member: MemberId,
    page: &Page,
) -> Result<Vec<Application>, Error> {
    let mut found = of_member(member).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    found.all(conn).await?.into_iter().map(Application::try_from).collect()
}

/// The applications of everyone, oldest first: for admins.
pub(super) async fn applications(
    conn: &impl ConnectionTrait,
    state: Option<State>,
    page: &Page,
) -> Result<Vec<Application>, Error> {
    let mut found = Entity::find().order_by_asc(Column::Id).limit(page.fetch());
    if let Some(state) = state {
        found = found.filter(Column::State.eq(state.name()));
    }
    if let Some(after) = page.after {
        found = found.filter(Column::Id.gt(after));
    }
    found.all(conn).await?.into_iter().map(Application::try_from).collect()
}
