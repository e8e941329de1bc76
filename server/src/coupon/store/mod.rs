//! One query a function.

pub(super) mod code;
pub(super) mod coupon;
pub(super) mod given;
pub(super) mod guess;
pub(super) mod held;
pub(super) mod listed;
pub(super) mod mark;
pub(super) mod policy;
pub(super) mod receipt;
pub(super) mod run;
pub(super) mod tally;

use sea_orm::entity::prelude::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseBackend};
use uuid::Uuid;

use crate::error::Error;

/// A row that this release can't read.
fn unreadable(what: &str) -> Error {
    Error::internal(format!("{what} holds what this release does not know"))
}

fn narrow<T: TryFrom<i64>>(what: &str, number: i64) -> Result<T, Error> {
    T::try_from(number).map_err(|_| unreadable(what))
}

/// Whether a column is one of many ids: on PostgreSQL in a statement whose text is the same for any number of them.
fn among(conn: &impl ConnectionTrait, column: impl ColumnTrait, ids: Vec<Uuid>) -> Expr {
    match conn.get_database_backend() {
        DatabaseBackend::Postgres => column.eq_any(ids),
        _ => column.is_in(ids),
    }
}
