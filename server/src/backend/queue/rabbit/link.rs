//! A connection: made in the background, and made again whenever it is lost.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::topology::Topology;
use crate::error::{Error, Unavailable};

/// A broker that is silent for twice as long, in seconds, is given up.
const HEARTBEAT: u16 = 4;
/// A connection with its topology is made within this time, or tried again.
const CONNECT: Duration = Duration::from_secs(10);
/// How long who needs the broker waits for a connection: long enough for the first one.
const PATIENCE: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often a connection is looked at that tells nothing.
const LOOK: Duration = Duration::from_secs(1);

/// A connection to the broker, while this lives.
pub(super) struct Link {
    connection: watch::Receiver<Option<Arc<Connection>>>,
    reach: watch::Receiver<bool>,
    incomplete: Arc<Notify>,
    _keeper: DropGuard,
}

/// What a connection is for. The broker takes nothing more from one that publishes while its memory or disk runs low, not
/// even acknowledgements: so those who take messages have another, and publish nothing on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Purpose {
    Publishing,
    Taking,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Publishing => "publishing",
            Self::Taking => "taking",
        }
    }

    /// What becomes of events while there is no such connection.
    fn without(self) -> &'static str {
        match self {
            Self::Publishing => "events wait in the outbox",
            Self::Taking => "events wait in their queues",
        }
    }
}

impl Link {
    /// Begins to connect.
    pub(super) fn open(uri: AMQPUri, topology: Arc<Topology>, purpose: Purpose) -> Self {
        let (connection, connected) = watch::channel(None);
        let (reached, reach) = watch::channel(false);
        let (stop, incomplete) = (CancellationToken::new(), Arc::new(Notify::new()));
        let shown = format!("RabbitMQ at {}:{}", uri.authority.host, uri.authority.port);
        let lacking = incomplete.clone();
        let keeper = Keeper { uri, topology, purpose, shown, connection, reached, incomplete: lacking, told: None };
        let guard = stop.clone().drop_guard();
        tokio::spawn(async move { stop.run_until_cancelled(keeper.keep()).await });
        Self { connection: connected, reach, incomplete, _keeper: guard }
    }

    /// A channel of its own for the caller; what it has taken and not acknowledged comes again when it is dropped.
    pub(super) async fn channel(&self) -> Result<Channel, Error> {
        let mut connection = self.connection.clone();
        let made = async {
            let connected = connection.wait_for(|connection| connection.as_ref().is_some_and(is_alive)).await;
            let connected = connected.ok().and_then(|connection| connection.clone());
            Ok::<_, Error>(connected.ok_or_else(away)?.create_channel().await?)
        };
        timeout(PATIENCE, made).await.map_err(|_| away())?
    }

    /// Whether there is a connection, and each change of that.
    pub(super) fn reach(&self) -> watch::Receiver<bool> {
        self.reach.clone()
    }

    /// Has the topology declared once more.
    pub(super) fn declare_again(&self) {
        self.incomplete.notify_one();
    }
}

/// Nobody answers.
pub(super) fn away() -> Error {
    Unavailable { what: "RabbitMQ" }.into()
}

fn is_alive(connection: &Arc<Connection>) -> bool {
    connection.status().connected()
}

/// Makes the connection again and again.
struct Keeper {
    uri: AMQPUri,
    topology: Arc<Topology>,
    purpose: Purpose,
    /// Where the broker is, without its password.
    shown: String,
    connection: watch::Sender<Option<Arc<Connection>>>,
    reached: watch::Sender<bool>,
    incomplete: Arc<Notify>,
    /// What the log was told last.
    told: Option<bool>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = match timeout(CONNECT, self.connect()).await {
                Ok(Ok(connection)) => {
                    pause = FIRST_PAUSE;
                    self.connection.send_replace(Some(connection.clone()));
                    self.tell(true, "");
                    let lost = self.lost(&connection).await;
                    self.connection.send_replace(None);
                    lost
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("it did not answer within {CONNECT:?}"),
            };
            self.tell(false, &lost);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&mut self, reached: bool, lost: &str) {
        self.reached.send_if_modified(|known| std::mem::replace(known, reached) != reached);
        let (shown, purpose, waiting) = (&self.shown, self.purpose.name(), self.purpose.without());
        if self.told.replace(reached) == Some(reached) {
            tracing::debug!("{shown} is still away for {purpose}: {lost}");
        } else if reached {
            tracing::info!("{shown} is reached for {purpose}");
        } else {
            tracing::warn!("{shown} is away for {purpose}, {waiting}: {lost}");
        }
    }

    async fn connect(&self) -> Result<Arc<Connection>, lapin::Error> {
        let mut uri = self.uri.clone();
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        // Ours is the recovery, not the library's: a channel that fails is thrown away, and nothing of it is left in doubt.
        let name = format!("yeyak {}", self.purpose.name());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = Connection::connect_uri(uri, properties).await?;
        self.topology.declare(&connection.create_channel().await?).await?;
        Ok(Arc::new(connection))
    }

    /// Waits until the connection is lost, and tells why.
    async fn lost(&self, connection: &Connection) -> String {
        let mut why = "the connection was closed".to_owned();
        let mut events = pin!(connection.events_listener());
        while connection.status().connected() {
            tokio::select! {
                Some(event) = events.next() => match event {
                    Event::Error(error) => why = error.to_string(),
                    Event::ConnectionBlocked(reason) => {
                        let (shown, waiting) = (&self.shown, self.purpose.without());
                        tracing::warn!("{shown} takes nothing for now, {waiting}: {reason}");
                    }
                    Event::ConnectionUnblocked => tracing::info!("{} takes events again", self.shown),
                    _ => {}
                },
                () = self.incomplete.notified() => self.complete(connection).await,
                () = sleep(LOOK) => {}
            }
        }
        why
    }

    async fn complete(&self, connection: &Connection) {
        let declared = async { self.topology.declare(&connection.create_channel().await?).await };
        match timeout(CONNECT, declared).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("{} refused the queues: {error}", self.shown),
            Err(_) => tracing::debug!("{} did not answer within {CONNECT:?}", self.shown),
        }
    }
}
