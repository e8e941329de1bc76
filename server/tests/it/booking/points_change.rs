//! The points of bookings that move to other dates.

use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::payment::v1::PreparePaymentRequest;

use super::points::stage;
use crate::place::{PRICE, Plan, cancel, confirm, is, minor, nights, pay, prepare};

#[tokio::test]
async fn other_dates_keep_as_many_points_as_they_cost() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    stage.earn(100_000).await;
    let held = stage.hold(150_000).await;

    let longer = stage.change(&held, nights(1, 3)).await;
    assert_eq!((minor(&longer.total), longer.points, stage.has().await), (150_000, 150_000, (0, 0, 150_000)));
    pay(&stage.yeyak, &stage.member, &longer).await;
    assert_eq!(stage.has().await, (0, 1_500, 0));
    stage.holds().await;

    let shorter = stage.change(&longer, nights(1, 2)).await;
    assert_eq!((minor(&shorter.total), minor(&shorter.refunded), shorter.refunded_points), (50_000, 100_000, 0));
    assert_eq!(stage.has().await, (0, 500, 0), "it earns what its new price does");
    let quote = stage.quote_change(&shorter, nights(1, 1)).await;
    assert_eq!((minor(&quote.total), minor(&quote.refund), quote.points), (0, 50_000, 100_000));
    let shortest = stage.change(&shorter, nights(1, 1)).await;
    assert_eq!((minor(&shortest.total), minor(&shortest.refunded), shortest.refunded_points), (0, 150_000, 50_000));
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
    let cancelled = cancel(&stage.member, &stage.look(&shortest).await).await.expect("cancels");
    assert_eq!((cancelled.refunded_points, stage.has().await), (150_000, (150_000, 0, 0)));
    stage.holds().await;
}

#[tokio::test]
async fn a_held_booking_that_points_pay_whole_at_other_dates_is_paid_with_nothing() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    stage.earn(100_000).await;
    let held = stage.hold(150_000).await;

    let shorter = stage.change(&held, nights(1, 1)).await;
    assert_eq!((minor(&shorter.total), shorter.points, stage.has().await), (0, PRICE, (50_000, 0, PRICE)));
    stage.yeyak.check().await;
    let payment = prepare(&stage.member, &shorter).await;
    confirm(&stage.member, &payment, "nothing".into()).await.expect("confirms");

    assert!(is(&stage.look(&shorter).await, State::Confirmed));
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}

/// A change that is paid first: the points stay, and the new price earns.
#[tokio::test]
async fn dearer_dates_are_paid_in_money() {
    let stage = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let booking = stage.paid(50_000).await;
    let quote = stage.quote_change(&booking, nights(1, 3)).await;
    assert_eq!((minor(&quote.total), minor(&quote.due), quote.points), (250_000, 100_000, 50_000));

    let prepare =
        PreparePaymentRequest { booking_id: booking.id.clone(), change_quote_token: quote.token, ..Default::default() };
    let payment = stage.member.payments().prepare_payment(prepare).await.expect("prepares");
    let key = stage.yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    confirm(&stage.member, &payment, key).await.expect("confirms");

    let booking = stage.look(&booking).await;
    assert_eq!((minor(&booking.total), minor(&booking.paid), booking.points), (250_000, 250_000, 50_000));
    assert_eq!(stage.has().await, (0, 2_500, 0));
    stage.holds().await;
}
