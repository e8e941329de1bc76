//! Marks: how far work has come that goes on where it was.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ConnectionTrait};

use crate::coupon::entity::mark::{ActiveModel, Column, Entity};
use crate::error::Error;
use crate::kit::tx::Db;

/// Where work has come to; the beginning when it never began.
pub(in crate::coupon) async fn find(conn: &impl ConnectionTrait, name: &str) -> Result<Uuid, Error> {
    Ok(Entity::find_by_id(name).one(conn).await?.map_or(Uuid::nil(), |mark| mark.position))
}

/// Writes down where work has come to.
pub(in crate::coupon) async fn put(db: &Db, name: &str, position: Uuid) -> Result<(), Error> {
    db.write(async |tx| {
        let mark = ActiveModel { name: ActiveValue::Set(name.to_owned()), position: ActiveValue::Set(position) };
        let mut replace = OnConflict::column(Column::Name);
        replace.update_column(Column::Position);
        Entity::insert(mark).on_conflict(replace).exec_without_returning(&*tx).await?;
        Ok(())
    })
    .await
}
