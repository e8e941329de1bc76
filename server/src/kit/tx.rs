//! Transactions: [`Db::write`] runs the body of an operation, once or again, and answers after the commit.
//!
//! Promises:
//! - what `write` returned as done is on disk;
//! - a body that fails leaves nothing behind, and nothing else of its batch fails with it;
//! - what was put with [`Tx::on_commit`] runs after the commit, also when its word was lost; never after a refusal;
//! - events are written with what they tell of, at the end: those of an operation together, on SQLite those of its batch.

mod batch;
mod lane;
mod open;
mod replica;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::entity::prelude::{ColumnTrait, Expr};
use sea_orm::sqlx::PgPool;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, QueryResult, Statement, TransactionTrait,
};
use tokio::time::timeout;
use uuid::Uuid;

use self::batch::Batches;
pub use self::lane::as_job;
pub use self::open::DatabaseSettings;
use self::replica::Replica;
use super::outbox;
use crate::error::{Error, Unavailable};

/// How often a body is run again when the database asks for it.
const TRIES: u32 = 6;
/// A body that takes longer than this has gone wrong, and holds up all others.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a statement may take that looks at very much: a call may take no longer.
const SLOW: Duration = Duration::from_secs(60);
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(1);

/// The database: reads on a pool, writes by [`Db::write`].
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    writes: Writes,
    /// Connections of background work, so that it never takes those of calls; none on SQLite.
    jobs: Option<DatabaseConnection>,
    replica: Option<Replica>,
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
    later: Arc<Mutex<Later>>,
}

/// What an operation leaves for the end of its transaction.
#[derive(Default)]
struct Later {
    /// Written before the commit.
    events: Vec<outbox::ActiveModel>,
    /// Run behind it.
    hooks: Vec<Hook>,
}

type Hook = Box<dyn FnOnce(Commit) + Send>;

/// What is known of a commit behind which hooks run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Commit {
    /// It is on disk.
    Done,
    /// Its word was lost: it may be on disk, now or in a moment, or never.
    Unknown,
}

impl Tx {
    fn new(transaction: &Arc<DatabaseTransaction>) -> (Self, Arc<Mutex<Later>>) {
        let later = Arc::<Mutex<Later>>::default();
        (Self { transaction: transaction.clone(), later: later.clone() }, later)
    }

    /// Has events written at the end of the transaction.
    pub(super) fn write_events(&self, events: impl IntoIterator<Item = outbox::ActiveModel>) {
        self.later.lock().expect("nothing panics while it pushes").events.extend(events);
    }

    /// Runs something, quick and infallible, once the transaction is on disk, or may be: a cache told, a watcher woken. Whoever
    /// hears of it looks at the rows.
    pub fn on_commit(&self, hook: impl FnOnce() + Send + 'static) {
        self.on_end(move |_| hook());
    }

    /// As [`Self::on_commit`], for who does not look at the rows.
    pub fn on_end(&self, hook: impl FnOnce(Commit) + Send + 'static) {
        self.later.lock().expect("nothing panics while it pushes").hooks.push(Box::new(hook));
    }

    /// Whether other transactions may change rows at the same moment. SQLite has one writer.
    pub fn has_others(&self) -> bool {
        self.get_database_backend() == DatabaseBackend::Postgres
    }

    /// Waits for other transactions under the same key, and keeps those that come behind waiting until this one ends: for a
    /// limit over rows that can't be locked, since they are not there yet. SQLite has one writer, which is turn enough.
    ///
    /// Before any other lock of the transaction.
    pub async fn take_turn(&self, key: Uuid) -> Result<(), Error> {
        let lock = "SELECT pg_advisory_xact_lock(turn) FROM unnest($1::bigint[]) AS turn";
        self.wait_for_turns(lock, std::iter::once(key)).await
    }

