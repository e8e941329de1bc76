//! Transactions: [`Db::write`] runs the body of an operation, once or again, and answers after the commit.
//!
//! Promises:
//! - what `write` returned as done is on disk;
//! - a body that fails leaves nothing behind, and nothing else of its batch fails with it;
//! - what was put with [`Tx::on_commit`] runs after the commit, and only then.

mod batch;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseBackend, DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::time::timeout;

use self::batch::Batches;
use crate::error::{Error, Unavailable};

/// How often a body is run again when the database asks for it.
const TRIES: u32 = 6;
/// A body that takes longer than this has gone wrong, and holds up all others.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database: reads on a pool, writes by [`Db::write`].
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    writes: Writes,
}

#[derive(Clone)]
enum Writes {
    /// SQLite has one writer: what waits at the same moment is committed together.
    Batched(Batches),
    /// PostgreSQL has many.
    Pooled(DatabaseConnection),
}

/// The transaction of an operation; derefs to the connection that its statements run on.
#[derive(Clone)]
pub struct Tx {
    transaction: Arc<DatabaseTransaction>,
    hooks: Hooks,
}

type Hook = Box<dyn FnOnce() + Send>;
type Hooks = Arc<Mutex<Vec<Hook>>>;

impl Tx {
    /// Runs something, quick and infallible, once the transaction is on disk: a cache told, a watcher woken.
    pub fn on_commit(&self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.lock().expect("nothing panics while it pushes").push(Box::new(hook));
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("backend", &self.backend()).finish()
    }
}

impl Db {
    /// Opens a database by its URL: `sqlite:path`, made when it is missing, or `postgres://…`.
    pub async fn open(url: &str, connections: u32) -> Result<Self, Error> {
        match url.strip_prefix("sqlite:") {
            Some(path) => Self::sqlite(path.trim_start_matches("//"), connections).await,
            None => {
                let mut options = ConnectOptions::new(url);
                options.max_connections(connections).sqlx_logging(false);
                let pool = Database::connect(options).await?;
                Ok(Self { read: pool.clone(), writes: Writes::Pooled(pool) })
            }
        }
    }

