//! News of rows that others wait for, so that they need not ask again and again.
//!
//! Who waits in this process is told at the commit. Who waits in another process is told through PostgreSQL, behind the
//! commit and not in it: a NOTIFY inside a transaction makes all commits of a database wait for one another. News may be
//! lost with the process that would have told it; so who waits looks at the rows now and then all the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::tx::{Db, Tx};

/// What is put within this time is told to other processes at once.
const GATHER: Duration = Duration::from_millis(20);
/// How long a listener that lost its connection waits.
const PAUSE: Duration = Duration::from_secs(1);

/// News of one kind. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct News {
    topic: &'static str,
    db: Db,
    told: watch::Sender<()>,
    /// To the task that tells other processes; none where there are none.
    cry: Option<mpsc::Sender<()>>,
    listening: Arc<Mutex<()>>,
}

/// Waits for news from now on.
#[derive(Debug)]
pub struct Heard(watch::Receiver<()>);

impl News {
    /// News under a topic, which is a word that SQL need not quote.
    pub fn new(db: Db, topic: &'static str) -> Self {
        let cry = db.is_shared().then(|| {
            // One place is enough: who finds it taken is told of with what waits there.
            let (cry, cries) = mpsc::channel(1);
            tokio::spawn(tell_others(db.clone(), topic, cries));
            cry
        });
        Self { topic, db, told: watch::Sender::new(()), cry, listening: Arc::default() }
    }

    /// Tells that there is something new once the transaction has committed.
    pub fn tell_on_commit(&self, tx: &Tx) {
        let (told, cry) = (self.told.clone(), self.cry.clone());
        tx.on_commit(move || {
            told.send_replace(());
            if let Some(cry) = cry {
                // Full: the news that waits there tells of this too.
                _ = cry.try_send(());
            }
        });
    }

    /// Begins to wait for news.
    pub fn hear(&self) -> Heard {
        Heard(self.told.subscribe())
    }

    /// Brings news of other processes to this one, until it is told to stop. It holds one connection, so only who acts on
    /// the news should ask for it.
    pub async fn listen(&self, stop: &CancellationToken) {
        if self.cry.is_none() {
            return stop.cancelled().await;
        }
        // One listens for all who wait in this process.
        let _turn = tokio::select! { turn = self.listening.lock() => turn, () = stop.cancelled() => return };
        loop {
            let lost = tokio::select! { lost = self.bring() => lost, () = stop.cancelled() => return };
            tracing::debug!("news of {} from other processes can't be heard for a moment: {lost}", self.topic);
            tokio::select! { () = tokio::time::sleep(PAUSE) => {} () = stop.cancelled() => return }
        }
    }

    /// Why there is no connection any more.
    async fn bring(&self) -> sea_orm::sqlx::Error {
        let outcome = async {
            // On a connection beside the pools, which others wait for.
            let options = self.db.read().get_postgres_connection_pool().connect_options();
            let own = PgPoolOptions::new().max_connections(1).connect_lazy_with((*options).clone());
            let mut listener = PgListener::connect_with(&own).await?;
            listener.listen(self.topic).await?;
            loop {
                // At first too, and when the connection was lost for a while: something may have been missed.
                self.told.send_replace(());
                listener.try_recv().await?;
            }
        };
        let Err(error): Result<std::convert::Infallible, _> = outcome.await;
        error
    }
}

impl Heard {
    /// Waits until something is new since the last call, or since the waiting began.
    pub async fn news(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").field("topic", &self.topic).finish_non_exhaustive()
    }
}

async fn tell_others(db: Db, topic: &'static str, mut cries: mpsc::Receiver<()>) {
    while cries.recv().await.is_some() {
        let told = Statement::from_string(DatabaseBackend::Postgres, format!("NOTIFY {topic}"));
        if let Err(error) = db.read().execute_raw(told).await {
            tracing::debug!("other processes could not be told of {topic}, and look by themselves: {error}");
        }
        tokio::time::sleep(GATHER).await;
    }
}

#[cfg(test)]
mod tests {
    use yeyak_services::Postgres;

    use super::*;
    use crate::kit::tx::DatabaseSettings;

    /// Guard: NOTIFY and LISTEN; nothing else connects the two.
    #[tokio::test]
    #[ignore = "needs PostgreSQL: .ci/run"]
    async fn news_reaches_another_process_on_postgres() {
        let postgres = Postgres::shared();
        let url = postgres.create();
        let settings = DatabaseSettings::of(&url);
        let (here, there) = (Db::open(&settings).await.unwrap(), Db::open(&settings).await.unwrap());
        let (here, there) = (News::new(here, "yeyak_test"), News::new(there, "yeyak_test"));
        let mut heard = there.hear();
        let stop = CancellationToken::new();
        let listening = tokio::spawn({
            let (there, stop) = (there.clone(), stop.clone());
            async move { there.listen(&stop).await }
        });
        // The listener tells of what it may have missed once it listens.
        heard.news().await;

        let tell = async |tx| {
            here.tell_on_commit(&tx);
            Ok(())
        };
        here.db.write(tell).await.unwrap();
        tokio::time::timeout(Duration::from_secs(1), heard.news()).await.expect("it is heard within a second");

        stop.cancel();
        listening.await.unwrap();
    }
}
