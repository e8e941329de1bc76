//! The schema of Yeyak, the same on SQLite and PostgreSQL.
//!
//! A migration that was released is never changed: a change expands the schema first and contracts it a release later.

use std::collections::HashSet;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

mod m0001_kit;
mod m0002_member;
mod m0003_stay;
mod m0004_inventory;
mod m0005_ledger_payment;
mod m0006_booking;
mod m0007_queue;
mod m0008_refused_refund;
mod m0009_paid_change;
mod m0010_coupon;
mod m0011_point;
mod m0012_discount;
mod m0013_booking_points;
mod m0014_reserved_difference;
mod m0015_used_quote;
mod m0016_point_lot_above;
mod m0017_change_terms;
mod m0018_point_lot_written_off;
mod m0019_no_show_settled;
mod m0020_no_shows_of_before;
mod x0001_tidy;
mod x0002_departed;
mod x0003_webhooks;
mod x0004_logins;
mod x0005_point_spendings;
mod x0006_outbox_turn;
mod x0007_unsettled;

/// Brings a database to the schema of this release.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_kit::Migration),
            Box::new(m0002_member::Migration),
            Box::new(m0003_stay::Migration),
            Box::new(m0004_inventory::Migration),
            Box::new(m0005_ledger_payment::Migration),
            Box::new(m0006_booking::Migration),
            Box::new(m0007_queue::Migration),
            Box::new(m0008_refused_refund::Migration),
            Box::new(m0009_paid_change::Migration),
            Box::new(m0010_coupon::Migration),
            Box::new(m0011_point::Migration),
            Box::new(m0012_discount::Migration),
            Box::new(m0013_booking_points::Migration),
            Box::new(m0014_reserved_difference::Migration),
            Box::new(m0015_used_quote::Migration),
            Box::new(m0016_point_lot_above::Migration),
            Box::new(m0017_change_terms::Migration),
            Box::new(m0018_point_lot_written_off::Migration),
            Box::new(m0019_no_show_settled::Migration),
            Box::new(m0020_no_shows_of_before::Migration),
        ]
    }
}

/// Indexes that nothing rests on but speed, built beside running servers once the tables are as this release wants them:
/// on PostgreSQL concurrently, so that no write waits for them.
#[derive(Debug)]
pub struct Indexes;

#[async_trait::async_trait]
impl MigratorTrait for Indexes {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(x0001_tidy::Migration),
            Box::new(x0002_departed::Migration),
            Box::new(x0003_webhooks::Migration),
            Box::new(x0004_logins::Migration),
            Box::new(x0005_point_spendings::Migration),
            Box::new(x0006_outbox_turn::Migration),
            Box::new(x0007_unsettled::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        "seaql_indexes".into_iden()
    }
}

/// Makes the tables of runs of jobs, in a database of their own, where they are not there yet.
pub async fn make_job_tables(conn: &impl ConnectionTrait) -> Result<(), DbErr> {
    for table in m0011_point::runs() {
        conn.execute_raw(conn.get_database_backend().build(&table)).await?;
    }
    Ok(())
}

pub use sea_orm_migration::MigratorTrait;

/// The names of the migrations that are still to be applied, in their order. What a newer release has applied is none of them:
/// its schema serves this release too, so that one can follow the other without a pause, and be rolled back.
pub async fn pending<M: MigratorTrait>(conn: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let table = M::migration_table_name().to_string();
    let mut applied = HashSet::new();
    if SchemaManager::new(conn).has_table(&table).await? {
        let all = Statement::from_string(conn.get_database_backend(), format!("SELECT version FROM {table}"));
        for row in conn.query_all_raw(all).await? {
            applied.insert(row.try_get::<String>("", "version")?);
        }
    }
    let names = M::get_migration_files().into_iter().map(|migration| migration.name().to_owned());
    Ok(names.filter(|name| !applied.contains(name)).collect())
}

/// Drops an index outside a transaction: who writes to its table does not wait behind it while it waits for those who read.
pub(crate) async fn drop_index_concurrently(manager: &SchemaManager<'_>, name: &str) -> Result<(), DbErr> {
    let how = if manager.get_database_backend() == DbBackend::Postgres { "CONCURRENTLY" } else { "" };
    manager.get_connection().execute_unprepared(&format!("DROP INDEX {how} IF EXISTS {name}")).await.map(drop)
}

/// Builds an index, such as `on` the table `inbox (create_time)`, without holding up writes, outside a transaction. One that an
/// earlier try left unfinished is built anew.
pub(crate) async fn index_concurrently(manager: &SchemaManager<'_>, name: &str, on: &str) -> Result<(), DbErr> {
    let conn = manager.get_connection();
    if manager.get_database_backend() != DbBackend::Postgres {
        conn.execute_unprepared(&format!("CREATE INDEX IF NOT EXISTS {name} ON {on}")).await?;
        return Ok(());
    }
    let unfinished =
        format!("SELECT 1 AS one FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid");
    if conn.query_one_raw(Statement::from_string(DbBackend::Postgres, unfinished)).await?.is_some() {
        conn.execute_unprepared(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
    }
    conn.execute_unprepared(&format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}")).await?;
    Ok(())
}

/// Creates an index over the columns of a table.
pub(crate) async fn index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
    unique: bool,
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table(Alias::new(table));
    for column in columns {
        index.col(Alias::new(*column));
    }
    if unique {
        index.unique();
    }
    manager.create_index(index).await
}

/// Makes columns unique among the rows in which the last of them is set.
pub(crate) async fn unique_where_set(
    manager: &SchemaManager<'_>,
    table: &str,
    name: &str,
    columns: &str,
    set: &str,
) -> Result<(), DbErr> {
    let create = format!("CREATE UNIQUE INDEX {name} ON {table} ({columns}, {set}) WHERE {set} IS NOT NULL");
    manager.get_connection().execute_unprepared(&create).await.map(drop)
}