    async fn sqlite(path: &str, connections: u32) -> Result<Self, Error> {
        let options = |connections| {
            let mut options = ConnectOptions::new(format!("sqlite:{path}?mode=rwc"));
            options.max_connections(connections).min_connections(1).sqlx_logging(false).test_before_acquire(false);
            options.map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .pragma("journal_mode", "WAL")
                    // FULL: an answer given must outlive a power cut, not only a crash of the process.
                    .pragma("synchronous", "FULL")
                    .pragma("busy_timeout", "5000")
                    // For each connection: the system's own cache holds the file.
                    .pragma("cache_size", "-4000")
                    .foreign_keys(true)
                    .statement_cache_capacity(512)
            });
            options
        };
        let write = Database::connect(options(1)).await?;
        let read = Database::connect(options(connections)).await?;
        Ok(Self { read, writes: Writes::Batched(Batches::start(write)) })
    }

    /// The pool for reads outside a transaction. Each statement sees all that was committed before it.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Which database it is.
    pub fn backend(&self) -> DatabaseBackend {
        self.read.get_database_backend()
    }

    /// The connection that migrations run on.
    pub fn schema_connection(&self) -> &DatabaseConnection {
        match &self.writes {
            Writes::Batched(batches) => batches.connection(),
            Writes::Pooled(pool) => pool,
        }
    }

    /// Runs `op` in a transaction and answers after its commit.
    ///
    /// `op` runs again when the database asks for it, so it must touch nothing but `tx`.
    /// Errors of `op` roll back and are given as they are.
    pub async fn write<T, F, Fut>(&self, op: F) -> Result<T, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let mut tries = 0;
        loop {
            let outcome = match &self.writes {
                Writes::Batched(batches) => batches.write(&op).await,
                Writes::Pooled(pool) => alone(pool, &op).await,
            };
            tries += 1;
            match outcome {
                Err(error) if error.is_contention() && tries < TRIES => {
                    tracing::debug!(tries, "the database asked to try again: {error}");
                    // Tokio's own clock spreads callers enough: each comes here at another moment.
                    tokio::time::sleep(Duration::from_millis(2 << tries)).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// One operation, one transaction, one commit.
async fn alone<T, F, Fut>(pool: &DatabaseConnection, op: &F) -> Result<T, Error>
where
    F: Fn(Tx) -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    let hooks = Hooks::default();
    let transaction = Arc::new(pool.begin().await?);
    let tx = Tx { transaction: transaction.clone(), hooks: hooks.clone() };
    let outcome = patiently(op(tx)).await;
    let transaction = sole(transaction)?;
    match outcome {
        Ok(value) => {
            transaction.commit().await?;
            run(&hooks);
            Ok(value)
        }
        Err(error) => {
            transaction.rollback().await?;
            Err(error)
        }
    }
}

async fn patiently<T>(body: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match timeout(PATIENCE, body).await {
        Ok(outcome) => outcome,
        Err(_) => {
            tracing::error!("a transaction took more than {PATIENCE:?} and was rolled back");
            Err(Unavailable { what: "the database" }.into())
        }
    }
}

/// The transaction, when its operation kept no handle to it: a handle kept would outlive the commit.
fn sole(transaction: Arc<DatabaseTransaction>) -> Result<DatabaseTransaction, Error> {
    Arc::try_unwrap(transaction).map_err(|_| Error::internal("an operation kept its transaction"))
}

fn run(hooks: &Hooks) {
    let hooks = std::mem::take(&mut *hooks.lock().expect("nothing panics while it pushes"));
    for hook in hooks {
        hook();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

    use super::*;
    use crate::error::NotFound;

    async fn database() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open(&format!("sqlite:{}/test.db", folder.path().display()), 2).await.expect("opens");
        db.schema_connection().execute_unprepared("CREATE TABLE n (n INTEGER UNIQUE)").await.expect("creates");
        (folder, db)
    }

    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }

    async fn count(db: &Db) -> i64 {
        let statement = Statement::from_string(db.backend(), "SELECT count(*) AS count FROM n");
        Count::find_by_statement(statement).one(db.read()).await.expect("reads").expect("a row").count
    }

    async fn insert(tx: &Tx, n: usize) -> Result<(), Error> {
        tx.execute_unprepared(&format!("INSERT INTO n VALUES ({n})")).await?;
        Ok(())
    }

    /// Guard: the savepoint around each operation of a batch.
    #[tokio::test]
    async fn a_refusal_takes_nothing_of_its_batch_with_it() {
        let (_folder, db) = database().await;

        let outcomes = futures::future::join_all((0..100).map(|n| {
            let db = db.clone();
            async move {
                db.write(async |tx| {
                    insert(&tx, n).await?;
                    if n % 3 == 0 { Err(NotFound::new("number", n).into()) } else { Ok(()) }
                })
                .await
            }
        }))
        .await;

        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 34);
        assert_eq!(count(&db).await, 66);
    }

    /// Guard: a refusal that waits for the commit of its batch. The row that refuses must be there for all to read.
    #[tokio::test]
    async fn what_refuses_is_on_disk_before_the_refusal_is_told() {
        let (_folder, db) = database().await;

        let twins = (0..50).map(|_| async {
            match db.write(async |tx| insert(&tx, 1).await).await {
                Ok(()) => 1,
                Err(_) => count(&db).await,
            }
        });

        assert!(futures::future::join_all(twins).await.iter().all(|seen| *seen == 1));
    }

    #[tokio::test]
    async fn hooks_run_after_the_commit_and_never_after_a_refusal() {
        let (_folder, db) = database().await;
        let ran = Arc::new(AtomicUsize::new(0));

        for refuse in [false, true] {
            let outcome: Result<(), Error> = db
                .write(async |tx| {
                    insert(&tx, 1).await?;
                    let ran = ran.clone();
                    tx.on_commit(move || _ = ran.fetch_add(1, Ordering::SeqCst));
                    if refuse { Err(NotFound::new("number", 1).into()) } else { Ok(()) }
                })
                .await;
            assert_eq!(outcome.is_err(), refuse || count(&db).await != 1);
        }

        assert_eq!((ran.load(Ordering::SeqCst), count(&db).await), (1, 1));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_nothing_and_blocks_nobody() {
        let (_folder, db) = database().await;
        let stuck = db.write(async |tx| {
            insert(&tx, 1).await?;
            std::future::pending::<Result<(), Error>>().await
        });
        assert!(timeout(Duration::from_millis(50), stuck).await.is_err());

        db.write(async |tx| insert(&tx, 2).await).await.expect("the writer goes on");

        assert_eq!(count(&db).await, 1);
    }

    #[tokio::test]
    async fn an_operation_that_keeps_its_transaction_is_refused() {
        let (_folder, db) = database().await;
        let kept = Mutex::new(None);
        let outcome = db
            .write(async |tx| {
                insert(&tx, 1).await?;
                *kept.lock().expect("free") = Some(tx.clone());
                Ok(())
            })
            .await;
        drop(kept);
        assert!(outcome.is_err());
        db.write(async |tx| insert(&tx, 2).await).await.expect("the writer goes on");
        assert_eq!(count(&db).await, 1);
    }
}
