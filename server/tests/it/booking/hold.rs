//! Nights are held all or none, by one of many.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    CreateBookingRequest, ExtendBookingRequest, ListBookingsRequest, LookUpBookingRequest,
};
use yeyak::proto::common::v1::Money;
use yeyak_server::backend::provider::simulator::{Fault, When};

use crate::harness::Yeyak;
use crate::place::{PRICE, Plan, cancel, confirm, get, is, minor, nights, pay, prepare, take};

/// Guard: the condition on held + sold in the statement that takes nights (and behind it the CHECK of the table).
#[tokio::test(flavor = "multi_thread")]
async fn the_last_room_goes_to_exactly_one_of_200() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        let client = yeyak.member().await;
        let quote = place.quote(&client, nights(0, 2)).await.expect("a quote");
        clients.push((client, quote));
    }

    let outcomes = join_all(
        clients
            .into_iter()
            .map(|(client, quote)| tokio::spawn(async move { client.bookings().create_booking(take(quote)).await })),
    )
    .await;

    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.reason, ErrorReason::NightsTaken, "{refused:?}");
        assert_eq!(refused.metadata["dates"], "2026-04-01,2026-04-02");
    }
    yeyak.check().await;
}

#[tokio::test]
async fn a_stay_whose_middle_night_is_full_is_refused_and_names_the_night() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let (one, other) = (yeyak.member().await, yeyak.member().await);
    let quote = place.quote(&other, nights(0, 3)).await.expect("free when it is quoted");
    place.hold(&one, nights(1, 1)).await.expect("holds the middle night");

    let refused = other.bookings().create_booking(take(quote)).await.expect_err("full");

    assert_eq!(refused.reason, ErrorReason::NightsTaken);
    assert_eq!(refused.metadata["dates"], "2026-04-02");
    place.hold(&other, nights(0, 1)).await.expect("nothing of the refused stay was kept");
    yeyak.check().await;
}

#[tokio::test]
async fn back_to_back_stays_do_not_conflict() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;

    place.hold(&client, nights(0, 2)).await.expect("holds");
    place.hold(&client, nights(2, 2)).await.expect("begins on the day of departure");
    place.hold(&client, nights(4, 1)).await.expect("holds");
    // The other way round: what ends where another begins has nothing of its night.
    place.hold(&client, nights(8, 2)).await.expect("holds");
    place.hold(&client, nights(6, 2)).await.expect("ends on the day of arrival");

    let inside = place.hold(&client, nights(1, 2)).await.expect_err("shares a night with both");
    assert!(matches!(inside.reason, ErrorReason::NightsTaken | ErrorReason::StayRefused));
    yeyak.check().await;
}

#[tokio::test]
async fn forty_nights_are_charged_as_forty() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;

    let booking = place.hold(&client, nights(0, 40)).await.expect("holds");

    assert_eq!(minor(&booking.total), 40 * PRICE);
    let Some(yeyak::proto::booking::v1::booking_line::Item::Stay(stay)) = &booking.lines[0].item else {
        panic!("a stay")
    };
    assert_eq!(stay.nights.len(), 40);
    let paid = pay(&yeyak, &client, &booking).await;
    assert_eq!(minor(&paid.amount), 40 * PRICE);
    assert_eq!(minor(&get(&client, &booking.id).await.paid), 40 * PRICE);
    yeyak.check().await;
}

/// Guard: the record of the request, which commits with the booking.
#[tokio::test(flavor = "multi_thread")]
async fn a_double_submit_of_fifty_is_one_booking_and_fifty_answers_that_name_it() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 100, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let quote = place.quote(&client, nights(0, 2)).await.expect("a quote");
    let request = CreateBookingRequest { request_id: "0195d7a0-0000-7000-8000-000000000001".into(), ..take(quote) };

    let answers = join_all((0..50).map(|_| {
        let (client, request) = (client.clone(), request.clone());
        tokio::spawn(async move { client.bookings().create_booking(request).await })
    }))
    .await;

    let ids: Vec<_> = answers.into_iter().map(|answer| answer.expect("no panic").expect("the booking").id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let listed = client.bookings().list_bookings(ListBookingsRequest::default()).await.expect("lists");
    assert_eq!(listed.bookings.len(), 1);
    yeyak.check().await;
}

#[tokio::test]
async fn a_request_id_is_good_for_one_request() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 9, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let quote = place.quote(&client, nights(0, 2)).await.expect("a quote");
    let request = CreateBookingRequest { request_id: "0195d7a0-0000-7000-8000-000000000001".into(), ..take(quote) };
    client.bookings().create_booking(request.clone()).await.expect("holds");

    let other = CreateBookingRequest { note: "late arrival".into(), ..request.clone() };
    let refused = client.bookings().create_booking(other).await.expect_err("another body");

    assert_eq!(refused.reason, ErrorReason::RequestIdReused);
    let another_member = yeyak.member().await;
    let refused = another_member.bookings().create_booking(request).await.expect_err("not their quote");
    assert_eq!(refused.reason, ErrorReason::QuoteInvalid);
}

