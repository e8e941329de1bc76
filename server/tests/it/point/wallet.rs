//! What is read of a wallet, and by whom.

use chrono::TimeDelta;
use yeyak::ErrorReason;
use yeyak::proto::common::v1::Money;
use yeyak::proto::ledger::v1::GetAccountBalanceRequest;
use yeyak::proto::point::v1::earn_points_request::Amount;
use yeyak::proto::point::v1::point_movement::Cause;
use yeyak::proto::point::v1::{
    AdjustPointsRequest, EarnPointsRequest, GetPointBalanceRequest, ListPointLotsRequest, ListPointMovementsRequest,
    PointBalance, SimulatePointExpiryRequest, SimulatePointSpendingRequest, SpendPointsRequest,
};

use super::desk::{Desk, stamp, told};
use crate::coupon::desk::refused;
use crate::harness::id_of;

#[tokio::test]
async fn a_wallet_shows_what_it_has_and_what_moved_it() {
    let desk = Desk::new().await;
    assert_eq!(desk.balance().await, PointBalance { member_id: desk.id.clone(), ..Default::default() });

    let earned = desk.earn(1_000).await;
    desk.yeyak.clock.advance(TimeDelta::seconds(1));
    let spent = desk.spend(300).await.expect("spends");
    let aside = desk.reserve(200).await.expect("reserves");

    let balance = desk.balance().await;
    let held = (balance.available_points, balance.pending_points, balance.reserved_points, balance.owed_points);
    assert_eq!((held, balance.balance_version), ((500, 0, 200, 0), 3));
    // To the end of the day in Seoul.
    assert_eq!(told(balance.next_expire_time.as_ref()), "2027-03-02T15:00:00+00:00");
    assert_eq!(balance.expiring_points, 0);
    let all = desk.movements().await;
    let told: Vec<_> =
        all.iter().map(|one| (one.cause(), one.points, one.reserved_points, one.balance_points)).collect();
    let expected = [(Cause::Reserve, -200, 200, 500), (Cause::Spend, -300, 0, 700), (Cause::Earn, 1_000, 0, 1_000)];
    assert_eq!(told, expected);
    assert_eq!((&*all[0].spending_id, &*all[1].spending_id), (&*aside.id, &*spent.id));
    assert_eq!((&all[2], all[2].number), (&earned, 1));
    assert_eq!(all[1].pieces[0].lot_id, earned.pieces[0].lot_id);
    let lots = desk.lots().await;
    assert_eq!(lots.iter().map(|lot| (lot.points, lot.left_points)).collect::<Vec<_>>(), [(1_000, 500)]);
    for (account, expected) in [("points", 500), ("held", 200)] {
        let ask = GetAccountBalanceRequest { account: format!("{account}:{}", desk.id), currency_code: "PTS".into() };
        let found = desk.admin.ledger().get_account_balance(ask).await.expect("a balance").balance;
        assert_eq!(found.map(|money| money.minor_units), Some(expected));
    }
    desk.yeyak.check().await;
}

#[tokio::test]
async fn a_wallet_is_its_members_and_the_admins_and_for_all_others_it_is_not_there() {
    let desk = Desk::new().await;
    let (stranger, theirs) = (desk.yeyak.member().await, Some(desk.id.clone()));
    desk.earn(1_000).await;
    let of = |member_id: &Option<String>| GetPointBalanceRequest {
        member_id: member_id.clone().unwrap_or_default(),
        ..Default::default()
    };

    let seen = desk.admin.points().get_point_balance(of(&theirs)).await.expect("an admin");
    assert_eq!(seen.available_points, 1_000);
    assert_eq!(refused(stranger.points().get_point_balance(of(&theirs)).await), ErrorReason::NotFound);
    let member_id = desk.id.clone();
    let list = ListPointMovementsRequest { member_id: member_id.clone(), ..Default::default() };
    assert_eq!(refused(stranger.points().list_point_movements(list).await), ErrorReason::NotFound);
    let list = ListPointLotsRequest { member_id: member_id.clone(), ..Default::default() };
    assert_eq!(refused(stranger.points().list_point_lots(list).await), ErrorReason::NotFound);
    let ask = SimulatePointSpendingRequest { member_id: member_id.clone(), points: 1 };
    assert_eq!(refused(stranger.points().simulate_point_spending(ask).await), ErrorReason::NotFound);
    let until_time = stamp(desk.now() + TimeDelta::days(1));
    let ask = SimulatePointExpiryRequest { member_id, until_time };
    assert_eq!(refused(stranger.points().simulate_point_expiry(ask).await), ErrorReason::NotFound);
    let nobody = Some("member_01h455vb4pex5vsknk084sn02q".to_owned());
    assert_eq!(refused(desk.admin.points().get_point_balance(of(&nobody)).await), ErrorReason::NotFound);
}

#[tokio::test]
async fn nobody_gives_themselves_points() {
    let desk = Desk::new().await;
    let own = id_of(&desk.admin).await;

    assert_eq!(refused(desk.member.points().earn_points(desk.ask(1)).await), ErrorReason::AccessDenied);
    let spend = SpendPointsRequest { member_id: desk.id.clone(), points: 1, ..Default::default() };
    assert_eq!(refused(desk.member.points().spend_points(spend).await), ErrorReason::AccessDenied);
    let earn = EarnPointsRequest { member_id: own.clone(), ..desk.ask(1) };
    assert_eq!(refused(desk.admin.points().earn_points(earn).await), ErrorReason::AccessDenied);
    let adjust = AdjustPointsRequest { member_id: own, points: 1, reason: "나에게".into(), ..Default::default() };
    assert_eq!(refused(desk.admin.points().adjust_points(adjust).await), ErrorReason::AccessDenied);
    let key = desk.yeyak.api_key(&["yeyak.point.v1.PointService/EarnPoints"]).await;
    let service = desk.yeyak.client.with_api_key(key);
    assert_eq!(service.points().earn_points(desk.ask(7)).await.expect("a service").points, 7);
    assert_eq!(desk.available().await, 7);
}

