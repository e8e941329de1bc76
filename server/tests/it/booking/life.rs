//! Requests, check-in, no-show, completion.

use chrono::{Days, NaiveTime, TimeDelta, TimeZone};
use sea_orm::ConnectionTrait;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::available_action::Action;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    ApproveBookingRequest, Booking, CheckInBookingRequest, CompleteBookingRequest, DeclineBookingRequest,
    MarkNoShowRequest,
};
use yeyak::proto::payment::v1::PreparePaymentRequest;
use yeyak::proto::stay::v1::property::ConfirmationMode;

use crate::harness::Yeyak;
use crate::place::{Plan, arrival, get, is, nights, pay};

fn blocked(booking: &Booking, action: Action) -> Option<String> {
    let found = booking.available_actions.iter().find(|found| found.action() == action).expect("listed");
    (!found.available).then(|| found.blocked_reason.clone())
}

fn at(yeyak: &Yeyak, days: u64, hour: u32) {
    let time = NaiveTime::from_hms_opt(hour, 0, 0).expect("a time");
    let local = (arrival() + Days::new(days)).and_time(time);
    yeyak.clock.set(chrono_tz::Asia::Seoul.from_local_datetime(&local).single().expect("an instant").to_utc());
}

#[tokio::test]
async fn a_request_to_book_is_answered_by_the_seller_and_then_paid() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { mode: ConfirmationMode::Request, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("asks");
    assert!(is(&booking, State::Requested));
    assert!(blocked(&booking, Action::Pay).is_some());
    place.hold(&yeyak.member().await, nights(0, 2)).await.expect_err("held for the answer");
    yeyak.clock.advance(TimeDelta::hours(23));

    let request = ApproveBookingRequest { id: booking.id.clone(), ..Default::default() };
    let approved = place.seller.bookings().approve_booking(request).await.expect("approves");

    assert!(is(&approved, State::Held));
    pay(&yeyak, &client, &booking).await;
    assert!(is(&get(&client, &booking.id).await, State::Confirmed));
    yeyak.check().await;
}

#[tokio::test]
async fn a_request_that_is_declined_or_not_answered_frees_its_nights() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { mode: ConfirmationMode::Request, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let booking = place.hold(&client, nights(0, 2)).await.expect("asks");
    let request = DeclineBookingRequest { id: booking.id.clone(), reason: "만실".into(), ..Default::default() };
    let declined = place.seller.bookings().decline_booking(request).await.expect("declines");
    assert!(is(&declined, State::Cancelled));

    let again = place.hold(&client, nights(0, 2)).await.expect("asks again");
    yeyak.clock.advance(TimeDelta::hours(24));

    assert!(is(&get(&client, &again.id).await, State::Expired));
    let late = ApproveBookingRequest { id: again.id.clone(), ..Default::default() };
    let refused = place.seller.bookings().approve_booking(late).await.expect_err("too late");
    assert_eq!(refused.reason, ErrorReason::BookingExpired);
    yeyak.check().await;
}

#[tokio::test]
async fn a_guest_is_checked_in_on_the_day_at_the_property_and_completes_by_leaving() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
    let check_in = async || {
        let request = CheckInBookingRequest { id: booking.id.clone(), ..Default::default() };
        place.seller.bookings().check_in_booking(request).await
    };
    at(&yeyak, 0, 0);
    yeyak.clock.advance(TimeDelta::microseconds(-1));
    let early = check_in().await.expect_err("the day before, there");
    assert_eq!(early.reason, ErrorReason::ActionBlocked);
    assert!(blocked(&get(&place.seller, &booking.id).await, Action::CheckIn).expect("blocked").contains("2026-04-01"));

    at(&yeyak, 0, 0);
    assert!(is(&check_in().await.expect("checks in"), State::InUse));

    at(&yeyak, 2, 11);
    assert!(is(&get(&client, &booking.id).await, State::InUse));
    at(&yeyak, 2, 12);
    assert!(is(&get(&client, &booking.id).await, State::Completed), "time completes it with every job stopped");
    yeyak.settle().await;
    assert!(is(&get(&client, &booking.id).await, State::Completed));
    yeyak.check().await;
}

