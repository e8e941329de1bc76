//! Many rows at once, of what is loaded and nobody waits for: `COPY` on PostgreSQL, inserts elsewhere.

use std::fmt::Write;

use chrono::SecondsFormat;
use sea_orm::entity::prelude::*;
use sea_orm::sqlx::PgConnection;
use sea_orm::{IdenStatic, IntoActiveModel, Iterable};

use super::tx::{Db, Tx};
use crate::error::Error;

/// The most values of a statement of SQLite (SQLITE_MAX_VARIABLE_NUMBER, sqlite.org/limits.html).
const VALUES: usize = 32_766;

/// Takes rows, in one transaction.
#[derive(Debug)]
pub struct Bulk<'a>(Way<'a>);

#[derive(Debug)]
enum Way<'a> {
    Copy(&'a mut PgConnection),
    Insert(&'a Tx),
}

impl Db {
    /// Loads rows in one transaction: all of them, or none.
    pub async fn load(&self, rows: impl AsyncFn(&mut Bulk<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let Some(pool) = self.postgres_pool() else {
            return self.write(async |tx| rows(&mut Bulk(Way::Insert(&tx))).await).await;
        };
        let mut transaction = pool.begin().await.map_err(Error::internal)?;
        // It is bulk that is wanted here: a statement takes as long as it takes.
        let patient = "SET LOCAL statement_timeout = 0";
        sea_orm::sqlx::query(patient).execute(&mut *transaction).await.map_err(Error::internal)?;
        rows(&mut Bulk(Way::Copy(&mut transaction))).await?;
        transaction.commit().await.map_err(Error::internal)
    }
}

impl Bulk<'_> {
    /// Writes rows of a table.
    pub async fn put<M>(&mut self, rows: Vec<M>) -> Result<(), Error>
    where
        M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    {
        if rows.is_empty() {
            return Ok(());
        }
        match &mut self.0 {
            Way::Insert(tx) => {
                let columns = <M::Entity as EntityTrait>::Column::iter().count();
                let mut rows = rows.into_iter().map(IntoActiveModel::into_active_model).peekable();
                while rows.peek().is_some() {
                    let some: Vec<_> = rows.by_ref().take(VALUES / columns).collect();
                    <M::Entity as EntityTrait>::insert_many(some).exec_without_returning(&***tx).await?;
                }
                Ok(())
            }
            Way::Copy(connection) => {
                let columns: Vec<_> =
                    <M::Entity as EntityTrait>::Column::iter().map(|column| column.as_str().to_owned()).collect();
                let table = <M::Entity as Default>::default();
                let copy = format!("COPY {} ({}) FROM STDIN", table.table_name(), columns.join(", "));
                let mut text = String::with_capacity(rows.len() * 256);
                rows.iter().for_each(|row| line(&mut text, row));
                let mut sink = connection.copy_in_raw(&copy).await.map_err(Error::internal)?;
                sink.send(text.into_bytes()).await.map_err(Error::internal)?;
                sink.finish().await.map_err(Error::internal).map(drop)
            }
        }
    }
}

/// A row as the text format of `COPY` has it (postgresql.org/docs/current/sql-copy.html).
fn line<M: ModelTrait>(text: &mut String, row: &M) {
    for (at, column) in <M::Entity as EntityTrait>::Column::iter().enumerate() {
        if at > 0 {
            text.push('\t');
        }
        value(text, &row.get(column));
    }
    text.push('\n');
}

fn value(text: &mut String, value: &Value) {
    let written = match value {
        Value::BigInt(Some(number)) => write!(text, "{number}"),
        Value::Bool(Some(yes)) => write!(text, "{yes}"),
        Value::Uuid(Some(id)) => write!(text, "{id}"),
        Value::ChronoDateTimeUtc(Some(time)) => {
            text.push_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true));
            Ok(())
        }
        Value::String(Some(words)) => {
            words.chars().for_each(|letter| escaped(text, letter));
            Ok(())
        }
        other if *other == other.as_null() => text.write_str("\\N"),
        other => unreachable!("no table that is loaded in bulk has a column of {other:?}"),
    };
    written.expect("a string takes all");
}

fn escaped(text: &mut String, letter: char) {
    match letter {
        '\\' => text.push_str("\\\\"),
        '\t' => text.push_str("\\t"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        letter => text.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_to_copy_is_escaped() {
        let mut text = String::new();
        for one in [Value::from("a\tb\\c\nd"), Value::String(None), Value::from(7_i64), Value::from(true)] {
            value(&mut text, &one);
            text.push('|');
        }
        assert_eq!(text, "a\\tb\\\\c\\nd|\\N|7|true|");
    }
}
