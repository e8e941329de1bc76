//! Tiers: by what bookings have earned in the twelve months before.

use chrono::TimeDelta;
use yeyak::Error;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::{BookingQuote, QuoteBookingRequest};
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::coupon::v1::{CouponParameter, CouponPolicy, CouponTerm, CouponTexts};
use yeyak::proto::point::v1::{GetPointTierRequest, PointPolicy, PointTier, PointTierRule};

use super::desk::Desk;
use crate::coupon::desk::{grant, policy, refused, terms};
use crate::place::{Place, Plan, date, nights};

async fn tier(desk: &Desk) -> PointTier {
    desk.member.points().get_point_tier(GetPointTierRequest::default()).await.expect("reads")
}

fn rule(name: &str, earned_points: i64) -> PointTierRule {
    PointTierRule { name: name.into(), earned_points }
}

async fn quote(desk: &Desk, place: &Place, coupon: &str) -> Result<BookingQuote, Error> {
    let (from, to) = nights(9, 1);
    let ask = QuoteBookingRequest {
        room_type_id: place.room_type_id.clone(),
        rate_plan_id: place.rate_plan_id.clone(),
        check_in_date: date(from),
        check_out_date: date(to),
        coupon_ids: vec![coupon.to_owned()],
        ..Default::default()
    };
    desk.member.bookings().quote_booking(ask).await
}

#[tokio::test]
async fn a_tier_is_what_bookings_have_earned_of_late_and_opens_coupons() {
    let desk = Desk::new().await;
    let tiers = vec![rule("GOLD", 4_000), rule("SILVER", 2_000)];
    desk.policy(PointPolicy { tiers, ..Default::default() }, &["tiers"]).await.expect("changes");
    let place = desk.yeyak.place(Plan { rooms: 5, ..Plan::default() }).await;
    let names = Value::Texts(CouponTexts { values: vec!["SILVER".into(), "GOLD".into()] });
    let names = vec![CouponParameter { name: "tiers".into(), value: Some(names) }];
    let condition = CouponTerm { kind: "MEMBER_TIER".into(), parameters: names };
    let for_tiers = CouponPolicy { conditions: vec![condition], ..terms(Issuing::Grant) };
    let coupon = grant(&desk.admin, &policy(&desk.admin, for_tiers).await.id, &desk.id).await.expect("grants");
    // What an admin gives counts for nothing.
    desk.earn(1_000_000).await;
    let none = tier(&desk).await;
    assert_eq!((&*none.name, none.earned_points, &*none.next_name, none.missing_points), ("", 0, "SILVER", 2_000));
    let too_low = quote(&desk, &place, &coupon.id).await.expect_err("is for others");
    assert_eq!((too_low.reason, &*too_low.metadata["why"]), (ErrorReason::CouponNotApplicable, "MEMBER_TIER"));

    place.confirmed(&desk.yeyak, &desk.member, nights(0, 2)).await;

    let silver = tier(&desk).await;
    assert_eq!(
        (&*silver.name, silver.earned_points, &*silver.next_name, silver.missing_points),
        ("SILVER", 2_000, "GOLD", 2_000)
    );
    quote(&desk, &place, &coupon.id).await.expect("is theirs now");
    desk.yeyak.clock.advance(TimeDelta::days(367));
    assert_eq!(tier(&desk).await.name, "");
}

#[tokio::test]
async fn tiers_that_are_the_same_twice_are_refused() {
    let desk = Desk::new().await;
    for tiers in
        [vec![rule("A", 1), rule("A", 2)], vec![rule("A", 1), rule("B", 1)], vec![rule("", 1)], vec![rule("A", 0)]]
    {
        let changed = desk.policy(PointPolicy { tiers, ..Default::default() }, &["tiers"]).await;
        assert_eq!(refused(changed), ErrorReason::InvalidFields);
    }
}