#[tokio::test]
async fn a_no_show_is_one_from_the_day_after_and_may_still_come() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 3)).await;
    let mark = async || {
        let request = MarkNoShowRequest { id: booking.id.clone(), ..Default::default() };
        place.seller.bookings().mark_no_show(request).await
    };
    at(&yeyak, 0, 23);
    assert_eq!(mark().await.expect_err("may still come").reason, ErrorReason::ActionBlocked);

    at(&yeyak, 1, 0);
    assert!(is(&mark().await.expect("marks"), State::NoShow));
    let request = CheckInBookingRequest { id: booking.id.clone(), ..Default::default() };
    let late = place.seller.bookings().check_in_booking(request).await.expect("comes late");

    assert!(is(&late, State::InUse));
    let request = CompleteBookingRequest { id: booking.id.clone(), ..Default::default() };
    let left = place.seller.bookings().complete_booking(request).await.expect("leaves early");
    assert!(is(&left, State::Completed));
    yeyak.settle().await;
    yeyak.check().await;
}

/// Guard: whoever has not come on the first day may still come, or cancel.
#[tokio::test]
async fn a_stay_that_nobody_has_begun_is_not_completed_on_its_first_day() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan::default()).await;
    let client = yeyak.member().await;
    let booking = place.confirmed(&yeyak, &client, nights(0, 3)).await;
    let complete = async || {
        let request = CompleteBookingRequest { id: booking.id.clone(), ..Default::default() };
        place.seller.bookings().complete_booking(request).await
    };

    at(&yeyak, 0, 1);
    assert_eq!(complete().await.expect_err("the guest may still come").reason, ErrorReason::ActionBlocked);

    at(&yeyak, 1, 0);
    assert!(is(&complete().await.expect("completes"), State::Completed));
    yeyak.check().await;
}

/// Guard: the day of departure.
#[tokio::test]
async fn a_stay_that_is_over_is_neither_approved_nor_paid() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 2, mode: ConfirmationMode::Request, ..Plan::default() }).await;
    let client = yeyak.member().await;
    at(&yeyak, 0, 18);
    let booking = place.hold(&client, nights(0, 1)).await.expect("asks for tonight");
    let approved = place.hold(&client, nights(0, 1)).await.expect("asks for tonight");
    let approve = async |booking: &Booking| {
        let request = ApproveBookingRequest { id: booking.id.clone(), ..Default::default() };
        place.seller.bookings().approve_booking(request).await
    };
    at(&yeyak, 0, 23);
    yeyak.clock.advance(TimeDelta::minutes(55));
    let approved = approve(&approved).await.expect("approves at the last minute");

    at(&yeyak, 1, 0);

    let refused = approve(&booking).await.expect_err("the night is over");
    assert_eq!(refused.reason, ErrorReason::ActionBlocked, "{refused:?}");
    assert!(is(&get(&client, &approved.id).await, State::Held));
    let prepare = PreparePaymentRequest { booking_id: approved.id.clone(), ..Default::default() };
    let refused = client.payments().prepare_payment(prepare).await.expect_err("the night is over");
    assert_eq!(refused.reason, ErrorReason::ActionBlocked, "{refused:?}");
    yeyak.check().await;
}

/// Guard: what is looked for is what is over where it is, not where the day comes first; else whoever is far west, and many, keeps
/// all others waiting.
#[tokio::test]
async fn stays_that_go_on_keep_no_other_from_being_completed() {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(Plan { rooms: 201, ..Plan::default() }).await;
    let client = yeyak.member().await;
    let move_west = "UPDATE booking SET state = 'CONFIRMED', expire_time = NULL, time_zone = 'Pacific/Honolulu' WHERE state = 'HELD'";
    // As many at a time as a member may hold.
    for _ in 0..40 {
        for _ in 0..5 {
            place.hold(&client, nights(0, 2)).await.expect("holds");
        }
        let db = &yeyak.platform.kit.db;
        db.write(async |tx| Ok(tx.execute_unprepared(move_west).await.map(drop)?)).await.expect("writes");
    }
    // The last of all, by when it was made.
    yeyak.clock.advance(TimeDelta::seconds(1));
    place.confirmed(&yeyak, &client, nights(0, 2)).await;

    at(&yeyak, 2, 11);
    assert_eq!(yeyak.platform.bookings.tidy().await.expect("tidies"), 0);
    at(&yeyak, 2, 12);
    assert_eq!(yeyak.platform.bookings.tidy().await.expect("tidies"), 1);
}
