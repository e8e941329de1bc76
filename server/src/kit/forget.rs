//! Forgetting what is old, a slice at a time.

use sea_orm::entity::prelude::*;
use sea_orm::{ExprTrait, Iterable, PrimaryKeyToColumn, QueryOrder, QuerySelect, QueryTrait};

use super::clock::Time;
use super::tx::Db;
use crate::error::Error;

/// Few enough that one statement is far from its time limit, and holds up nobody.
const SLICE: u64 = 5_000;

/// Deletes a slice of the rows whose time is not after an instant, oldest first; whether there may be more. The column needs an
/// index.
pub(crate) async fn until<E: EntityTrait>(db: &Db, time: E::Column, instant: Time) -> Result<bool, Error> {
    some::<E>(db, time, instant, SLICE).await
}

/// As [`until`], with slices of another size.
pub(super) async fn some<E: EntityTrait>(db: &Db, time: E::Column, instant: Time, slice: u64) -> Result<bool, Error> {
    db.write(async |tx| {
        let columns: Vec<_> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
        let keys = Expr::tuple(columns.iter().map(|column| Expr::col(*column)));
        let old = E::find().select_only().columns(columns).filter(time.lte(instant)).order_by_asc(time).limit(slice);
        // Asked again of the row itself: it may have been written anew since its key was found.
        let delete = E::delete_many().filter(keys.in_subquery(old.into_query())).filter(time.lte(instant));
        Ok(delete.exec(&*tx).await?.rows_affected == slice)
    })
    .await
}
