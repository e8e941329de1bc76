//! Watching a booking.

use std::pin::pin;

use futures::TryStreamExt;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::WatchBookingRequest;
use yeyak::proto::booking::v1::booking::State;

use crate::harness::Yeyak;
use crate::place::{Plan, cancel, nights, pay};

#[tokio::test]
async fn a_watch_shows_the_booking_at_once_and_every_change_until_its_end() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("holds");
    let mut watch = pin!(client.watch_booking(&booking.id));
    let first = watch.try_next().await.expect("watches").expect("an item");
    assert_eq!(first.state(), State::Held);

    pay(&yeyak, &client, &booking).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&State::Confirmed) {
        seen.push(watch.try_next().await.expect("watches").expect("an item").state());
    }
    cancel(&client, &booking).await.expect("cancels");

    let last = watch.try_next().await.expect("watches").expect("an item");
    assert_eq!(last.state(), State::Cancelled);
    assert!(watch.try_next().await.expect("ends").is_none());
}

#[tokio::test]
async fn a_watch_resumes_behind_its_cursor_and_is_not_for_others() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("holds");
    let open = async |client: &yeyak::Client, after_cursor: &str| {
        let request = WatchBookingRequest { id: booking.id.clone(), after_cursor: after_cursor.to_owned() };
        client.bookings().watch_booking(request).await
    };
    let mut first = open(&client, "").await.expect("opens");
    let cursor = first.message().await.expect("watches").expect("an item").cursor;

    let mut resumed = open(&client, &cursor).await.expect("opens");
    cancel(&client, &booking).await.expect("cancels");

    let next = resumed.message().await.expect("watches").expect("an item");
    assert_eq!(next.booking.expect("a booking").state(), State::Cancelled, "the first was not sent again");
    let mut over = open(&client, &next.cursor).await.expect("opens");
    assert_eq!(over.message().await.expect("ends"), None, "who has seen the end waits for nothing");
    let refused = open(&yeyak.member().await, "").await.expect_err("not theirs");
    assert_eq!(refused.reason, ErrorReason::NotFound);
    assert_eq!(open(&client, "nonsense").await.expect_err("no cursor").reason, ErrorReason::InvalidFields);
}
