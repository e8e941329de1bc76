//! What a database error means. Unique violations are turned into domain errors by the `store` function that expects them.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::{Error, Unavailable};

impl From<DbErr> for Error {
    #[track_caller]
    fn from(error: DbErr) -> Self {
        if is_contention(&error) {
            return Self::contention(error);
        }
        if is_unreached(&error) {
            return Self::unreached(error);
        }
        if is_too_slow(&error) {
            tracing::warn!(error = %error, "the database is too slow: {error}");
            return Unavailable { what: "the database" }.into();
        }
        Self::internal(error)
    }
}

impl Error {
    /// The same error, when it came up while a commit was under way: whether that is on disk is not known, so it is not run
    /// again here. Who asked may ask again: the record of the request tells.
    pub(crate) fn of_commit(self) -> Self {
        match self.is_unreached() {
            true => Unavailable { what: "the database" }.into(),
            false => self,
        }
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source))
        | DbErr::Conn(RuntimeErr::SqlxError(source)) => Some(&**source),
        _ => None,
    }
}

/// No connection, or one that was lost: the statement had no lasting effect, since its transaction ended with it.
fn is_unreached(error: &DbErr) -> bool {
    match sqlx_error(error) {
        Some(sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed) => true,
        // PostgreSQL: connection exceptions, too many connections, shutting down, starting up.
        Some(sqlx::Error::Database(source)) => {
            let code = source.code().unwrap_or_default();
            code.len() == 5 && (code.starts_with("08") || matches!(&*code, "53300" | "57P01" | "57P02" | "57P03"))
        }
        _ => false,
    }
}

/// Asked for patience already: every connection was in use for seconds, or a statement or transaction took too long.
fn is_too_slow(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_)) {
        return true;
    }
    match sqlx_error(error) {
        Some(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => true,
        Some(sqlx::Error::Database(source)) => {
            matches!(&*source.code().unwrap_or_default(), "57014" | "57P05" | "25P03")
        }
        _ => false,
    }
}

/// Serialization failure, deadlock and lock time-out of PostgreSQL; a busy or locked SQLite.
fn is_contention(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(source)) = sqlx_error(error) else { return false };
    let code = source.code().unwrap_or_default();
    match code.parse::<i32>() {
        // SQLite: the primary code is the low byte; 5 is BUSY and 6 is LOCKED.
        Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6),
        _ => matches!(&*code, "40001" | "40P01" | "55P03"),
    }
}
