//! The schema of Yeyak, the same on SQLite and PostgreSQL.
//!
//! A migration that was released is never changed: a change expands the schema first and contracts it a release later.

use sea_orm_migration::prelude::*;

mod m0001_kit;
mod m0002_member;
mod m0003_stay;
mod m0004_inventory;
mod m0005_ledger_payment;
mod m0006_booking;

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
        ]
    }
}

pub use sea_orm_migration::MigratorTrait;

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
