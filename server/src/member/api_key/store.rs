//! The queries of API keys, one a function. Keys belong to the platform: admins alone get here.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, Condition, ConnectionTrait, QueryOrder, QuerySelect};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::model::{ApiKey, Scopes};
use crate::error::Error;
use crate::kit::caller::ApiKeyId;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::page::Page;

impl From<Model> for ApiKey {
    fn from(row: Model) -> Self {
        Self {
            id: ApiKeyId(row.id),
            name: row.name,
            scopes: Scopes::stored(&row.scopes),
            hint: row.hint,
            created_by: MemberId(row.created_by),
            revoked_by: row.revoked_by.map(MemberId),
            create_time: row.create_time,
            expire_time: row.expire_time,
            last_use_time: row.last_use_time,
            revoke_time: row.revoke_time,
        }
    }
}

pub(super) async fn insert(conn: &impl ConnectionTrait, key: &ApiKey, secret_hash: Vec<u8>) -> Result<(), Error> {
    let row = ActiveModel {
        id: ActiveValue::Set(key.id.0),
        secret_hash: ActiveValue::Set(secret_hash),
        name: ActiveValue::Set(key.name.clone()),
        hint: ActiveValue::Set(key.hint.clone()),
        scopes: ActiveValue::Set(key.scopes.text()),
        created_by: ActiveValue::Set(key.created_by.0),
        revoked_by: ActiveValue::Set(None),
        create_time: ActiveValue::Set(key.create_time),
        expire_time: ActiveValue::Set(key.expire_time),
        last_use_time: ActiveValue::Set(None),
        revoke_time: ActiveValue::Set(None),
    };
    Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

pub(super) async fn key(conn: &impl ConnectionTrait, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    Ok(Entity::find_by_id(id.0).one(conn).await?.map(ApiKey::from))
}

pub(super) async fn key_by_secret(conn: &impl ConnectionTrait, hash: &[u8]) -> Result<Option<ApiKey>, Error> {
    Ok(Entity::find().filter(Column::SecretHash.eq(hash)).one(conn).await?.map(ApiKey::from))
}

/// The keys, newest first.
pub(super) async fn keys(conn: &impl ConnectionTrait, page: &Page) -> Result<Vec<ApiKey>, Error> {
    let mut found = Entity::find().order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    Ok(found.all(conn).await?.into_iter().map(ApiKey::from).collect())
}

/// Ends a key; ending an ended one changes nothing.
pub(super) async fn revoke(conn: &impl ConnectionTrait, id: ApiKeyId, by: MemberId, now: Time) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::RevokeTime, Expr::value(now))
        .col_expr(Column::RevokedBy, Expr::value(by.0))
        .filter(Column::Id.eq(id.0))
        .filter(Column::RevokeTime.is_null())
        .exec(conn)
        .await?;
    Ok(())
}

/// Notes that a key was used, unless a later use is known.
pub(super) async fn used(conn: &impl ConnectionTrait, id: ApiKeyId, now: Time) -> Result<(), Error> {
    let earlier = Condition::any().add(Column::LastUseTime.is_null()).add(Column::LastUseTime.lt(now));
    Entity::update_many()
        .col_expr(Column::LastUseTime, Expr::value(now))
        .filter(Column::Id.eq(id.0))
        .filter(earlier)
        .exec(conn)
        .await?;
    Ok(())
}
