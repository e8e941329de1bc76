//! Giving points away.

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use yeyak::ErrorReason;
use yeyak::proto::point::v1::PointPolicy;
use yeyak::proto::point::v1::point_movement::Cause;
use yeyak_server::kit::tx::Tx;

use super::desk::{Desk, balance, gift, movements};
use crate::coupon::desk::refused;
use crate::harness::id_of;

#[tokio::test]
async fn points_that_are_given_away_keep_their_expiry() {
    let desk = Desk::new().await;
    let policy = PointPolicy { gift_cap: 500, daily_gift_cap: 700, ..Default::default() };
    desk.policy(policy, &["gift_cap", "daily_gift_cap"]).await.expect("changes");
    let friend = desk.yeyak.member().await;
    let to = id_of(&friend).await;
    desk.earn_until(100, desk.now() + TimeDelta::days(10)).await;
    desk.earn_until(900, desk.now() + TimeDelta::days(20)).await;
    let mine = desk.lots().await;

    let given = gift(&desk.member, &to, 400).await.expect("gives");

    assert_eq!((given.cause(), given.points, given.balance_points), (Cause::Gift, -400, 600));
    assert_eq!(balance(&friend).await.available_points, 400);
    let received = movements(&friend).await;
    assert_eq!(received.iter().map(|one| one.points).sum::<i64>(), 400);
    let expiries: Vec<_> = received.iter().rev().map(|one| one.pieces[0].expire_time).collect();
    assert_eq!(expiries, mine.iter().map(|lot| lot.expire_time).collect::<Vec<_>>());
    assert_eq!(refused(gift(&desk.member, &to, 501).await), ErrorReason::PointGiftRefused);
    gift(&desk.member, &to, 300).await.expect("gives");
    assert_eq!(refused(gift(&desk.member, &to, 1).await), ErrorReason::PointGiftLimitReached);
    desk.yeyak.clock.advance(TimeDelta::hours(12));
    assert_eq!(refused(gift(&desk.member, &to, 301).await), ErrorReason::PointsNotEnough);
    gift(&desk.member, &to, 300).await.expect("another day");
    desk.yeyak.check().await;
}

/// Guard: what was given on a day counts on the day before too, which it still is elsewhere.
#[tokio::test]
async fn who_moves_to_where_it_is_still_yesterday_gives_no_more_for_it() {
    let desk = Desk::new().await;
    let policy = PointPolicy { gift_cap: 700, daily_gift_cap: 700, ..Default::default() };
    desk.policy(policy, &["gift_cap", "daily_gift_cap"]).await.expect("changes");
    let to = id_of(&desk.yeyak.member().await).await;
    desk.earn(5_000).await;
    gift(&desk.member, &to, 400).await.expect("gives");

    desk.moves("Pacific/Honolulu").await;
    assert_eq!(refused(gift(&desk.member, &to, 301).await), ErrorReason::PointGiftLimitReached);
    gift(&desk.member, &to, 300).await.expect("gives");
    desk.moves("Asia/Seoul").await;

    assert_eq!(refused(gift(&desk.member, &to, 1).await), ErrorReason::PointGiftLimitReached);
    desk.yeyak.check().await;
}

#[tokio::test]
async fn nothing_is_given_away_unless_the_policy_allows_it_nor_to_oneself_or_nobody() {
    let desk = Desk::new().await;
    desk.earn(100).await;
    let to = id_of(&desk.yeyak.member().await).await;

    assert_eq!(refused(gift(&desk.member, &to, 1).await), ErrorReason::PointGiftRefused);
    let policy = PointPolicy { gift_cap: 500, daily_gift_cap: 700, ..Default::default() };
    desk.policy(policy, &["gift_cap", "daily_gift_cap"]).await.expect("changes");
    assert_eq!(refused(gift(&desk.member, &desk.id, 1).await), ErrorReason::InvalidFields);
    let nobody = "member_01h455vb4pex5vsknk084sn02q";
    assert_eq!(refused(gift(&desk.member, nobody, 1).await), ErrorReason::NotFound);
    assert_eq!(desk.available().await, 100);
}

/// Guard: in how many lots a member may have points to be given others.
#[tokio::test]
async fn who_has_points_in_a_thousand_lots_is_given_no_others() {
    let desk = Desk::new().await;
    let policy = PointPolicy { gift_cap: 500, daily_gift_cap: 700, ..Default::default() };
    desk.policy(policy, &["gift_cap", "daily_gift_cap"]).await.expect("changes");
    let to = id_of(&desk.yeyak.member().await).await;
    desk.earn(100).await;
    gift(&desk.member, &to, 1).await.expect("gives");
    let copy = async |tx: Tx| {
        let id = if tx.has_others() { "gen_random_uuid()" } else { "randomblob(16)" };
        let columns =
            "member_id, cause, reference, points, remaining, clawed, pending, available_time, expire_time, create_time";
        let copy = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
             INSERT INTO point_lot (id, {columns}) SELECT {id}, {columns} FROM point_lot, n WHERE points = 1"
        );
        Ok(tx.execute_unprepared(&copy).await.map(drop)?)
    };
    desk.yeyak.platform.kit.db.write(copy).await.expect("copies");

    let refused = gift(&desk.member, &to, 1).await.expect_err("has so many");

    assert_eq!((refused.reason, &*refused.metadata["limit"]), (ErrorReason::PointGiftLimitReached, "recipient_lots"));
    assert_eq!(desk.available().await, 99);
}
