//! Codes: made, exported, redeemed, guessed.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::proto::coupon::v1::coupon_code_batch::State;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::coupon::v1::{
    CancelCouponCodeBatchRequest, Coupon, CouponCodeBatch, CouponPolicy, CreateCouponCodeBatchRequest,
    ExportCouponCodesRequest, ListCouponCodeBatchesRequest, RedeemCouponCodeRequest, coupon,
};
use yeyak::{Client, Error, ErrorReason};

use super::desk::{counted, coupons, crowd, end, gift, others_are, pause, policy, refused, revoke, terms, won_by};
use crate::harness::{Yeyak, id_of};

const REQUEST: &str = "0195d7a0-0000-7000-8000-000000000004";

pub(crate) async fn batch(keeper: &Client, policy: &str, code_count: i32, uses_per_code: i32) -> CouponCodeBatch {
    let request = CreateCouponCodeBatchRequest {
        policy_id: policy.to_owned(),
        code_count,
        uses_per_code,
        tag: "전단지".into(),
        ..Default::default()
    };
    keeper.coupon_codes().create_coupon_code_batch(request).await.expect("makes")
}

/// The codes behind a cursor, and how many items they came in.
async fn export(keeper: &Client, id: &str, after_cursor: &str) -> (Vec<String>, Vec<String>) {
    let request = ExportCouponCodesRequest { id: id.to_owned(), after_cursor: after_cursor.to_owned() };
    let mut items = keeper.coupon_codes().export_coupon_codes(request).await.expect("exports");
    let (mut codes, mut cursors) = (Vec::new(), Vec::new());
    while let Some(item) = items.message().await.expect("goes on") {
        assert!(item.codes.len() <= 1_000);
        codes.extend(item.codes);
        cursors.push(item.cursor);
    }
    (codes, cursors)
}

async fn redeem(client: &Client, code: &str) -> Result<Coupon, Error> {
    let request = RedeemCouponCodeRequest { code: code.to_owned(), ..Default::default() };
    client.coupons().redeem_coupon_code(request).await
}

/// A policy with one batch, and its codes.
async fn coded(keeper: &Client, limits: CouponPolicy, count: i32, uses: i32) -> (CouponPolicy, Vec<String>) {
    let made = policy(keeper, CouponPolicy { issuing: Issuing::Code.into(), ..limits }).await;
    let batch = batch(keeper, &made.id, count, uses).await;
    let (codes, _) = export(keeper, &batch.id, "").await;
    (made, codes)
}

/// One letter of a code replaced.
fn mistyped(code: &str) -> String {
    let other = if code.starts_with('7') { "8" } else { "7" };
    format!("{other}{}", &code[1..])
}

/// Guard: the condition on how often a code was redeemed.
#[tokio::test]
async fn a_code_that_fifty_redeem_at_once_is_one_s() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let (once, thrice) =
        (coded(&seller, terms(Issuing::Code), 2, 1).await, coded(&seller, terms(Issuing::Code), 1, 3).await);
    let members = crowd(&yeyak, 50).await;

    for ((made, codes), most) in [(once, 1), (thrice, 3)] {
        let all = join_all(members.iter().map(|(client, _)| redeem(client, &codes[0]))).await;

        assert_eq!(won_by(&all), most);
        others_are(&all, ErrorReason::CouponCodeInvalid);
        let given = i64::try_from(most).expect("few");
        assert_eq!(counted(&seller, &made.id).await, (given, given, true));
        let list = ListCouponCodeBatchesRequest { policy_id: made.id, ..Default::default() };
        let listed = seller.coupon_codes().list_coupon_code_batches(list).await.expect("lists").code_batches;
        assert_eq!((listed.len(), listed[0].redeemed_count, &*listed[0].tag), (1, given, "전단지"));
    }
}

/// Guards: that a member redeems a code once is looked at behind the lock of its row, and unique in `once`.
#[tokio::test]
async fn a_member_who_redeems_a_code_ten_times_at_once_has_one_coupon() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let limits = CouponPolicy { per_member_count: 10, ..terms(Issuing::Code) };
    let (made, codes) = coded(&seller, limits, 2, 100).await;
    let client = yeyak.member().await;

    let all = join_all((0..10).map(|_| redeem(&client, &codes[0]))).await;

    assert_eq!(won_by(&all), 1, "{all:?}");
    others_are(&all, ErrorReason::CouponCodeInvalid);
    redeem(&client, &codes[1]).await.expect("another code");
    assert_eq!((coupons(&client).await.len(), counted(&seller, &made.id).await), (2, (2, 2, true)));
}

