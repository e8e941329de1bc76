//! Coupons that are granted, given on, and taken back.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::coupon::v1::coupon::State;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::coupon::v1::{
    Coupon, CouponPolicy, GetCouponReceiptRequest, GiftCouponRequest, GrantCouponRequest, IssueCouponRequest,
    coupon_receipt,
};

use super::desk::{
    counted, coupons, crowd, get, gift, grant, others_are, pause, policy, refused, revoke, terms, won_by,
};
use crate::harness::{Yeyak, id_of};

const REQUEST: &str = "0195d7a0-0000-7000-8000-000000000003";

/// Guard: the condition on the total in `store::tally::give`.
#[tokio::test]
async fn the_last_grants_go_to_as_many_of_fifty_as_there_are() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { total_count: Some(3), ..terms(Issuing::Grant) }).await;
    let members = crowd(&yeyak, 50).await;

    let all = join_all(members.iter().map(|(_, member)| grant(&seller, &made.id, member))).await;

    assert_eq!(won_by(&all), 3);
    others_are(&all, ErrorReason::CouponSoldOut);
    assert_eq!(counted(&seller, &made.id).await, (3, 3, true));
    assert_eq!(get(&seller, &made.id).await.expect("reads").remaining_count, Some(0));
}

/// Guards: the unique index on (policy, member, ordinal), and the tally's lock, behind which ordinals are read.
#[tokio::test]
async fn a_member_who_is_granted_fifty_at_once_has_as_many_as_they_may() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { per_member_count: 4, ..terms(Issuing::Grant) }).await;
    let client = yeyak.member().await;
    let member = id_of(&client).await;

    let all = join_all((0..50).map(|_| grant(&seller, &made.id, &member))).await;

    assert_eq!(won_by(&all), 4, "{all:?}");
    others_are(&all, ErrorReason::CouponLimitReached);
    assert_eq!(coupons(&client).await.len(), 4);
}

/// Guard: the record of the request, in the transaction of the grant.
#[tokio::test]
async fn the_same_grant_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { per_member_count: 9, ..terms(Issuing::Grant) }).await;
    let client = yeyak.member().await;
    let request =
        GrantCouponRequest { policy_id: made.id.clone(), member_id: id_of(&client).await, request_id: REQUEST.into() };

    let all = join_all((0..8).map(|_| async { seller.coupons().grant_coupon(request.clone()).await })).await;

    let ids: HashSet<_> = all.into_iter().map(|one| one.expect("one effect").id).collect();
    assert_eq!((ids.len(), coupons(&client).await.len()), (1, 1));
}

/// Guard: the slots of the day.
#[tokio::test]
async fn on_a_day_a_member_has_as_many_as_the_day_allows() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let limits = CouponPolicy { per_member_count: 5, per_member_daily_count: Some(2), ..terms(Issuing::Grant) };
    let made = policy(&seller, limits).await;
    let member = id_of(&yeyak.member().await).await;
    let day = async || join_all((0..10).map(|_| grant(&seller, &made.id, &member))).await;

    // Noon in Seoul; 13 hours later it is the next day there, and not yet in Greenwich.
    let first = day().await;
    yeyak.clock.advance(TimeDelta::hours(13));
    let second = day().await;
    yeyak.clock.advance(TimeDelta::days(1));
    let third = day().await;

    assert_eq!([won_by(&first), won_by(&second), won_by(&third)], [2, 2, 1]);
    let limit = |outcomes: &[Result<Coupon, yeyak::Error>]| {
        let refused = outcomes.iter().find_map(|outcome| outcome.as_ref().err()).expect("one is refused");
        refused.metadata.get("limit").cloned()
    };
    assert_eq!(limit(&first).as_deref(), Some("per_member_daily_count"));
    assert_eq!(limit(&third).as_deref(), Some("per_member_count"));
}

