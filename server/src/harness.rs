//! What the tests of operations stand on: SQLite in a folder of its own, a clock that stands still, seeded ids.

use std::sync::Arc;

use tempfile::TempDir;
use yeyak_migrations::{Migrator, MigratorTrait};

use crate::kit::Kit;
use crate::kit::clock::{ManualClock, Time};
use crate::kit::id::Ids;
use crate::kit::keyring::Keyring;
use crate::kit::tx::Db;

pub(crate) struct Harness {
    pub(crate) kit: Kit,
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Harness {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open(&format!("sqlite:{}/yeyak.db", folder.path().display()), 2).await.expect("opens");
        Migrator::up(db.schema_connection(), None).await.expect("migrates");
        let start: Time = "2026-03-01T00:00:00Z".parse().expect("an instant");
        let clock = Arc::new(ManualClock::at(start));
        let ids = Arc::new(Ids::seeded(1));
        let keys = Arc::new(Keyring::generate(&ids));
        Self { kit: Kit::new(db.clone(), clock.clone(), ids, keys), db, clock, _folder: folder }
    }
}