#[tokio::test]
async fn the_same_redemption_twice_is_one_and_another_code_under_its_id_is_refused() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let limits = CouponPolicy { per_member_count: 10, ..terms(Issuing::Code) };
    let (_, codes) = coded(&seller, limits, 2, 1).await;
    let client = yeyak.member().await;
    let request = |code: &str| RedeemCouponCodeRequest { code: code.to_owned(), request_id: REQUEST.into() };

    let all = join_all((0..8).map(|_| async { client.coupons().redeem_coupon_code(request(&codes[0])).await })).await;

    let ids: HashSet<_> = all.into_iter().map(|one| one.expect("one effect").id).collect();
    assert_eq!(ids.len(), 1);
    let typed = codes[0].to_lowercase().replace('-', " ");
    let again = client.coupons().redeem_coupon_code(request(&typed)).await.expect("the same code");
    assert!(ids.contains(&again.id));
    let other = client.coupons().redeem_coupon_code(request(&codes[1])).await;
    assert_eq!(refused(other), ErrorReason::RequestIdReused);
}

/// Guard: `proto_coupon_for`, by which a coupon is shown to who had it.
#[tokio::test]
async fn a_repeated_redemption_tells_nothing_of_what_became_of_a_coupon_that_was_given_on() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let (_, codes) = coded(&seller, CouponPolicy { giftable: true, ..terms(Issuing::Code) }, 1, 1).await;
    let (client, friend_id) = (yeyak.member().await, id_of(&yeyak.member().await).await);
    let request = RedeemCouponCodeRequest { code: codes[0].clone(), request_id: REQUEST.into() };
    let redeem = async || client.coupons().redeem_coupon_code(request.clone()).await.expect("redeems");
    let id = redeem().await.id;
    gift(&client, &id, &friend_id).await.expect("gives");
    let before = redeem().await;

    revoke(&seller, &id).await.expect("takes back");
    let behind = redeem().await;

    assert_eq!(behind, before);
    assert_eq!((behind.state(), behind.member_id, behind.update_time), (coupon::State::Available, friend_id, None));
}

/// Guard: an attempt is counted before it is looked at.
#[tokio::test]
async fn ten_wrong_codes_are_looked_at_in_ten_minutes_however_many_come_at_once() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let limits = CouponPolicy { per_member_count: 30, ..terms(Issuing::Code) };
    let (_, codes) = coded(&seller, limits, 30, 1).await;
    let client = yeyak.member().await;
    for code in &codes[..15] {
        redeem(&client, code).await.expect("good codes are not counted");
    }

    let wrong = join_all((0..50).map(|_| redeem(&client, "7K3QM-ZT9WD-04XHE"))).await;
    let count = |reason| wrong.iter().filter(|one| one.as_ref().is_err_and(|one| one.reason == reason)).count();

    assert_eq!(count(ErrorReason::CouponCodeInvalid), 10);
    assert_eq!(count(ErrorReason::RateLimited), 40);
    let good = redeem(&client, &codes[20]).await.expect_err("even a good one is not looked at");
    assert_eq!(good.reason, ErrorReason::RateLimited);
    assert!(good.retry_after.is_some_and(|wait| wait <= std::time::Duration::from_secs(600)));
    redeem(&yeyak.member().await, &codes[21]).await.expect("others are not held up");
    yeyak.clock.advance(TimeDelta::minutes(10));
    redeem(&client, &codes[20]).await.expect("ten minutes later");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_code_is_told_in_the_same_words() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let (made, codes) = coded(&seller, terms(Issuing::Code), 3, 1).await;
    redeem(&yeyak.member().await, &codes[0]).await.expect("redeems");
    let list = ListCouponCodeBatchesRequest { policy_id: made.id.clone(), ..Default::default() };
    let known = seller.coupon_codes().list_coupon_code_batches(list).await.expect("lists").code_batches.remove(0);
    let cancel = CancelCouponCodeBatchRequest { id: known.id, ..Default::default() };
    let cancelled = seller.coupon_codes().cancel_coupon_code_batch(cancel).await.expect("cancels");
    assert_eq!((cancelled.state(), cancelled.redeemed_count), (State::Cancelled, 1));
    let client = yeyak.member().await;

    let mut told = HashSet::new();
    for code in [&*codes[0], &codes[1], &mistyped(&codes[2]), "nonsense", "7K3QM-ZT9WD-04XHE"] {
        let refused = redeem(&client, code).await.expect_err("is not good");
        assert_eq!(refused.reason, ErrorReason::CouponCodeInvalid);
        told.insert((refused.message.clone(), refused.metadata.len()));
    }

    assert_eq!(told.len(), 1, "{told:?}");
    let empty = redeem(&client, "").await.expect_err("is none");
    assert_eq!(empty.violations[0].field, "code");
}