#[tokio::test]
async fn a_list_of_movements_is_read_page_by_page_and_by_cause() {
    let desk = Desk::new().await;
    for points in 1..=5 {
        desk.earn(points).await;
    }
    desk.spend(2).await.expect("spends");
    let mut list = ListPointMovementsRequest { page_size: 4, ..Default::default() };

    let first = desk.member.points().list_point_movements(list.clone()).await.expect("lists");
    list.page_token.clone_from(&first.next_page_token);
    let second = desk.member.points().list_point_movements(list.clone()).await.expect("lists");

    let numbers =
        |page: &[yeyak::proto::point::v1::PointMovement]| page.iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!((numbers(&first.movements), numbers(&second.movements)), (vec![6, 5, 4, 3], vec![2, 1]));
    assert!(second.next_page_token.is_empty());
    list.cause = Cause::Spend.into();
    assert_eq!(refused(desk.member.points().list_point_movements(list.clone()).await), ErrorReason::PageTokenInvalid);
    list.page_token.clear();
    let spent = desk.member.points().list_point_movements(list).await.expect("lists").movements;
    assert_eq!(numbers(&spent), [6]);
    let later = ListPointMovementsRequest { start_time: stamp(desk.now() + TimeDelta::days(1)), ..Default::default() };
    assert!(desk.member.points().list_point_movements(later).await.expect("lists").movements.is_empty());
}

#[tokio::test]
async fn a_simulation_tells_which_lots_and_what_expires_and_changes_nothing() {
    let desk = Desk::new().await;
    let late = desk.earn_until(500, desk.now() + TimeDelta::days(20)).await;
    let soon = desk.earn_until(300, desk.now() + TimeDelta::days(10)).await;
    let lot = |movement: &yeyak::proto::point::v1::PointMovement| movement.pieces[0].lot_id.clone();

    let ask = SimulatePointSpendingRequest { points: 400, ..Default::default() };
    let spending = desk.member.points().simulate_point_spending(ask).await.expect("simulates");
    let ask = SimulatePointExpiryRequest { until_time: stamp(desk.now() + TimeDelta::days(15)), ..Default::default() };
    let expiry = desk.member.points().simulate_point_expiry(ask).await.expect("simulates");

    let taken: Vec<_> = spending.pieces.iter().map(|piece| (piece.lot_id.clone(), piece.points)).collect();
    assert_eq!((taken, spending.available_points), (vec![(lot(&soon), 300), (lot(&late), 100)], 400));
    assert_eq!(expiry.points, 300);
    assert_eq!(expiry.pieces.iter().map(|piece| piece.lot_id.clone()).collect::<Vec<_>>(), [lot(&soon)]);
    let ask = SimulatePointSpendingRequest { points: 801, ..Default::default() };
    let enough = desk.member.points().simulate_point_spending(ask).await;
    assert_eq!(refused(enough), ErrorReason::PointsNotEnough);
    let balance = desk.balance().await;
    assert_eq!((balance.available_points, balance.expiring_points), (800, 800));
    let within = GetPointBalanceRequest { expiring_days: 15, ..Default::default() };
    assert_eq!(desk.member.points().get_point_balance(within).await.expect("reads").expiring_points, 300);
}

#[tokio::test]
async fn an_admin_puts_a_wallet_right_for_a_reason_that_stays() {
    let desk = Desk::new().await;

    let added = desk.adjust(500).await.expect("adds");
    let taken = desk.adjust(-200).await.expect("takes");

    assert_eq!((added.points, taken.points, taken.balance_points), (500, -200, 300));
    assert_eq!((added.cause(), &*taken.reference), (Cause::Adjust, "고객 문의 처리"));
    let more = desk.adjust(-301).await;
    assert_eq!(more.as_ref().map_err(|error| error.metadata["available"].clone()), Err("300".to_owned()));
    assert_eq!(refused(more), ErrorReason::PointsNotEnough);
    assert_eq!(refused(desk.adjust(0).await), ErrorReason::InvalidFields);
    desk.yeyak.check().await;
}

#[tokio::test]
async fn an_amount_earns_what_the_policy_gives() {
    let desk = Desk::new().await;
    let base = |minor_units| Some(Amount::Base(Money { currency_code: "KRW".into(), minor_units }));
    let earn = |minor_units| EarnPointsRequest { amount: base(minor_units), ..desk.ask(0) };

    let earned = desk.admin.points().earn_points(earn(12_345)).await.expect("earns");
    let nothing = desk.admin.points().earn_points(earn(99)).await;

    assert_eq!(earned.points, 123);
    assert_eq!(refused(nothing), ErrorReason::InvalidFields);
    let dollars = Some(Amount::Base(Money { currency_code: "USD".into(), minor_units: 1_000 }));
    let earn = EarnPointsRequest { amount: dollars, ..desk.ask(0) };
    assert_eq!(refused(desk.admin.points().earn_points(earn).await), ErrorReason::InvalidFields);
    assert_eq!(desk.available().await, 123);
}
