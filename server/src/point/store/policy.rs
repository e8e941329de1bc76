//! The policy: one row, or none while the defaults hold.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel, SqlErr};

use super::{json, parsed, unreadable};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::tx::Tx;
use crate::point::entity::policy::{Column, Entity, Model};
use crate::point::model::{ClawBack, Policy};

const ID: i64 = 1;

impl TryFrom<Model> for Policy {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let small = |what, number: i64| u16::try_from(number).map_err(|_| unreadable(what));
        Ok(Self {
            version: row.version,
            earn_rate: row.earn_rate,
            earn_cap: row.earn_cap,
            monthly_earn_cap: row.monthly_earn_cap,
            campaigns: parsed(&row.campaigns)?,
            tiers: parsed(&row.tiers)?,
            expiry_months: small("point_policy.expiry_months", row.expiry_months)?,
            claw_back: ClawBack::of_name(&row.claw_back).ok_or_else(|| unreadable("point_policy.claw_back"))?,
            grace_days: small("point_policy.grace_days", row.grace_days)?,
            gift_cap: row.gift_cap,
            daily_gift_cap: row.daily_gift_cap,
            updated_by: row.updated_by,
            update_time: Some(row.update_time),
        })
    }
}

/// The policy as it is now.
pub(in crate::point) async fn find(conn: &impl ConnectionTrait) -> Result<Policy, Error> {
    Ok(Entity::find_by_id(ID).one(conn).await?.map(Policy::try_from).transpose()?.unwrap_or_default())
}

/// Writes the policy, unless it has changed since.
pub(in crate::point) async fn update(tx: &Tx, before: i64, policy: &Policy, now: Time) -> Result<(), Error> {
    let row = Model {
        id: ID,
        version: policy.version,
        earn_rate: policy.earn_rate,
        earn_cap: policy.earn_cap,
        monthly_earn_cap: policy.monthly_earn_cap,
        campaigns: json(&policy.campaigns)?,
        tiers: json(&policy.tiers)?,
        expiry_months: policy.expiry_months.into(),
        claw_back: policy.claw_back.name().to_owned(),
        grace_days: policy.grace_days.into(),
        gift_cap: policy.gift_cap,
        daily_gift_cap: policy.daily_gift_cap,
        updated_by: policy.updated_by.clone(),
        update_time: now,
    };
    let lost = || Error::lost("the policy of points");
    if before == 0 {
        return match Entity::insert(row.into_active_model()).exec_without_returning(&**tx).await {
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Err(lost()),
            outcome => Ok(outcome.map(drop)?),
        };
    }
    let written = Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(Column::Id.eq(ID))
        .filter(Column::Version.eq(before))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(lost()) }
}
