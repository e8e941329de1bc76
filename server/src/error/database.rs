//! What a database error means. Unique violations are turned into domain errors by the `store` function that expects them.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::{Error, Unavailable};

impl From<DbErr> for Error {
    #[track_caller]
    fn from(error: DbErr) -> Self {
        if is_contention(&error) {
            return Self::contention(error);
        }
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => {
                tracing::warn!(error = %error, "the database can't be reached: {error}");
                Unavailable { what: "the database" }.into()
            }
            _ => Self::internal(error),
        }
    }
}

/// Serialization failure, deadlock and lock time-out of PostgreSQL; a busy or locked SQLite.
fn is_contention(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) = error else {
        return false;
    };
    let sqlx::Error::Database(source) = &**source else { return false };
    let code = source.code().unwrap_or_default();
    match code.parse::<i32>() {
        // SQLite: the primary code is the low byte; 5 is BUSY and 6 is LOCKED.
        Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6),
        _ => matches!(&*code, "40001" | "40P01" | "55P03"),
    }
}
