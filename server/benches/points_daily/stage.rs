//! Many wallets in a PostgreSQL of its own, and a platform over them.

use std::time::Instant;

use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, AssertSqlSafe, PgPool, Row};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use yeyak::{Client, Options};
use yeyak_server::config::Sources;
use yeyak_server::point::demo::{Loaded, Size};
use yeyak_server::serve::{Platform, ServeError, World};
use yeyak_services::{Durability, Postgres, Redis};

use crate::{Failure, memory};

const PASSWORD: &str = "correct horse battery";
/// One connection tops out near 83,000 calls a second.
const CHANNELS: usize = 4;
/// The tables that are loaded and not looked into meanwhile: their indexes are built afterwards.
const TABLES: [&str; 4] = ["point_lot", "point_spending", "point_movement", "ledger_transfer"];
/// As on a machine that is its own: a sixth of the memory of this one for its cache.
const SETTINGS: [&str; 5] = [
    "shared_buffers=4GB",
    "work_mem=256MB",
    "maintenance_work_mem=1GB",
    "max_wal_size=16GB",
    "checkpoint_timeout=30min",
];

pub(crate) fn told(error: yeyak_server::error::Error) -> Failure {
    Failure::from(error.to_string())
}

pub(crate) struct Stage {
    pub(crate) admin: Client,
    pub(crate) points: yeyak_server::point::Points,
    pub(crate) database: PgPool,
    pub(crate) url: String,
    pub(crate) redis: Redis,
    pub(crate) loaded: Loaded,
    pub(crate) seed: u64,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
    folder: tempfile::TempDir,
    _postgres: Option<Postgres>,
}

/// The settings of every process of this installation.
fn sources(folder: &std::path::Path, url: &str, redis: &Redis) -> Sources {
    let mut sources = Sources::read(None)
        .with("data", folder)
        .with("listen", "127.0.0.1:0")
        .with("http", "127.0.0.1:0")
        .with("metrics", "")
        // The daily run by itself would be faster than the one that is measured.
        .with("workers", vec!["relay"])
        .with("database", url)
        // What is checked at the end sums up all wallets.
        .with("database_statement_seconds", 3_600)
        .with("redis", redis.url())
        .with("payment.allow_simulator", true)
        .with("password.memory_kib", 8)
        .with("limit.calls", 100_000)
        .with("limit.calls_per_service", 100_000)
        // Longer than the bench takes.
        .with("token.access_minutes", 60);
    for limit in ["member_calls_per_second", "member_burst", "address_calls_per_second", "address_burst"] {
        sources = sources.with(&format!("limit.{limit}"), 1_000_000);
    }
    sources
}

impl Stage {
    /// Over wallets that are in a database, or else over new ones.
    pub(crate) async fn new(size: Size, database: Option<String>) -> Result<Self, Failure> {
        let postgres = database.is_none().then(|| Postgres::start_with(Durability::Full, &SETTINGS));
        let redis = Redis::start();
        let folder = tempfile::tempdir()?;
        let url = database.or_else(|| postgres.as_ref().map(Postgres::create)).ok_or("there is no database")?;
        let platform = Platform::open(sources(folder.path(), &url, &redis).config()?, World::default()).await?;
        let email = format!("admin.{:x}@example.kr", rand::random::<u64>());
        platform.members.create_admin(&email, PASSWORD, "관리자").await.map_err(told)?;
        let database = PgPoolOptions::new().max_connections(4).connect(&url).await?;
        let points = platform.points.clone();

        let loaded = match &postgres {
            Some(_) => load(&database, &points, size).await?,
            None => known(&database).await?,
        };

        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, listening) = oneshot::channel();
        let serving = tokio::spawn(platform.serve(move |ports| _ = ready.send(*ports), async { _ = stopped.await }));
        let server = format!("http://{}", listening.await?.grpc);
        let options = Options::default().channels(CHANNELS).attempts(1);
        let admin = Client::connect_with(&server, options).await?;
        admin.log_in(&email, PASSWORD).await?;
        let seed = size.seed;
        Ok(Self { admin, points, database, url, redis, loaded, seed, stop, serving, folder, _postgres: postgres })
    }

    /// The environment by which `yeyak` works on this installation.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        let data = self.folder.path().display().to_string();
        let (database, redis) = (self.url.clone(), self.redis.url());
        let simulator = "true".to_owned();
        [
            ("YEYAK_DATA", data),
            ("YEYAK_DATABASE", database),
            ("YEYAK_REDIS", redis),
            ("YEYAK_PAYMENT__ALLOW_SIMULATOR", simulator),
        ]
    }

    pub(crate) fn member(&self, number: u64) -> String {
        yeyak_server::point::Points::demo_member(self.seed, number % self.loaded.wallets).to_string()
    }

    pub(crate) async fn run(&self, statement: &str) -> Result<(), Failure> {
        run(&self.database, statement).await
    }

    pub(crate) async fn count(&self, select: &str) -> Result<i64, Failure> {
        count(&self.database, select).await
    }

    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let Self { admin, stop, serving, database, .. } = self;
        drop(admin);
        database.close().await;
        _ = stop.send(());
        Ok(serving.await??)
    }
}

/// Makes wallets.
async fn load(database: &PgPool, points: &yeyak_server::point::Points, size: Size) -> Result<Loaded, Failure> {
    let began = Instant::now();
    let indexes = drop_indexes(database).await?;
    let loaded = points.load_demo(size, |_| {}).await.map_err(told)?;
    let copied = began.elapsed().as_secs_f64();
    for index in indexes {
        run(database, &index).await?;
    }
    run(database, "VACUUM ANALYZE").await?;
    println!(
        r#"{{"bench":"points","what":"load","wallets":{},"movements":{},"copy_seconds":{copied:.1},"seconds":{:.1},"peak_rss_mb":{}}}"#,
        loaded.wallets,
        loaded.movements,
        began.elapsed().as_secs_f64(),
        memory::told()
    );
    Ok(loaded)
}

/// The wallets that are there.
async fn known(database: &PgPool) -> Result<Loaded, Failure> {
    let wallets = u64::try_from(count(database, "SELECT count(*) FROM point_wallet").await?)?;
    let movements = u64::try_from(count(database, "SELECT count(*) FROM point_movement").await?)?;
    Ok(Loaded { wallets, movements, known: wallets })
}

async fn count(database: &PgPool, select: &str) -> Result<i64, Failure> {
    let row = sqlx::query(AssertSqlSafe(select.to_owned())).fetch_one(database).await?;
    Ok(row.try_get(0)?)
}

async fn run(database: &PgPool, statement: &str) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(database).await?;
    Ok(())
}

/// Drops the indexes of what is loaded; how to make them again.
async fn drop_indexes(database: &PgPool) -> Result<Vec<String>, Failure> {
    let select = "SELECT i.indexname, i.indexdef, c.conname, pg_get_constraintdef(c.oid) FROM pg_indexes AS i \
                  LEFT JOIN pg_constraint AS c ON c.conindid = to_regclass(i.indexname) AND c.contype = 'p' \
                  WHERE i.tablename = $1";
    let mut again = Vec::new();
    for table in TABLES {
        for row in sqlx::query(select).bind(table).fetch_all(database).await? {
            let (name, definition): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let constraint: Option<String> = row.try_get(2)?;
            if let Some(constraint) = constraint {
                let definition: String = row.try_get(3)?;
                run(database, &format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}")).await?;
                again.push(format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}"));
            } else {
                run(database, &format!("DROP INDEX {name}")).await?;
                again.push(definition);
            }
        }
    }
    Ok(again)
}
