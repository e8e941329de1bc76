//! Other dates: the old nights or the new ones, never neither, and no way round a fee.

use chrono::{Days, NaiveDate, TimeZone};
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    ApproveBookingRequest, Booking, ChangeBookingRequest, ChangeQuote, QuoteCancellationRequest, QuoteChangeRequest,
    RefundTier,
};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::ConfirmationMode;
use yeyak::{Client, Error, ErrorReason};

use crate::harness::Yeyak;
use crate::place::{PRICE, Plan, arrival, date, get, is, minor, nights};

async fn quote(client: &Client, booking: &Booking, stay: (NaiveDate, NaiveDate)) -> Result<ChangeQuote, Error> {
    let ask = QuoteChangeRequest { id: booking.id.clone(), check_in_date: date(stay.0), check_out_date: date(stay.1) };
    client.bookings().quote_change(ask).await
}

pub(super) async fn change(client: &Client, booking: &Booking, stay: (NaiveDate, NaiveDate)) -> Result<Booking, Error> {
    let quote_token = quote(client, booking, stay).await?.token;
    let request = ChangeBookingRequest { id: booking.id.clone(), quote_token, ..Default::default() };
    client.bookings().change_booking(request).await
}

#[tokio::test]
async fn a_booking_moves_to_nights_that_it_partly_has() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 3)).await;

    let moved = change(&client, &booking, nights(1, 3)).await.expect("moves");

    assert!(is(&moved, State::Confirmed));
    let other = yeyak.member().await;
    place.hold(&other, nights(0, 1)).await.expect("the first night is free");
    place.hold(&other, nights(3, 1)).await.expect_err("the last night is taken");
    yeyak.check().await;
}

#[tokio::test]
async fn a_shorter_stay_gives_back_the_difference() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 3)).await;

    let moved = change(&client, &booking, nights(0, 1)).await.expect("moves");

    assert_eq!((minor(&moved.total), minor(&moved.refunded)), (PRICE, 2 * PRICE));
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn nights_of_others_are_not_to_be_had_and_the_old_ones_stay() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let (client, other) = (yeyak.member().await, yeyak.member().await);
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let quoted = quote(&client, &booking, nights(4, 2)).await.expect("free when it is quoted");
    place.hold(&other, nights(5, 1)).await.expect("holds");

    let request = ChangeBookingRequest { id: booking.id.clone(), quote_token: quoted.token, ..Default::default() };
    let refused = client.bookings().change_booking(request).await.expect_err("taken meanwhile");

    assert_eq!(refused.reason, ErrorReason::NightsTaken);
    place.hold(&other, nights(0, 1)).await.expect_err("the old nights are still taken");
    yeyak.check().await;
}

/// The fee that is due at the moment of a change stays due: moving a booking far ahead does not escape it.
#[tokio::test]
async fn a_penalty_is_not_dodged_by_moving_far_ahead() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { policy: Preset::KrLodging, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let day_before = (arrival() - Days::new(1)).and_hms_opt(12, 0, 0).expect("a time");
    yeyak.clock.set(chrono_tz::Asia::Seoul.from_local_datetime(&day_before).single().expect("an instant").to_utc());

    let moved = change(&client, &booking, nights(60, 2)).await.expect("moves");

    let ask = QuoteCancellationRequest { id: moved.id };
    let quote = client.bookings().quote_cancellation(ask).await.expect("a quote");
    assert_eq!((minor(&quote.fee), minor(&quote.fee_floor)), (2 * PRICE / 10, 2 * PRICE / 10));
}

#[tokio::test]
async fn a_held_booking_moves_to_dearer_dates_and_a_paid_one_does_not() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let held = place.hold(&client, nights(0, 1)).await.expect("holds");
    let moved = change(&client, &held, nights(0, 2)).await.expect("moves");
    assert_eq!(minor(&moved.total), 2 * PRICE);
    crate::place::pay(&yeyak, &client, &moved).await;

    let refused = change(&client, &moved, nights(0, 3)).await.expect_err("costs more");

    assert_eq!(refused.reason, ErrorReason::ActionBlocked);
    yeyak.check().await;
}

/// Guard: a change gives back no more than a cancellation would.
#[tokio::test]
async fn a_fee_is_not_escaped_by_cheaper_dates() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 3)).await;
    let morning = arrival().and_hms_opt(9, 0, 0).expect("a time");
    yeyak.clock.set(chrono_tz::Asia::Seoul.from_local_datetime(&morning).single().expect("an instant").to_utc());

    let refused = quote(&client, &booking, nights(0, 1)).await.expect_err("all of it would be kept");
    let moved = change(&client, &booking, nights(60, 3)).await.expect("costs as much");

    assert_eq!(refused.reason, ErrorReason::ActionBlocked, "{refused:?}");
    assert_eq!((minor(&moved.total), minor(&moved.refunded)), (3 * PRICE, 0));
    yeyak.check().await;
}

/// Guard: a move adopts the terms of its new dates. The first night is a Wednesday's, the third a Friday's.
#[tokio::test]
async fn a_booking_that_moves_to_the_weekend_has_the_terms_of_the_weekend() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { policy: Preset::KrLodging, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 1)).await;
    let on_the_day = |tiers: &[RefundTier]| tiers.last().map(|tier| tier.refund_percent);
    assert_eq!(on_the_day(&booking.refund_tiers), Some(80));

    let quoted = quote(&client, &booking, nights(2, 1)).await.expect("costs as much");
    let request = ChangeBookingRequest { id: booking.id.clone(), quote_token: quoted.token, ..Default::default() };
    let moved = client.bookings().change_booking(request).await.expect("moves");

    assert_eq!(on_the_day(&quoted.refund_tiers), Some(70));
    assert_eq!(get(&client, &booking.id).await.refund_tiers, quoted.refund_tiers);
    let morning = (arrival() + Days::new(2)).and_hms_opt(9, 0, 0).expect("a time");
    yeyak.clock.set(chrono_tz::Asia::Seoul.from_local_datetime(&morning).single().expect("an instant").to_utc());
    let ask = QuoteCancellationRequest { id: moved.id };
    let quote = client.bookings().quote_cancellation(ask).await.expect("a quote");
    assert_eq!(minor(&quote.fee), PRICE * 3 / 10);
    yeyak.check().await;
}

/// Guard: the seller's yes is for the dates that were asked for.
#[tokio::test]
async fn what_its_seller_has_agreed_to_is_not_moved_elsewhere() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { mode: ConfirmationMode::Request, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 1)).await.expect("asks");
    let request = ApproveBookingRequest { id: booking.id.clone(), ..Default::default() };
    place.seller.bookings().approve_booking(request).await.expect("approves");

    let held = quote(&client, &booking, nights(1, 1)).await.expect_err("the seller has not agreed to it");
    crate::place::pay(&yeyak, &client, &booking).await;
    let paid = quote(&client, &booking, nights(1, 1)).await.expect_err("the seller has not agreed to it");

    assert_eq!([held.reason, paid.reason], [ErrorReason::ActionBlocked; 2]);
    yeyak.check().await;
}