#[tokio::test]
async fn a_grant_is_for_members_and_for_policies_that_are_granted() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let member = id_of(&yeyak.member().await).await;

    let nobody = "member_01h455vb4pex5vsknk084sn02q";
    assert_eq!(refused(grant(&seller, &made.id, nobody).await), ErrorReason::NotFound);
    let other = policy(&seller, terms(Issuing::Code)).await;
    assert_eq!(refused(grant(&seller, &other.id, &member).await), ErrorReason::CouponWrongIssuing);
    let later = CouponPolicy { start_time: super::desk::instant("2026-06-01T00:00:00Z"), ..terms(Issuing::Grant) };
    let later = policy(&seller, later).await;
    assert_eq!(refused(grant(&seller, &later.id, &member).await), ErrorReason::CouponNotStarted);
    let given = grant(&seller, &made.id, &member).await.expect("grants");
    assert_eq!((given.state(), given.member_id), (State::Available, member));
    assert_eq!(given.expire_time, super::desk::instant("2026-04-01T15:00:00Z"), "the end of the thirtieth day");
}

/// Guard: the coupon's version in the condition of its update.
#[tokio::test]
async fn a_coupon_that_is_given_to_twenty_at_once_is_one_s() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { giftable: true, ..terms(Issuing::Grant) }).await;
    let (giver, others) = (yeyak.member().await, crowd(&yeyak, 20).await);
    let coupon = grant(&seller, &made.id, &id_of(&giver).await).await.expect("grants");

    let all = join_all(others.iter().map(|(_, other)| gift(&giver, &coupon.id, other))).await;

    assert_eq!(won_by(&all), 1);
    others_are(&all, ErrorReason::NotFound);
    let have = join_all(others.iter().map(|(client, _)| coupons(client))).await;
    assert_eq!(have.iter().flatten().count(), 1);
    assert!(coupons(&giver).await.is_empty());
    assert_eq!(counted(&seller, &made.id).await, (1, 1, true));
    yeyak.check().await;
}

#[tokio::test]
async fn a_gift_counts_for_both_and_can_not_be_given_on() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { giftable: true, ..terms(Issuing::Grant) }).await;
    let [giver, taker, third] = [yeyak.member().await, yeyak.member().await, yeyak.member().await];
    let [giver_id, taker_id, third_id] = [id_of(&giver).await, id_of(&taker).await, id_of(&third).await];
    let coupon = grant(&seller, &made.id, &giver_id).await.expect("grants");
    let request = GiftCouponRequest { id: coupon.id, recipient_id: taker_id.clone(), request_id: REQUEST.into() };

    let given = join_all((0..8).map(|_| async { giver.coupons().gift_coupon(request.clone()).await })).await;

    let given: Vec<_> = given.into_iter().map(|one| one.expect("one effect")).collect();
    assert!(given.iter().all(|one| *one == given[0]));
    assert_eq!((&given[0].member_id, &given[0].gift_from_id), (&taker_id, &giver_id));
    assert_eq!(given[0].expire_time, coupon.expire_time);
    assert!(!given[0].giftable);
    assert_eq!(refused(gift(&taker, &given[0].id, &third_id).await), ErrorReason::CouponNotGiftable);
    assert_eq!(refused(gift(&giver, &given[0].id, &third_id).await), ErrorReason::NotFound);
    // Each has all that they may: who gave away, and who was given.
    for member in [&giver_id, &taker_id] {
        assert_eq!(refused(grant(&seller, &made.id, member).await), ErrorReason::CouponLimitReached);
    }
    let another = grant(&seller, &made.id, &third_id).await.expect("grants");
    assert_eq!(refused(gift(&third, &another.id, &taker_id).await), ErrorReason::CouponLimitReached);
    let own = gift(&third, &another.id, &third_id).await.expect_err("to oneself");
    assert_eq!(own.violations[0].field, "recipient_id");

    // Taken back, it leaves room with both, and who gave it is not told.
    revoke(&seller, &given[0].id).await.expect("takes back");
    let repeated = giver.coupons().gift_coupon(request.clone()).await.expect("is repeated");
    assert_eq!(repeated, given[0]);
    for member in [&giver_id, &taker_id] {
        grant(&seller, &made.id, member).await.expect("grants again");
    }
}

