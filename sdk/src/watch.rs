//! Watches that go on where they were, through restarts and lost connections.

use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::time::sleep;
use tonic::{Code, Streaming};
use yeyak_proto::yeyak::booking::v1::{Booking, WatchBookingRequest, WatchBookingResponse};

use crate::client::Client;
use crate::error::Error;
use crate::retry;

/// A server that sends nothing for so long, not even a heartbeat, is gone: heartbeats come every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

struct Watch {
    client: Client,
    id: String,
    cursor: String,
    open: Option<Streaming<WatchBookingResponse>>,
    failures: u32,
    over: bool,
}

impl Client {
    /// A booking at once, and again whenever it changes, until it has come to its end. The watch resumes at its cursor when
    /// the connection breaks or the server restarts; errors that waiting can't mend end it.
    ///
    /// ```no_run
    /// # use futures::TryStreamExt;
    /// # async fn example(client: yeyak::Client, id: &str) -> Result<(), yeyak::Error> {
    /// let mut watch = std::pin::pin!(client.watch_booking(id));
    /// while let Some(booking) = watch.try_next().await? {
    ///     println!("{:?}", booking.state());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_booking(&self, id: &str) -> impl Stream<Item = Result<Booking, Error>> + use<> {
        let watch = Watch {
            client: self.clone(),
            id: id.to_owned(),
            cursor: String::new(),
            open: None,
            failures: 0,
            over: false,
        };
        stream::unfold(watch, |mut watch| async move {
            let item = watch.next().await?;
            watch.over = item.is_err();
            Some((item, watch))
        })
    }
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Booking, Error>> {
        while !self.over {
            match self.step().await {
                Ok(Step::Changed(booking)) => return Some(Ok(booking)),
                Ok(Step::Heartbeat) => {}
                Ok(Step::Ended) => return None,
                Err(error) if matches!(error.code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled) => {
                    self.open = None;
                    self.failures += 1;
                    sleep(retry::delay(&error, self.failures)).await;
                }
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Step, Error> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => {
                let request = WatchBookingRequest { id: self.id.clone(), after_cursor: self.cursor.clone() };
                closed.insert(self.client.bookings().watch_booking(request).await?)
            }
        };
        let item = tokio::time::timeout(SILENCE, open.next()).await.map_err(|_| Error::deadline())?;
        match item {
            None => Ok(Step::Ended),
            Some(Err(status)) => Err(status.into()),
            Some(Ok(item)) => {
                self.failures = 0;
                self.cursor = item.cursor;
                Ok(item.booking.map_or(Step::Heartbeat, Step::Changed))
            }
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "one at a time, and at once taken apart")]
enum Step {
    Changed(Booking),
    Heartbeat,
    Ended,
}
