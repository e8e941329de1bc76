//! What the tests of operations stand on: a database of its own, a clock that stands still, seeded ids.

use std::sync::Arc;

use tempfile::TempDir;
use yeyak_migrations::{Indexes, Migrator, MigratorTrait};

use crate::kit::Kit;
use crate::kit::clock::{ManualClock, Time};
use crate::kit::id::Ids;
use crate::kit::keyring::Keyring;
use crate::kit::tx::{DatabaseSettings, Db};

pub(crate) struct Harness {
    pub(crate) kit: Kit,
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    folder: TempDir,
}

impl Harness {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match yeyak_services::on_production() {
            true => yeyak_services::Postgres::shared().create(),
            false => format!("sqlite:{}/yeyak.db", folder.path().display()),
        };
        let db = Db::open(&DatabaseSettings::of(&url)).await.expect("opens");
        Migrator::up(db.schema_connection(), None).await.expect("migrates");
        Indexes::up(db.schema_connection(), None).await.expect("migrates");
        let start: Time = "2026-03-01T00:00:00Z".parse().expect("an instant");
        let clock = Arc::new(ManualClock::at(start));
        let ids = Arc::new(Ids::seeded(1));
        let keys = Arc::new(Keyring::generate(&ids));
        Self { kit: Kit::new(db.clone(), clock.clone(), ids, keys), db, clock, folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
