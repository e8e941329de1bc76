//! Cancelling gives back what the terms say, once.

use chrono::{Days, NaiveDate, TimeDelta, TimeZone};
use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{CancelBookingRequest, CancelSellerBookingRequest, QuoteCancellationRequest};
use yeyak::proto::payment::v1::ListPaymentsRequest;
use yeyak::proto::stay::v1::cancellation_policy::Preset;

use crate::harness::Yeyak;
use crate::place::{PRICE, Plan, arrival, cancel, get, is, minor, nights, pay, take};

#[tokio::test]
async fn a_cancelled_booking_gives_back_what_its_terms_say_and_frees_its_nights() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;

    let cancelled = cancel(&client, &booking).await.expect("cancels");

    assert!(is(&cancelled, State::Cancelled));
    assert_eq!((minor(&cancelled.paid), minor(&cancelled.refunded)), (2 * PRICE, 2 * PRICE));
    yeyak.settle().await;
    let request = ListPaymentsRequest { booking_id: booking.id, ..Default::default() };
    let payments = client.payments().list_payments(request).await.expect("lists").payments;
    assert_eq!(payments[0].refunds[0].state(), yeyak::proto::payment::v1::refund::State::Done);
    place.hold(&yeyak.member().await, nights(0, 2)).await.expect("free again");
    yeyak.check().await;
}