    /// Takes turns together with others who share them, behind whoever waits for one alone: for many who rest on rows that
    /// few change. (A shared lock of a row itself would keep who changes it waiting for as long as others come.)
    ///
    /// Before any other lock of the transaction. Everybody takes several in the same order, lest they wait in a circle behind
    /// those who wait for one alone.
    pub async fn share_turns(&self, keys: impl Iterator<Item = Uuid>) -> Result<(), Error> {
        let lock = "SELECT pg_advisory_xact_lock_shared(turn) FROM unnest($1::bigint[]) AS turn";
        self.wait_for_turns(lock, keys).await
    }

    async fn wait_for_turns(&self, lock: &str, keys: impl Iterator<Item = Uuid>) -> Result<(), Error> {
        if self.has_others() {
            let mut turns: Vec<i64> = keys.map(turn).collect();
            turns.sort_unstable();
            let lock = Statement::from_sql_and_values(DatabaseBackend::Postgres, lock, [turns.into()]);
            self.execute_raw(lock).await?;
        }
        Ok(())
    }
}

/// Keys that collide wait for each other without need, and that is all.
fn turn(key: Uuid) -> i64 {
    let (high, low) = key.as_u64_pair();
    i64::from_ne_bytes((high ^ low).to_ne_bytes())
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
    /// Opens a database: `sqlite:path`, made when it is missing, or `postgres://…`. A PostgreSQL that can't be reached yet
    /// is no error: connections are made when a statement needs one.
    pub async fn open(settings: &DatabaseSettings) -> Result<Self, Error> {
        match settings.url.strip_prefix("sqlite:") {
            Some(path) => {
                let (write, read) = open::sqlite(path.trim_start_matches("//"), settings.connections).await?;
                Ok(Self { read, writes: Writes::Batched(Batches::start(write)), jobs: None, replica: None })
            }
            None => {
                let pool = open::postgres(settings, &settings.url, "calls", settings.connections).await?;
                let jobs = open::postgres(settings, &settings.url, "jobs", settings.job_connections).await?;
                let replica = match &settings.replica {
                    Some(url) => {
                        let pool = open::postgres(settings, url, "replica", settings.connections).await?;
                        Some(Replica::new(pool, settings.replica_lag))
                    }
                    None => None,
                };
                Ok(Self { read: pool.clone(), writes: Writes::Pooled(pool), jobs: Some(jobs), replica })
            }
        }
    }

    /// The pool for reads outside a transaction. Each statement sees all that was committed before it.
    pub fn read(&self) -> &DatabaseConnection {
        match &self.jobs {
            Some(jobs) if lane::is_job() => jobs,
            _ => &self.read,
        }
    }

    /// The pool for large reads that may be a few seconds old: the replica, while it follows closely enough, else the
    /// database itself. Never for what a caller may just have written.
    pub async fn read_late(&self) -> &DatabaseConnection {
        match &self.replica {
            Some(replica) if replica.is_close().await => replica.pool(),
            _ => self.read(),
        }
    }

    /// A row of a statement that looks at very much, as late as [`Self::read_late`] may be: it may take as long as a call may.
    pub async fn read_slowly(&self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        let pool = self.read_late().await;
        if !self.is_shared() {
            return Ok(pool.query_one_raw(statement).await?);
        }
        let transaction = pool.begin().await?;
        transaction.execute_unprepared(&format!("SET LOCAL statement_timeout = {}", SLOW.as_millis())).await?;
        let row = transaction.query_one_raw(statement).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Which database it is.
    pub fn backend(&self) -> DatabaseBackend {
        self.read.get_database_backend()
    }

    /// Whether other processes may change the tables: a SQLite file is locked by its one server.
    pub fn is_shared(&self) -> bool {
        self.backend() != DatabaseBackend::Sqlite
    }

    /// The pools by name, with how many connections each has open and how many of those are idle.
    pub fn pools(&self) -> Vec<(&'static str, u32, usize)> {
        let size = |name, pool: &DatabaseConnection| match self.backend() {
            DatabaseBackend::Postgres => {
                let pool = pool.get_postgres_connection_pool();
                (name, pool.size(), pool.num_idle())
            }
            _ => {
                let pool = pool.get_sqlite_connection_pool();
                (name, pool.size(), pool.num_idle())
            }
        };
        let others = [("jobs", self.jobs.as_ref()), ("replica", self.replica.as_ref().map(Replica::pool))];
        let mut pools = vec![size("calls", &self.read)];
        pools.extend(others.into_iter().filter_map(|(name, pool)| Some(size(name, pool?))));
        pools
    }

    /// Closes every connection of the pools.
    pub async fn close(&self) {
        let others = [self.jobs.as_ref(), self.replica.as_ref().map(Replica::pool)];
        for pool in [Some(&self.read)].into_iter().chain(others).flatten() {
            if let Err(error) = pool.close_by_ref().await {
                tracing::debug!("a pool could not be closed: {error}");
            }
        }
    }

    /// The pool itself, where it is one of PostgreSQL: for what only its own protocol can do.
    pub fn postgres_pool(&self) -> Option<&PgPool> {
        match &self.writes {
            Writes::Batched(_) => None,
            Writes::Pooled(pool) => Some(pool.get_postgres_connection_pool()),
        }
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
                Writes::Pooled(pool) => {
                    let pool = self.jobs.as_ref().filter(|_| lane::is_job()).unwrap_or(pool);
                    alone(pool, &op).await
                }
            };
            tries += 1;
            match outcome {
                Err(error) if error.is_repeatable() && tries < TRIES => {
                    tracing::debug!(tries, "the database asked to try again: {error}");
                    // Tokio's own clock spreads callers enough: each comes here at another moment.
                    tokio::time::sleep(Duration::from_millis(2 << tries)).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Whether a column is one of many ids: on PostgreSQL in a statement whose text is the same for any number of them.
pub fn among(conn: &impl ConnectionTrait, column: impl ColumnTrait, ids: Vec<Uuid>) -> Expr {
    match conn.get_database_backend() {
        DatabaseBackend::Postgres => column.eq_any(ids),
        _ => column.is_in(ids),
    }
}

/// One operation, one transaction, one commit.
async fn alone<T, F, Fut>(pool: &DatabaseConnection, op: &F) -> Result<T, Error>
where
    F: Fn(Tx) -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    let transaction = Arc::new(pool.begin().await?);
    let (tx, later) = Tx::new(&transaction);
    let outcome = patiently(async {
        let value = op(tx).await?;
        let Later { events, hooks } = taken(&later);
        outbox::write(&*transaction, events).await?;
        Ok((value, hooks))
    })
    .await;
    let transaction = sole(transaction)?;
    match outcome {
        Ok((value, hooks)) => {
            // A server that is gone without a word answers nothing: whether the commit is on its disk is not known then.
            let committed = match timeout(PATIENCE, transaction.commit()).await {
                Ok(committed) => committed.map_err(|error| Error::from(error).of_commit()),
                Err(_) => Err(Unavailable { what: "the database" }.into()),
            };
            match &committed {
                Ok(()) => run(hooks),
                // A cache that goes on with what was may be wrong then; one that reads again is not.
                Err(error) if error.fault::<Unavailable>().is_some() => run_behind(Commit::Unknown, hooks),
                Err(_) => {}
            }
            committed.map(|()| value)
        }
        Err(error) => {
            match timeout(ROLLBACK_PATIENCE, transaction.rollback()).await {
                Ok(Ok(())) => {}
                Ok(Err(lost)) => tracing::debug!("a connection was lost, and its transaction with it: {lost}"),
                Err(_) => tracing::debug!("a connection does not answer, and its transaction ends with it"),
            }
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

fn taken(later: &Mutex<Later>) -> Later {
    std::mem::take(&mut *later.lock().expect("nothing panics while it pushes"))
}

fn run(hooks: Vec<Hook>) {
    run_behind(Commit::Done, hooks);
}

fn run_behind(commit: Commit, hooks: Vec<Hook>) {
    for hook in hooks {
        hook(commit);
    }
}

#[cfg(test)]
mod tests;
