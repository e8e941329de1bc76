//! Coupons for a member's first booking.

use futures::future::join_all;
use yeyak::proto::booking::v1::BookingQuote;
use yeyak::proto::coupon::v1::CouponPolicy;
use yeyak::proto::coupon::v1::coupon_policy::RefundPolicy;
use yeyak::{Error, ErrorReason};

use super::{Stage, amount_off, give, quote, stage, term};
use crate::place::{Plan, cancel, pay, take};

/// Guards: asked where the coupon is held, once more, in the member's turn; what is held counts before what is paid is asked for. A
/// quote is judged by the same.
#[tokio::test]
async fn a_first_booking_is_one_booking() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 3, ..Plan::default() }).await;
    let first = || CouponPolicy {
        conditions: vec![term("FIRST_BOOKING", Vec::new())],
        refund_policy: RefundPolicy::Lose.into(),
        ..amount_off(5_000)
    };
    let (one, other) = (give(&admin, &member, first()).await, give(&admin, &member, first()).await);
    let mut quoted = Vec::new();
    for coupon in [&one, &other] {
        quoted.push(quote(&place, &member, &[coupon]).await.expect("quotes, since nothing is booked yet"));
    }
    let refused = |refused: Error| {
        assert_eq!((refused.reason, &*refused.metadata["why"]), (ErrorReason::CouponNotApplicable, "FIRST_BOOKING"));
    };
    let create = async |quote: &BookingQuote| member.bookings().create_booking(take(quote.clone())).await;

    let created = join_all(quoted.iter().map(&create)).await;
    let winner = created.iter().position(Result::is_ok).expect("one is the first");
    let (coupon, late) = ([&other, &one][winner], &quoted[1 - winner]);
    let mut created = created.into_iter();
    let booking = created.by_ref().find_map(Result::ok).expect("one is the first");
    assert!(created.all(|outcome| outcome.is_err()), "and no more than one");

    refused(create(late).await.expect_err("the other may become the first"));
    refused(quote(&place, &member, &[coupon]).await.expect_err("as it would be refused"));
    pay(&yeyak, &member, &booking).await;
    refused(create(late).await.expect_err("the other is the first"));
    cancel(&member, &booking).await.expect("cancels, and loses the coupon");
    let again = quote(&place, &member, &[coupon]).await.expect("nothing is booked");
    create(&again).await.expect("is the first");
    yeyak.check().await;
}