/// Guard: the day to think again is that of the booking, which may be made behind the midnight of its quote.
#[tokio::test]
async fn a_stay_in_the_peak_that_was_quoted_before_midnight_is_free_to_cancel_on_the_day_of_its_booking() {
    let instant = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().expect("an instant");
    let seconds = |time: Option<prost_types::Timestamp>| time.expect("a time").seconds;
    // 23:55 in Seoul, three days before check-in.
    let yeyak = Yeyak::at(instant("2026-07-17T14:55:00Z")).await;
    let arrival = NaiveDate::from_ymd_opt(2026, 7, 20).expect("a date");
    let place = yeyak.place(Plan { policy: Preset::KrLodging, arrival, rooms: 2, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let quote = place.quote(&client, (arrival, arrival + Days::new(1))).await.expect("quotes");
    let midnight = instant("2026-07-17T15:00:00Z");
    assert_eq!(seconds(quote.full_refund_until), midnight.timestamp());
    yeyak.clock.advance(TimeDelta::minutes(8));

    let booking = client.bookings().create_booking(take(quote)).await.expect("holds");
    pay(&yeyak, &client, &booking).await;
    assert_eq!(seconds(booking.full_refund_until), (midnight + TimeDelta::days(1)).timestamp());
    yeyak.clock.set(midnight + TimeDelta::hours(23));
    let cancelled = cancel(&client, &booking).await.expect("cancels");

    assert_eq!(minor(&cancelled.refunded), PRICE, "two days before a stay in the peak the tiers give back a fifth");
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: the version in the compare-and-set of the booking.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_parallel_cancels_one_restores_and_refunds() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let ask = QuoteCancellationRequest { id: booking.id.clone() };
    let quote_token = client.bookings().quote_cancellation(ask).await.expect("a quote").token;

    let outcomes = join_all((0..20).map(|_| {
        let request =
            CancelBookingRequest { id: booking.id.clone(), quote_token: quote_token.clone(), ..Default::default() };
        let client = client.clone();
        tokio::spawn(async move { client.bookings().cancel_booking(request).await })
    }))
    .await;

    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    // Refused by what they found when they looked again, and by nothing behind it.
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.reason, ErrorReason::ActionBlocked, "{refused:?}");
    }
    let cancelled = get(&client, &booking.id).await;
    assert_eq!(minor(&cancelled.refunded), 2 * PRICE);
    place.hold(&yeyak.member().await, nights(0, 2)).await.expect("restored");
    place.hold(&yeyak.member().await, nights(0, 2)).await.expect_err("restored once");
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn the_same_cancellation_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let ask = QuoteCancellationRequest { id: booking.id.clone() };
    let quote_token = client.bookings().quote_cancellation(ask).await.expect("a quote").token;
    let request = CancelBookingRequest {
        id: booking.id,
        quote_token,
        reason: "a typhoon".into(),
        request_id: "0195d7a0-0000-7000-8000-000000000002".into(),
    };

    let first = client.bookings().cancel_booking(request.clone()).await.expect("cancels");
    let again = client.bookings().cancel_booking(request).await.expect("replays");

    assert_eq!(first, again);
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn refunds_shrink_as_check_in_comes_closer_in_the_time_zone_of_the_property() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { policy: Preset::KrLodging, rooms: 9, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let zone = chrono_tz::Asia::Seoul;
    let quote_at = async |day, time: &str| {
        let local = zone.from_local_datetime(&(arrival() - Days::new(day)).and_time(time.parse().expect("a time")));
        yeyak.clock.set(local.single().expect("an instant").to_utc());
        let ask = QuoteCancellationRequest { id: booking.id.clone() };
        let quote = client.bookings().quote_cancellation(ask).await.expect("a quote");
        minor(&quote.refund) * 100 / (2 * PRICE)
    };

    // Off-season, a weekday: two days before everything, one day before 90 %, on the day 80 %.
    assert_eq!(quote_at(2, "23:59:59").await, 100);
    assert_eq!(quote_at(1, "00:00:00").await, 90);
    assert_eq!(quote_at(1, "23:59:59").await, 90);
    assert_eq!(quote_at(0, "00:00:00").await, 80);
}

#[tokio::test]
async fn a_quote_is_honoured_over_the_boundary_of_a_tier_and_dies_with_a_change() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { policy: Preset::KrLodging, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let before_midnight =
        chrono_tz::Asia::Seoul.from_local_datetime(&(arrival() - Days::new(2)).and_hms_opt(23, 59, 0).expect("a time"));
    yeyak.clock.set(before_midnight.single().expect("an instant").to_utc());
    let ask = QuoteCancellationRequest { id: booking.id.clone() };
    let quote_token = client.bookings().quote_cancellation(ask).await.expect("a quote").token;
    yeyak.clock.advance(TimeDelta::minutes(5));

    let request =
        CancelBookingRequest { id: booking.id.clone(), quote_token: quote_token.clone(), ..Default::default() };
    let cancelled = client.bookings().cancel_booking(request.clone()).await.expect("as quoted");

    assert_eq!(minor(&cancelled.refunded), 2 * PRICE);
    let again = client.bookings().cancel_booking(request).await.expect_err("it is cancelled");
    assert_eq!(again.reason, ErrorReason::ActionBlocked);
}

#[tokio::test]
async fn a_seller_who_cancels_gives_everything_back() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { policy: Preset::NonRefundable, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let ask = QuoteCancellationRequest { id: booking.id.clone() };
    let quote = client.bookings().quote_cancellation(ask).await.expect("a quote");
    assert_eq!((minor(&quote.refund), minor(&quote.fee)), (0, 2 * PRICE), "the guest would get nothing");
    let request =
        CancelSellerBookingRequest { id: booking.id.clone(), reason: "수도 공사".into(), ..Default::default() };

    let foreign = yeyak.seller().await.bookings().cancel_seller_booking(request.clone()).await.expect_err("not theirs");
    assert_eq!(foreign.reason, ErrorReason::NotFound);
    let cancelled = place.seller.bookings().cancel_seller_booking(request).await.expect("cancels");

    assert_eq!(minor(&cancelled.refunded), 2 * PRICE);
    yeyak.settle().await;
    yeyak.check().await;
}

#[tokio::test]
async fn what_was_not_paid_is_cancelled_for_nothing() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { policy: Preset::NonRefundable, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("holds");

    let cancelled = cancel(&client, &booking).await.expect("cancels");

    assert_eq!((minor(&cancelled.paid), minor(&cancelled.refunded)), (0, 0));
    yeyak.check().await;
}