#[tokio::test]
async fn a_good_code_of_a_policy_that_issues_none_is_told_why() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let limits = CouponPolicy { total_count: Some(1), ..terms(Issuing::Code) };
    let (made, codes) = coded(&seller, limits, 9, 1).await;
    let client = yeyak.member().await;
    pause(&seller, &made.id).await.expect("pauses");
    assert_eq!(refused(redeem(&client, &codes[0]).await), ErrorReason::CouponPolicyPaused);
    super::desk::resume(&seller, &made.id).await.expect("resumes");
    redeem(&client, &codes[0]).await.expect("redeems");
    assert_eq!(refused(redeem(&yeyak.member().await, &codes[1]).await), ErrorReason::CouponSoldOut);
    end(&seller, &made.id).await.expect("ends");
    assert_eq!(refused(redeem(&client, &codes[1]).await), ErrorReason::CouponPolicyEnded);

    let grants = policy(&seller, terms(Issuing::Grant)).await;
    let create = |policy_id: &str| CreateCouponCodeBatchRequest {
        policy_id: policy_id.to_owned(),
        code_count: 1,
        ..Default::default()
    };
    let wrong = seller.coupon_codes().create_coupon_code_batch(create(&grants.id)).await;
    assert_eq!(refused(wrong), ErrorReason::CouponWrongIssuing);
    let over = seller.coupon_codes().create_coupon_code_batch(create(&made.id)).await;
    assert_eq!(refused(over), ErrorReason::CouponPolicyEnded);
}

#[tokio::test]
async fn an_export_makes_the_same_codes_again_and_resumes_behind_a_cursor() {
    let yeyak = Yeyak::new().await;
    let (seller, other) = (yeyak.seller().await, yeyak.seller().await);
    let made = policy(&seller, terms(Issuing::Code)).await;
    let batch = batch(&seller, &made.id, 2_500, 1).await;

    let (codes, cursors) = export(&seller, &batch.id, "").await;

    assert_eq!((codes.len(), cursors.len()), (2_500, 3));
    assert_eq!(codes.iter().collect::<HashSet<_>>().len(), 2_500);
    assert!(codes.iter().all(|code| code.len() == 17));
    assert_eq!(export(&seller, &batch.id, &cursors[0]).await.0, codes[1_000..]);
    assert_eq!(export(&seller, &batch.id, &cursors[2]).await.0.len(), 0);
    let request = ExportCouponCodesRequest { id: batch.id.clone(), after_cursor: String::new() };
    let foreign = other.coupon_codes().export_coupon_codes(request).await.map(drop);
    assert_eq!(refused(foreign), ErrorReason::NotFound);
    let kept = yeyak.installation.content().concat();
    let bare = codes[7].replace('-', "");
    for code in [codes[7].as_bytes(), bare.as_bytes()] {
        assert!(!kept.windows(code.len()).any(|window| window == code), "a code is kept nowhere");
    }
}

/// Guard: the turn in which batches are counted and numbered.
#[tokio::test]
async fn a_policy_has_at_most_a_hundred_batches_each_with_a_number_of_its_own() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Code)).await;
    let request = CreateCouponCodeBatchRequest { policy_id: made.id.clone(), code_count: 1, ..Default::default() };

    let all =
        join_all((0..110).map(|_| async { seller.coupon_codes().create_coupon_code_batch(request.clone()).await }))
            .await;

    assert_eq!(won_by(&all), 100);
    others_are(&all, ErrorReason::CouponPolicyLimitReached);
    let exports = all.iter().flatten().map(|batch| export(&seller, &batch.id, ""));
    let codes: HashSet<_> = join_all(exports).await.into_iter().flat_map(|(codes, _)| codes).collect();
    assert_eq!(codes.len(), 100);
}
