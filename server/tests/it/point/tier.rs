//! Tiers: by what bookings have earned in the twelve months before.

use chrono::TimeDelta;
use yeyak::Error;
use yeyak::ErrorReason;
use yeyak::proto::booking::v1::{BookingQuote, QuoteBookingRequest};
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::coupon::v1::{CouponParameter, CouponPolicy, CouponTerm, CouponTexts};
use yeyak::proto::point::v1::{GetPointTierRequest, PointPolicy, PointTier, PointTierRule};
use yeyak_server::kit::caller::Actor;
use yeyak_server::kit::id::BookingId;
use yeyak_server::kit::money::Money;
use yeyak_server::kit::tx::Tx;
use yeyak_server::point::{ClawedBack, Part};

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

impl Desk {
    /// A booking that earns points, which can be spent a month later.
    async fn earn_by_booking(&self, points: i64) -> BookingId {
        let (platform, actor) = (&self.yeyak.platform, Actor::job("test"));
        let whose = (BookingId::new(&platform.kit.ids, self.now()), self.id.parse().expect("an id"));
        let (base, from) = (Money::won(points * 100), self.now() + TimeDelta::days(30));
        let earn = async |tx: Tx| platform.points.earn_pending(&tx, whose, base, from, &actor).await;
        assert_eq!(platform.kit.db.write(earn).await.expect("earns"), points);
        whose.0
    }

    async fn take_back(&self, booking: BookingId, refund: i64) -> ClawedBack {
        let (platform, actor, refund) = (&self.yeyak.platform, Actor::job("test"), Money::won(refund));
        let take = async |tx: Tx| platform.points.claw_back(&tx, booking, Part::Whole, refund, &actor).await;
        platform.kit.db.write(take).await.expect("takes back")
    }
}

/// Guard: of what counts, what was taken back of itself is taken off, whatever that was taken out of.
#[tokio::test]
async fn a_tier_loses_what_was_taken_back_of_what_it_counts_and_nothing_else() {
    let desk = Desk::new().await;
    let old = desk.earn_by_booking(3_000).await;
    desk.yeyak.clock.advance(TimeDelta::days(360));
    let new = desk.earn_by_booking(2_000).await;
    desk.yeyak.clock.advance(TimeDelta::days(10));

    assert_eq!(desk.take_back(old, 0).await.taken, 3_000);

    assert_eq!(tier(&desk).await.earned_points, 2_000, "the other was earned too long ago to count");
    desk.yeyak.clock.advance(TimeDelta::days(25));
    desk.spend(2_000).await.expect("spends");
    assert_eq!(desk.take_back(new, 5_000).await.withheld, 2_000);
    assert_eq!(tier(&desk).await.earned_points, 0, "nothing was taken out of the wallet");
    desk.yeyak.check().await;
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