/// Guard: the one index over what members were issued and what they were given.
#[tokio::test]
async fn a_member_who_was_given_the_one_that_they_may_have_is_not_issued_another() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { giftable: true, ..terms(Issuing::FirstCome) }).await;
    let (giver, taker) = (yeyak.member().await, yeyak.member().await);
    let issue = async |client: &yeyak::Client| {
        let request = IssueCouponRequest { policy_id: made.id.clone(), ..Default::default() };
        client.coupons().issue_coupon(request).await
    };
    issue(&giver).await.expect("is accepted");
    yeyak.settle().await;
    let coupon = coupons(&giver).await.remove(0);
    gift(&giver, &coupon.id, &id_of(&taker).await).await.expect("gives");

    let again = issue(&taker).await.expect_err("has it");

    assert_eq!(again.reason, ErrorReason::CouponAlreadyYours);
    let id = again.metadata["receipt_id"].clone();
    let receipt = taker.coupons().get_coupon_receipt(GetCouponReceiptRequest { id }).await.expect("reads");
    assert_eq!((receipt.state(), receipt.coupon_id), (coupon_receipt::State::Issued, coupon.id));
    assert_eq!(refused(issue(&giver).await), ErrorReason::CouponAlreadyYours);
    // Jobs hand over what is late, and issuers take it then.
    for _ in 0..2 {
        yeyak.clock.advance(TimeDelta::minutes(11));
        yeyak.settle().await;
    }
    assert_eq!(counted(&seller, &made.id).await, (1, 1, true));
    assert_eq!(coupons(&taker).await.len(), 1, "no issuer takes the gift for a receipt");
    yeyak.check().await;
}

#[tokio::test]
async fn what_is_taken_back_can_not_be_used_and_leaves_its_place() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { total_count: Some(1), ..terms(Issuing::Grant) }).await;
    let (client, other) = (yeyak.member().await, id_of(&yeyak.member().await).await);
    let coupon = grant(&seller, &made.id, &id_of(&client).await).await.expect("grants");
    assert_eq!(refused(grant(&seller, &made.id, &other).await), ErrorReason::CouponSoldOut);

    let all = join_all((0..8).map(|_| revoke(&seller, &coupon.id))).await;

    assert!(all.iter().all(|one| one.as_ref().is_ok_and(|one| one.state() == coupon_receipt::State::Cancelled)));
    assert_eq!(coupons(&client).await[0].state(), State::Revoked);
    assert_eq!(get(&seller, &made.id).await.expect("reads").remaining_count, Some(1), "once, not eight times");
    grant(&seller, &made.id, &other).await.expect("the place of the first");
    assert_eq!(counted(&seller, &made.id).await, (1, 1, true));
}

/// Guards: the issuer passes over what was taken back, and finds its coupon revoked. (How the two cross is tried from inside.)
#[tokio::test]
async fn a_receipt_that_is_taken_back_before_its_coupon_is_there_never_has_one() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { total_count: Some(1), ..terms(Issuing::FirstCome) }).await;
    let (client, other) = (yeyak.member().await, yeyak.member().await);
    let issue = async |client: &yeyak::Client| {
        let request = IssueCouponRequest { policy_id: made.id.clone(), ..Default::default() };
        client.coupons().issue_coupon(request).await
    };
    let receipt = issue(&client).await.expect("is accepted");
    assert_eq!(receipt.state(), coupon_receipt::State::Pending);

    let cancelled = revoke(&seller, &receipt.id).await.expect("takes back");
    let next = issue(&other).await.expect("the same place");
    yeyak.settle().await;

    assert_eq!((cancelled.state(), cancelled.place), (coupon_receipt::State::Cancelled, 0));
    assert_eq!(next.place, receipt.place);
    assert!(coupons(&client).await.iter().all(|coupon| coupon.state() == State::Revoked));
    assert_eq!(coupons(&other).await.len(), 1);
    assert_eq!(counted(&seller, &made.id).await, (1, 1, true));
    yeyak.check().await;
}

#[tokio::test]
async fn a_pause_stops_gifts_of_nothing_that_was_given() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { giftable: true, ..terms(Issuing::Grant) }).await;
    let (giver, taker) = (yeyak.member().await, id_of(&yeyak.member().await).await);
    let coupon = grant(&seller, &made.id, &id_of(&giver).await).await.expect("grants");
    pause(&seller, &made.id).await.expect("pauses");

    yeyak.clock.advance(TimeDelta::days(31));
    let late = gift(&giver, &coupon.id, &taker).await.expect_err("has expired");

    assert_eq!(late.reason, ErrorReason::CouponNotAvailable);
    assert_eq!(late.metadata.get("state").map(String::as_str), Some("EXPIRED"));
}
