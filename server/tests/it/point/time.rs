//! Rules of time, with every job stopped: nothing here settles.

use chrono::TimeDelta;
use yeyak::ErrorReason;
use yeyak::proto::common::v1::Date;
use yeyak::proto::point::v1::point_movement::Cause;
use yeyak::proto::point::v1::{EarnPointsRequest, GetPointLiabilityRequest, ListPointLotsRequest, PointLiability};

use super::desk::{Desk, stamp, told};
use crate::coupon::desk::refused;

#[tokio::test]
async fn points_that_have_expired_are_gone_at_their_moment() {
    let desk = Desk::new().await;
    let until = desk.now() + TimeDelta::days(10);
    desk.earn_until(300, until).await;

    desk.yeyak.clock.set(until - TimeDelta::milliseconds(1));
    assert_eq!((desk.available().await, desk.lots().await.len()), (300, 1));
    desk.yeyak.clock.set(until);
    assert_eq!((desk.available().await, desk.lots().await.len()), (0, 0));

    assert_eq!(refused(desk.spend(1).await), ErrorReason::PointsNotEnough);
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.earn(5).await;
    let all = desk.movements().await;
    assert_eq!(
        all.iter().map(|one| (one.cause(), one.points)).collect::<Vec<_>>()[..2],
        [(Cause::Earn, 5), (Cause::Expire, -300)]
    );
    assert_eq!(told(all[1].effective_time.as_ref()), until.to_rfc3339(), "it counts from its moment");
    desk.yeyak.check().await;
}

#[tokio::test]
async fn points_that_are_pending_can_be_spent_from_their_moment_on() {
    let desk = Desk::new().await;
    let from = desk.now() + TimeDelta::days(3);
    let earn = EarnPointsRequest { available_time: stamp(from), ..desk.ask(300) };
    desk.admin.points().earn_points(earn).await.expect("earns");

    let balance = desk.balance().await;
    assert_eq!((balance.available_points, balance.pending_points), (0, 300));
    assert_eq!(refused(desk.spend(1).await), ErrorReason::PointsNotEnough);
    desk.yeyak.clock.set(from);

    let balance = desk.balance().await;
    assert_eq!((balance.available_points, balance.pending_points), (300, 0));
    desk.spend(300).await.expect("spends");
    desk.yeyak.check().await;
}

#[tokio::test]
async fn points_are_good_to_the_end_of_the_day_where_their_member_is() {
    let desk = Desk::new().await;
    desk.moves("Pacific/Honolulu").await;

    desk.earn(1).await;

    // It is the first of March there, at 17:00.
    assert_eq!(told(desk.lots().await[0].expire_time.as_ref()), "2027-03-02T10:00:00+00:00");
}

/// Guard: lots are listed as time has left them, as the balance is, though nobody has written it down.
#[tokio::test]
async fn what_came_back_by_itself_is_listed_with_its_lot() {
    let desk = Desk::new().await;
    desk.earn_until(200, desk.now() + TimeDelta::days(10)).await;
    desk.earn_until(100, desk.now() + TimeDelta::hours(1)).await;
    desk.reserve(300).await.expect("reserves");
    assert!(desk.lots().await.is_empty());

    desk.yeyak.clock.advance(TimeDelta::minutes(30));

    let one = ListPointLotsRequest { page_size: 1, ..Default::default() };
    let first = desk.member.points().list_point_lots(one.clone()).await.expect("lists");
    let next = ListPointLotsRequest { page_token: first.next_page_token, ..one };
    let second = desk.member.points().list_point_lots(next).await.expect("lists");
    assert_eq!((first.lots[0].left_points, second.lots[0].left_points), (100, 200));
    assert_eq!((first.lots.len(), second.lots.len(), &*second.next_page_token), (1, 1, ""));
    desk.yeyak.clock.advance(TimeDelta::minutes(30));
    assert_eq!(desk.lots().await, second.lots, "what came back has expired");
}

/// Guard: what was set aside until a moment of a day is available again at its end, though nobody has written it down.
#[tokio::test]
async fn what_the_platform_owed_on_a_day_is_told_later_too() {
    let desk = Desk::new().await;
    desk.earn_until(300, desk.now() + TimeDelta::days(2)).await;
    desk.earn(1_000).await;
    desk.yeyak.clock.advance(TimeDelta::days(1));
    desk.spend(200).await.expect("spends");
    desk.reserve(500).await.expect("reserves");
    desk.yeyak.clock.advance(TimeDelta::days(5));

    let told = |day| {
        let ask = GetPointLiabilityRequest { date: Some(Date { year: 2026, month: 3, day }) };
        let admin = desk.admin.clone();
        async move { admin.point_policies().get_point_liability(ask).await }
    };
    let shown =
        |report: PointLiability| (report.outstanding_points, report.reserved_points, report.expected_expiry_points);

    assert_eq!(shown(told(1).await.expect("reports")), (0, 0, 0));
    assert_eq!(shown(told(2).await.expect("reports")), (1_300, 0, 0));
    // 200 of the lot that expires first are spent; its other 100 were set aside with 400 more for half an hour.
    assert_eq!(shown(told(3).await.expect("reports")), (1_100, 0, 0));
    // The 100 have expired.
    assert_eq!(told(4).await.expect("reports").outstanding_points, 1_000);
    assert_eq!(refused(told(9).await), ErrorReason::InvalidFields);
    desk.earn(1).await;
    let now = told(8).await.expect("reports");
    // What was set aside came back an half hour later, to a lot of which 100 expired on the fourth.
    assert_eq!((now.outstanding_points, now.reserved_points, now.expiry_rate), (1_001, 0, 3_333));
    assert_eq!(now.expected_expiry_points, 333);
    desk.yeyak.check().await;
}

/// Guard: what is still to come today has neither expired nor come back.
#[tokio::test]
async fn what_the_platform_owes_today_is_told_as_of_now() {
    let desk = Desk::new().await;
    desk.earn_until(300, desk.now() + TimeDelta::hours(3)).await;
    desk.reserve(100).await.expect("reserves");
    let today = || async {
        let ask = GetPointLiabilityRequest { date: Some(Date { year: 2026, month: 3, day: 2 }) };
        let report = desk.admin.point_policies().get_point_liability(ask).await.expect("reports");
        (report.outstanding_points, report.reserved_points)
    };

    assert_eq!(today().await, (200, 100));
    desk.yeyak.clock.advance(TimeDelta::hours(3));

    assert_eq!(today().await, (0, 0));
}