#[tokio::test]
async fn a_quote_is_honoured_until_it_expires_whatever_the_price_does() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 9, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let quote = place.quote(&client, nights(0, 2)).await.expect("a quote");
    place.set_price(2 * PRICE).await;

    let expected = Some(Money { currency_code: "KRW".into(), minor_units: 3 * PRICE });
    let other = CreateBookingRequest { expected_total: expected, ..take(quote.clone()) };
    let refused = client.bookings().create_booking(other).await.expect_err("not the price expected");
    assert_eq!(refused.reason, ErrorReason::PriceChanged);
    let booking = client.bookings().create_booking(take(quote.clone())).await.expect("holds");
    assert_eq!(minor(&booking.total), 2 * PRICE);

    yeyak.clock.advance(TimeDelta::minutes(10));
    let refused = client.bookings().create_booking(take(quote.clone())).await.expect_err("too old");
    assert_eq!(refused.reason, ErrorReason::QuoteExpired);
    let another = if quote.token.starts_with('A') { "B" } else { "A" };
    let forged = CreateBookingRequest { quote_token: format!("{another}{}", &quote.token[1..]), ..take(quote) };
    let refused = client.bookings().create_booking(forged).await.expect_err("not signed by us");
    assert_eq!(refused.reason, ErrorReason::QuoteInvalid);
}

/// Guard: the unique tag of the quote that a booking was made of; what is refused uses none up.
#[tokio::test(flavor = "multi_thread")]
async fn a_quote_makes_one_booking() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 9, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let quote = place.quote(&client, nights(0, 2)).await.expect("a quote");
    let create = async || client.bookings().create_booking(take(quote.clone())).await;
    let dearer = Some(Money { currency_code: "KRW".into(), minor_units: 3 * PRICE });
    let refused = CreateBookingRequest { expected_total: dearer, ..take(quote.clone()) };
    client.bookings().create_booking(refused).await.expect_err("not the price expected");

    // As by a double click, without an id of the request.
    let outcomes = join_all((0..10).map(|_| create())).await;

    let (made, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 9));
    let used = |refused: yeyak::Error| {
        assert_eq!((refused.reason, &*refused.metadata["why"]), (ErrorReason::QuoteInvalid, "it was used before"));
    };
    refused.into_iter().filter_map(Result::err).for_each(used);
    for booking in made.into_iter().flatten() {
        cancel(&client, &booking).await.expect("cancels");
    }
    used(create().await.expect_err("whatever has become of the booking"));
    // Two for the same, at the same moment.
    for _ in 0..2 {
        place.hold(&client, nights(0, 2)).await.expect("another quote");
    }
    yeyak.check().await;
}

/// No job runs in this test: an ended hold is expired at read, and by whoever wants its nights.
#[tokio::test]
async fn a_hold_that_has_ended_blocks_nobody_with_every_job_stopped() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let (one, other) = (yeyak.member().await, yeyak.member().await);
    let stale = place.hold(&one, nights(0, 2)).await.expect("holds");
    let taken = place.hold(&other, nights(1, 1)).await.expect_err("held");
    assert!(matches!(taken.reason, ErrorReason::NightsTaken | ErrorReason::StayRefused), "{taken:?}");

    yeyak.clock.advance(TimeDelta::minutes(15));

    assert!(is(&get(&one, &stale.id).await, State::Expired), "the end is exclusive");
    place.hold(&other, nights(1, 1)).await.expect("free again");
    assert!(is(&get(&one, &stale.id).await, State::Expired));
    yeyak.check().await;
}

#[tokio::test]
async fn ones_own_stale_hold_does_not_block_either() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    place.hold(&client, nights(0, 2)).await.expect("holds");
    yeyak.clock.advance(TimeDelta::minutes(16));

    place.hold(&client, nights(0, 2)).await.expect("holds again");
    yeyak.check().await;
}

#[tokio::test]
async fn a_hold_is_extended_within_its_absolute_life_alone() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("holds");
    let extend = async || {
        let request = ExtendBookingRequest { id: booking.id.clone(), ..Default::default() };
        client.bookings().extend_booking(request).await
    };

    for _ in 0..4 {
        yeyak.clock.advance(TimeDelta::minutes(14));
        let extended = extend().await.expect("extends");
        assert!(extended.expire_time.map(|time| time.seconds) <= extended.hold_limit_time.map(|time| time.seconds));
    }

    yeyak.clock.advance(TimeDelta::minutes(4));
    let refused = extend().await.expect_err("an hour is over");
    assert_eq!(refused.reason, ErrorReason::BookingExpired);
}

