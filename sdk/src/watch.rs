//! Watches that go on where they were, through restarts and lost connections.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::time::sleep;
use tonic::{Code, Streaming};
use yeyak_proto::yeyak::booking::v1::{Booking, WatchBookingRequest};
use yeyak_proto::yeyak::coupon::v1::{CouponReceipt, WatchCouponReceiptRequest};

use crate::client::Client;
use crate::error::Error;
use crate::retry;

/// A server that sends nothing for so long, not even a heartbeat, is gone: heartbeats come every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

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
        let (client, id) = (self.clone(), id.to_owned());
        let open = move |after_cursor| {
            let (client, request) = (client.clone(), WatchBookingRequest { id: id.clone(), after_cursor });
            async move { client.bookings().watch_booking(request).await }.boxed()
        };
        watch(open, |item| (item.cursor, item.booking))
    }

    /// A receipt at once, and again when it changes, until its coupon is there or it was taken back. The watch resumes as that
    /// of a booking does.
    ///
    /// ```no_run
    /// # use futures::TryStreamExt;
    /// # async fn example(client: yeyak::Client, id: &str) -> Result<(), yeyak::Error> {
    /// let mut watch = std::pin::pin!(client.watch_coupon_receipt(id));
    /// while let Some(receipt) = watch.try_next().await? {
    ///     println!("{:?} {}", receipt.state(), receipt.coupon_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_coupon_receipt(&self, id: &str) -> impl Stream<Item = Result<CouponReceipt, Error>> + use<> {
        let (client, id) = (self.clone(), id.to_owned());
        let open = move |after_cursor| {
            let (client, request) = (client.clone(), WatchCouponReceiptRequest { id: id.clone(), after_cursor });
            async move { client.coupons().watch_coupon_receipt(request).await }.boxed()
        };
        watch(open, |item| (item.cursor, item.receipt))
    }
}

type Opening<R> = BoxFuture<'static, Result<Streaming<R>, Error>>;

struct Watch<R, T> {
    /// Opens a stream behind a cursor.
    open: Box<dyn Fn(String) -> Opening<R> + Send + Sync>,
    /// Takes an item apart: its cursor, and what it shows; nothing in a heartbeat.
    take: fn(R) -> (String, Option<T>),
    cursor: String,
    stream: Option<Streaming<R>>,
    failures: u32,
    over: bool,
}

fn watch<R: 'static, T: 'static>(
    open: impl Fn(String) -> Opening<R> + Send + Sync + 'static,
    take: fn(R) -> (String, Option<T>),
) -> impl Stream<Item = Result<T, Error>> {
    let watch = Watch { open: Box::new(open), take, cursor: String::new(), stream: None, failures: 0, over: false };
    stream::unfold(watch, |mut watch| async move {
        let item = watch.next().await?;
        watch.over = item.is_err();
        Some((item, watch))
    })
}

impl<R, T> Watch<R, T> {
    async fn next(&mut self) -> Option<Result<T, Error>> {
        while !self.over {
            match self.step().await {
                Ok(Step::Changed(shown)) => return Some(Ok(shown)),
                Ok(Step::Heartbeat) => {}
                Ok(Step::Ended) => return None,
                Err(error)
                    if error.is_retryable() || matches!(error.code, Code::DeadlineExceeded | Code::Cancelled) =>
                {
                    self.stream = None;
                    self.failures += 1;
                    sleep(retry::delay(&error, self.failures)).await;
                }
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Step<T>, Error> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            closed => closed.insert((self.open)(self.cursor.clone()).await?),
        };
        let item = tokio::time::timeout(SILENCE, stream.next()).await.map_err(|_| Error::deadline())?;
        match item {
            None => Ok(Step::Ended),
            Some(Err(status)) => Err(status.into()),
            Some(Ok(item)) => {
                self.failures = 0;
                let (cursor, shown) = (self.take)(item);
                self.cursor = cursor;
                Ok(shown.map_or(Step::Heartbeat, Step::Changed))
            }
        }
    }
}

enum Step<T> {
    Changed(T),
    Heartbeat,
    Ended,
}
