//! Who is a member, for domains that deal with many at once.

use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ConnectionTrait, QueryOrder, QuerySelect, Select};

use super::entity::member::{Column, Entity};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;

/// Members by when they signed up.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// Since then; without, since ever.
    pub from: Option<Time>,
    /// Before then.
    pub before: Time,
}

impl Joined {
    /// Ids begin with the millisecond of the sign-up, so that a segment is a range of them.
    fn rows(self) -> Select<Entity> {
        let id = |time: Time| {
            let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
            uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
        };
        let since = |from: Time| Condition::all().add(Column::CreateTime.gte(from)).add(Column::Id.gte(id(from)));
        let next = self.before + chrono::TimeDelta::milliseconds(1);
        Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Condition::all().add_option(self.from.map(since)))
            .filter(Column::CreateTime.lt(self.before))
            .filter(Column::Id.lt(id(next)))
    }
}

/// Which of these are members.
pub async fn known(conn: &impl ConnectionTrait, ids: &[MemberId]) -> Result<HashSet<MemberId>, Error> {
    let found = Entity::find().select_only().column(Column::Id).filter(Column::Id.is_in(ids.iter().map(|id| id.0)));
    let found: Vec<Uuid> = found.into_tuple().all(conn).await?;
    Ok(found.into_iter().map(MemberId).collect())
}

/// The time zones of those of these who are members.
pub async fn zones(conn: &impl ConnectionTrait, ids: &[MemberId]) -> Result<HashMap<MemberId, Tz>, Error> {
    let found = Entity::find().select_only().columns([Column::Id, Column::TimeZone]);
    let found: Vec<(Uuid, String)> =
        found.filter(Column::Id.is_in(ids.iter().map(|id| id.0))).into_tuple().all(conn).await?;
    let read = |zone: &str| zone.parse().map_err(|_| Error::internal("member.time_zone names no time zone"));
    found.into_iter().map(|(id, zone)| Ok((MemberId(id), read(&zone)?))).collect()
}

/// Some of the members of a segment, in the order of their ids, behind one of them.
pub async fn joined(
    conn: &impl ConnectionTrait,
    segment: Joined,
    after: Option<MemberId>,
    limit: u64,
) -> Result<Vec<MemberId>, Error> {
    let behind = after.map(|after| Column::Id.gt(after.0));
    let rows = segment.rows().filter(Condition::all().add_option(behind)).order_by_asc(Column::Id).limit(limit);
    let found: Vec<Uuid> = rows.into_tuple().all(conn).await?;
    Ok(found.into_iter().map(MemberId).collect())
}

/// How many members a segment has.
pub async fn joined_count(conn: &impl ConnectionTrait, segment: Joined) -> Result<u64, Error> {
    Ok(segment.rows().count(conn).await?)
}
