//! What moved wallets: rows are inserted and read, and nothing else.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use serde::{Deserialize, Serialize};

use super::{json, parsed, unreadable};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::point::entity::movement::{Column, Entity, Model};
use crate::point::model::{Cause, Movement, MovementId, SpendingId};

/// A movement on record.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::point) struct Recorded {
    pub(in crate::point) id: MovementId,
    pub(in crate::point) member: MemberId,
    /// Of the wallet behind it.
    pub(in crate::point) version: i64,
    pub(in crate::point) movement: Movement,
    pub(in crate::point) create_time: Time,
}

impl TryFrom<Model> for Recorded {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: MovementId(row.id),
            member: MemberId(row.member_id),
            version: row.version,
            movement: Movement {
                number: row.number,
                cause: Cause::of_name(&row.cause).ok_or_else(|| unreadable("point_movement.cause"))?,
                amount: row.amount,
                held: row.held,
                balance: row.balance,
                pieces: parsed(&row.pieces)?,
                booking: row.booking_id.map(BookingId),
                spending: row.spending_id.map(SpendingId),
                reference: row.reference,
                effective_time: row.effective_time,
            },
            create_time: row.create_time,
        })
    }
}

/// Which movements a list has.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::point) struct Wanted {
    pub(in crate::point) cause: Option<Cause>,
    pub(in crate::point) start: Option<Time>,
    pub(in crate::point) end: Option<Time>,
}

/// The row of a movement.
pub(in crate::point) fn row(recorded: &Recorded, actor: &str) -> Result<Model, Error> {
    let Recorded { id, member, version, movement, create_time } = recorded;
    Ok(Model {
        id: id.0,
        member_id: member.0,
        number: movement.number,
        version: *version,
        cause: movement.cause.name().to_owned(),
        amount: movement.amount,
        held: movement.held,
        balance: movement.balance,
        pieces: json(&movement.pieces)?,
        booking_id: movement.booking.map(|booking| booking.0),
        spending_id: movement.spending.map(|spending| spending.0),
        reference: movement.reference.clone(),
        actor: actor.to_owned(),
        effective_time: movement.effective_time,
        create_time: *create_time,
    })
}

/// Records movements of a wallet that is locked.
pub(in crate::point) async fn insert(tx: &Tx, recorded: &[Recorded], actor: &str) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(recorded.len());
    for one in recorded {
        rows.push(row(one, actor)?.into_active_model());
    }
    for some in rows.chunks(500) {
        Entity::insert_many(some.to_vec()).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// What expired of the points that a booking has brought a member.
pub(in crate::point) async fn expiries(
    conn: &impl ConnectionTrait,
    member: MemberId,
    booking: BookingId,
) -> Result<Vec<Movement>, Error> {
    let found = Entity::find()
        .filter(Column::MemberId.eq(member.0))
        .filter(Column::BookingId.eq(booking.0))
        .filter(Column::Cause.eq(Cause::Expire.name()));
    found.all(conn).await?.into_iter().map(|row| Ok(Recorded::try_from(row)?.movement)).collect()
}

/// A movement, whosever it is.
pub(in crate::point) async fn find(conn: &impl ConnectionTrait, id: MovementId) -> Result<Option<Recorded>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(Recorded::try_from).transpose()
}

/// A page of what moved a wallet, newest first, one more than it has.
pub(in crate::point) async fn list(
    conn: &impl ConnectionTrait,
    member: MemberId,
    wanted: Wanted,
    page: &Page<i64>,
) -> Result<Vec<Recorded>, Error> {
    let mut found = Entity::find().filter(Column::MemberId.eq(member.0)).order_by_desc(Column::Number);
    if let Some(after) = page.after {
        found = found.filter(Column::Number.lt(after));
    }
    if let Some(cause) = wanted.cause {
        found = found.filter(Column::Cause.eq(cause.name()));
    }
    if let Some(start) = wanted.start {
        found = found.filter(Column::CreateTime.gte(start));
    }
    if let Some(end) = wanted.end {
        found = found.filter(Column::CreateTime.lt(end));
    }
    found.limit(page.fetch()).all(conn).await?.into_iter().map(Recorded::try_from).collect()
}
