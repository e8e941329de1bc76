//! The queries of roles, one a function.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait, ExprTrait, QueryOrder, QuerySelect};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::model::{Change, Role, RoleEvent, RoleEventId};
use crate::error::Error;
use crate::kit::caller::{Actor, Roles};
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::member::entity::member;

/// The roles of a member, who stays as they are to the end of the transaction.
pub(in crate::member) async fn lock(conn: &impl ConnectionTrait, id: MemberId) -> Result<Option<Roles>, Error> {
    let columns = member::by_id(id).select_only().columns([member::Column::Seller, member::Column::Admin]);
    let found: Option<(bool, bool)> = columns.lock_exclusive().into_tuple().one(conn).await?;
    Ok(found.map(|(seller, admin)| Roles { seller, admin }))
}

/// All admins, who stay so to the end of the transaction.
pub(super) async fn lock_admins(conn: &impl ConnectionTrait) -> Result<Vec<MemberId>, Error> {
    let admins = member::Entity::find().filter(member::Column::Admin.eq(true)).order_by_asc(member::Column::Id);
    let ids = admins.select_only().column(member::Column::Id).lock_exclusive().into_tuple::<Uuid>();
    Ok(ids.all(conn).await?.into_iter().map(MemberId).collect())
}

/// Sets or clears a role; whether that changed anything.
pub(super) async fn set(conn: &impl ConnectionTrait, change: &Change, now: Time) -> Result<bool, Error> {
    let column = match change.role {
        Role::Seller => member::Column::Seller,
        Role::Admin => member::Column::Admin,
    };
    let written = member::Entity::update_many()
        .col_expr(column, Expr::value(change.granted))
        .col_expr(member::Column::Version, Expr::col(member::Column::Version).add(1))
        .col_expr(member::Column::UpdateTime, Expr::value(now))
        .filter(member::Column::Id.eq(change.member.0))
        .filter(column.ne(change.granted))
        .exec(conn)
        .await?;
    Ok(written.rows_affected == 1)
}

/// The version of a member, for the events about them.
pub(super) async fn version(conn: &impl ConnectionTrait, id: MemberId) -> Result<i64, Error> {
    let column = member::by_id(id).select_only().column(member::Column::Version);
    let found: Option<i64> = column.into_tuple().one(conn).await?;
    found.ok_or_else(|| Error::internal(format!("{id} went away within a transaction")))
}

pub(super) async fn insert(conn: &impl ConnectionTrait, event: &RoleEvent) -> Result<(), Error> {
    let RoleEvent { id, change, create_time } = event;
    let row = ActiveModel {
        id: ActiveValue::Set(id.0),
        member_id: ActiveValue::Set(change.member.0),
        role: ActiveValue::Set(change.role.name().to_owned()),
        granted: ActiveValue::Set(change.granted),
        reason: ActiveValue::Set(change.reason.clone()),
        actor: ActiveValue::Set(change.actor.0.clone()),
        create_time: ActiveValue::Set(*create_time),
    };
    Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// The changes of roles, of one member or of all, newest first: for admins.
pub(super) async fn events(
    conn: &impl ConnectionTrait,
    member: Option<MemberId>,
    page: &Page,
) -> Result<Vec<RoleEvent>, Error> {
    let mut found = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if let Some(member) = member {
        found = found.filter(Column::MemberId.eq(member.0));
    }
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    found.all(conn).await?.into_iter().map(RoleEvent::try_from).collect()
}

impl TryFrom<Model> for RoleEvent {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let unknown = || Error::internal(format!("an unknown role is stored: {}", row.role));
        Ok(Self {
            id: RoleEventId(row.id),
            change: Change {
                member: MemberId(row.member_id),
                role: Role::of_name(&row.role).ok_or_else(unknown)?,
                granted: row.granted,
                reason: row.reason,
                actor: Actor(row.actor),
            },
            create_time: row.create_time,
        })
    }
}