#[tokio::test]
async fn a_member_holds_a_few_unpaid_bookings_at_most() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 9, ..Plan::default() }).await;
    let client = yeyak.member().await;
    for _ in 0..5 {
        place.hold(&client, nights(0, 1)).await.expect("holds");
    }

    let refused = place.hold(&client, nights(0, 1)).await.expect_err("too many");

    assert_eq!((refused.reason, &*refused.metadata["limit"]), (ErrorReason::TooManyHolds, "5"));
    yeyak.clock.advance(TimeDelta::minutes(15));
    place.hold(&client, nights(0, 1)).await.expect("those have ended");
}

/// Guard: what is being paid is counted, also when it has read RECONCILING for long.
#[tokio::test]
async fn a_booking_whose_payment_is_under_way_is_one_that_is_held() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 9, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let mut attempts = Vec::new();
    for _ in 0..5 {
        let booking = place.hold(&client, nights(0, 1)).await.expect("holds");
        let attempt = prepare(&client, &booking).await;
        let key = yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
        attempts.push((booking, attempt, key));
    }
    for (_, attempt, key) in &attempts {
        yeyak.fault(attempt, Fault::LoseAnswer { when: When::AfterCommit }).await;
        confirm(&client, attempt, key.clone()).await.expect("unknown");
    }

    yeyak.clock.advance(TimeDelta::hours(2));

    assert!(is(&get(&client, &attempts[0].0.id).await, State::Reconciling));
    let refused = place.hold(&client, nights(0, 1)).await.expect_err("too many");
    assert_eq!(refused.reason, ErrorReason::TooManyHolds);
    yeyak.settle().await;
    place.hold(&client, nights(0, 1)).await.expect("those are paid");
    yeyak.check().await;
}

#[tokio::test]
async fn a_booking_is_found_by_its_code_and_address_together() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let booking = place.hold(&yeyak.member().await, nights(0, 1)).await.expect("holds");
    let look_up = |code: &str, email: &str| {
        let request = LookUpBookingRequest { code: code.to_owned(), email: email.to_owned() };
        let client = yeyak.client.anonymous();
        async move { client.bookings().look_up_booking(request).await }
    };

    let found = look_up(&booking.code.to_lowercase(), "Guest@Example.KR").await.expect("finds");
    assert_eq!(found.id, booking.id);
    assert!(found.available_actions.is_empty());
    assert_eq!(look_up(&booking.code, "other@example.kr").await.expect_err("no").reason, ErrorReason::NotFound);
    let mut outcomes = Vec::new();
    for _ in 0..10 {
        outcomes.push(look_up("22222222", "guest@example.kr").await.expect_err("no").reason);
    }
    assert_eq!(outcomes.last(), Some(&ErrorReason::RateLimited));
}

/// Guard: the room count is read in the transaction that takes the nights, never from the quote.
#[tokio::test]
async fn a_quote_from_before_the_seller_had_fewer_rooms_brings_none_back() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 10, ..Plan::default() }).await;
    let (one, other) = (yeyak.member().await, yeyak.member().await);
    let first = place.quote(&one, nights(0, 2)).await.expect("a quote");
    let second = place.quote(&other, nights(0, 2)).await.expect("a quote");
    place.set_room_count(1).await;

    one.bookings().create_booking(take(first)).await.expect("one room is left");
    let refused = other.bookings().create_booking(take(second)).await.expect_err("and no other");

    assert_eq!(refused.reason, ErrorReason::NightsTaken);
    yeyak.check().await;
}

/// Guard: the holds whose time is over that a refusal tells of are ended before the seller is told. No job runs in this test.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_has_ended_does_not_keep_a_seller_from_having_fewer_rooms() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 3, ..Plan::default() }).await;
    let (one, other) = (yeyak.member().await, yeyak.member().await);
    let stale = place.hold(&one, nights(0, 2)).await.expect("holds");
    place.hold(&one, nights(1, 3)).await.expect("holds");
    yeyak.clock.advance(TimeDelta::minutes(14));
    place.hold(&other, nights(1, 1)).await.expect("holds");
    let refused = place.try_room_count(1).await.expect_err("three rooms are held on the second night");
    assert_eq!((refused.reason, &*refused.metadata["taken_count"]), (ErrorReason::RoomsSold, "3"));

    yeyak.clock.advance(TimeDelta::minutes(1));
    let outcomes = join_all((0..10).map(|_| place.try_room_count(1))).await;

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(is(&get(&one, &stale.id).await, State::Expired));
    place.hold(&one, nights(1, 1)).await.expect_err("the live hold has the room");
    // By the calendar, too: this night alone, and not while the hold lives.
    let refused = place.try_rooms_on(nights(1, 1), 0).await.expect_err("held");
    assert_eq!(refused.reason, ErrorReason::RoomsSold);
    yeyak.clock.advance(TimeDelta::minutes(15));
    place.try_rooms_on(nights(1, 1), 0).await.expect("its time is over");
    place.quote(&one, nights(1, 1)).await.expect_err("no room is for sale");
    yeyak.check().await;
}
