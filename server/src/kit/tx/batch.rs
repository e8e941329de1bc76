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

use super::{Hook, Later, PATIENCE, Tx, patiently, run, sole, taken};
use crate::error::{Error, Unavailable};
use crate::kit::outbox;

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
        // A refusal waits too: it may rest on what another operation of the batch wrote, which is true once it is on disk.
        committed.await.map_err(|_| gone())??;
        outcome
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

type Waiting = (oneshot::Sender<Result<(), Error>>, Vec<Hook>);

struct Batch {
    transaction: Arc<DatabaseTransaction>,
    members: usize,
    /// Who waits for the commit, and what runs behind it; nothing does for what was refused.
    waiting: Vec<Waiting>,
    /// What those whose work is kept have to tell.
    events: Vec<outbox::ActiveModel>,
    broken: Option<Error>,
    /// Whether the savepoint that is open holds work to keep. It is released together with the opening of the next one, the last
    /// by the commit: a statement less for each operation.
    holds_work: bool,
}

impl Batch {
    async fn begin(connection: &DatabaseConnection) -> Result<Self, Error> {
        // IMMEDIATE: a transaction that reads first and writes then would be refused as soon as anyone else writes.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = Arc::new(connection.begin_with_options(options).await?);
        transaction.execute_unprepared("SAVEPOINT op").await?;
        Ok(Self { transaction, members: 0, waiting: Vec::new(), events: Vec::new(), broken: None, holds_work: false })
    }

    async fn give(&mut self, offer: oneshot::Sender<Turn>) -> Result<(), Error> {
        if offer.is_closed() {
            return Ok(());
        }
        self.members += 1;
        if self.holds_work {
            self.transaction.execute_unprepared("RELEASE op; SAVEPOINT op").await?;
        }
        let (keep, kept) = oneshot::channel();
        let (commit, committed) = oneshot::channel();
        let (tx, later) = Tx::new(&self.transaction);
        let offered = offer.send(Turn { tx, keep, committed }).is_ok();
        let verdict = if offered { verdict(&self.transaction, kept).await } else { None };
        self.holds_work = verdict == Some(true);
        if !self.holds_work {
            self.transaction.execute_unprepared("ROLLBACK TO op").await?;
        }
        match verdict {
            Some(true) => {
                let Later { events, hooks } = taken(&later);
                self.events.extend(events);
                self.waiting.push((commit, hooks));
            }
            Some(false) => self.waiting.push((commit, Vec::new())),
            None => {}
        }
        Ok(())
    }

    async fn commit(self) {
        let Self { transaction, waiting, events, broken, .. } = self;
        let outcome = match (broken, sole(transaction)) {
            (None, Ok(transaction)) => finish(transaction, events).await,
            (Some(error), _) | (None, Err(error)) => Err(error),
        };
        for (committed, hooks) in waiting {
            if outcome.is_ok() {
                run(hooks);
            }
            // A caller that went away has its answer in the record of its request.
            _ = committed.send(outcome.clone());
        }
    }
}

/// Whether the operation's work is to be kept; none when nobody is left to say, or to be believed: a handle that is not gone
/// could write behind the savepoint's end, for nobody.
async fn verdict(transaction: &Arc<DatabaseTransaction>, kept: oneshot::Receiver<bool>) -> Option<bool> {
    let verdict = tokio::time::timeout(PATIENCE * 2, kept).await.ok()?.ok()?;
    (Arc::strong_count(transaction) == 1).then_some(verdict)
}

/// Writes what is to be told and commits; where the one fails, all fails as if the other had.
async fn finish(transaction: DatabaseTransaction, events: Vec<outbox::ActiveModel>) -> Result<(), Error> {
    outbox::write(&transaction, events).await?;
    Ok(transaction.commit().await?)
}
