//! SQLite's one writer: what waits at the same moment shares one commit.
//!
//! A commit costs one flush to disk however much is in it, so sharing it is what makes SQLite fast. The writer hands the open
//! transaction to one operation after another, each in a savepoint of its own, and commits when nobody waits any more.

use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::{mpsc, oneshot};

use super::{Hooks, PATIENCE, Tx, patiently, run, sole};
use crate::error::{Error, Unavailable};

/// The most operations in one commit: the first of them waits for the last.
const LIMIT: usize = 256;
/// Callers beyond this wait to be queued.
const QUEUE: usize = 4096;

#[derive(Clone)]
pub(super) struct Batches {
    connection: DatabaseConnection,
    turns: mpsc::Sender<oneshot::Sender<Turn>>,
}

/// An operation's turn with the open transaction.
struct Turn {
    tx: Tx,
    /// Told whether the operation's work is to be kept; dropped with a caller that went away, which undoes it.
    keep: oneshot::Sender<bool>,
    /// Told when the commit is on disk, or why it is not.
    committed: oneshot::Receiver<Result<(), Error>>,
}

impl Batches {
    pub(super) fn start(connection: DatabaseConnection) -> Self {
        let (turns, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(serve(connection.clone(), waiting));
        Self { connection, turns }
    }

    pub(super) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    pub(super) async fn write<T, F, Fut>(&self, op: &F) -> Result<T, Error>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let gone = || Error::from(Unavailable { what: "the database" });
        let (offer, turn) = oneshot::channel();
        self.turns.send(offer).await.map_err(|_| gone())?;
        let Turn { tx, keep, committed } = turn.await.map_err(|_| gone())?;
        let outcome = patiently(op(tx)).await;
        keep.send(outcome.is_ok()).map_err(|_| gone())?;
        let value = outcome?;
        committed.await.map_err(|_| gone())??;
        Ok(value)
    }
}

async fn serve(connection: DatabaseConnection, mut waiting: mpsc::Receiver<oneshot::Sender<Turn>>) {
    while let Some(first) = waiting.recv().await {
        let mut batch = match Batch::begin(&connection).await {
            Ok(batch) => batch,
            Err(error) => {
                // The caller's turn is dropped: it answers that the database can't be reached.
                tracing::error!("no transaction could be begun: {error}");
                continue;
            }
        };
        let mut next = Some(first);
        while let Some(offer) = next {
            if let Err(error) = batch.give(offer).await {
                tracing::error!("an operation could not be undone, and its batch with it: {error}");
                batch.broken = Some(error);
                break;
            }
            next = if batch.members < LIMIT { waiting.try_recv().ok() } else { None };
        }
        batch.commit().await;
    }
}

struct Batch {
    transaction: Arc<DatabaseTransaction>,
    members: usize,
    kept: Vec<(oneshot::Sender<Result<(), Error>>, Hooks)>,
    broken: Option<Error>,
}

impl Batch {
    async fn begin(connection: &DatabaseConnection) -> Result<Self, Error> {
        // IMMEDIATE: a transaction that reads first and writes then would be refused as soon as anyone else writes.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = Arc::new(connection.begin_with_options(options).await?);
        Ok(Self { transaction, members: 0, kept: Vec::new(), broken: None })
    }

    async fn give(&mut self, offer: oneshot::Sender<Turn>) -> Result<(), Error> {
        if offer.is_closed() {
            return Ok(());
        }
        self.members += 1;
        self.transaction.execute_unprepared("SAVEPOINT op").await?;
        let hooks = Hooks::default();
        let (keep, kept) = oneshot::channel();
        let (commit, committed) = oneshot::channel();
        let tx = Tx { transaction: self.transaction.clone(), hooks: hooks.clone() };
        let offered = offer.send(Turn { tx, keep, committed }).is_ok();
        let keep = offered && self.wait(kept).await;
        if !keep {
            self.transaction.execute_unprepared("ROLLBACK TO op").await?;
        }
        self.transaction.execute_unprepared("RELEASE op").await?;
        if keep {
            self.kept.push((commit, hooks));
        }
        Ok(())
    }

    /// Whether the operation's work is to be kept. Its handle must be gone: a statement behind the savepoint's end would
    /// belong to nobody.
    async fn wait(&self, kept: oneshot::Receiver<bool>) -> bool {
        let keep = tokio::time::timeout(PATIENCE * 2, kept).await.is_ok_and(|kept| kept == Ok(true));
        if Arc::strong_count(&self.transaction) == 1 {
            return keep;
        }
        false
    }

    async fn commit(self) {
        let Self { transaction, kept, broken, .. } = self;
        let outcome = match (broken, sole(transaction)) {
            (None, Ok(transaction)) => transaction.commit().await.map_err(Error::from),
            (Some(error), _) | (None, Err(error)) => Err(error),
        };
        for (committed, hooks) in kept {
            if outcome.is_ok() {
                run(&hooks);
            }
            // A caller that went away has its answer in the record of its request.
            _ = committed.send(outcome.clone());
        }
    }
}
