//! Changing policies: updated, paused, ended.

use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, State, Validity};
use yeyak::proto::coupon::v1::{CouponPolicy, IssueCouponRequest, RebuildCouponGateRequest, UpdateCouponPolicyRequest};

use super::desk::{
    counted, create, crowd, end, get, grant, others_are, pause, policy, refused, resume, revoke, terms, update, won_by,
};
use crate::harness::{Yeyak, id_of};

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_that_is_fixed() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let changed = CouponPolicy {
        name: "여름맞이 할인".into(),
        total_count: Some(7),
        validity: Some(Validity::ValidDays(7)),
        giftable: true,
        ..made.clone()
    };

    let fields = ["name", "valid_days", "giftable"];
    let updated = update(&seller, changed.clone(), &fields).await.expect("updates");

    assert_eq!((&*updated.name, updated.total_count, updated.giftable), ("여름맞이 할인", None, true));
    assert_eq!(updated.validity, Some(Validity::ValidDays(7)));
    assert_ne!(updated.etag, made.etag);
    let fixed = update(&seller, changed.clone(), &["benefit", "issuing", "state"]).await.expect_err("is fixed");
    assert_eq!(fixed.violations.len(), 3, "{fixed:?}");
    let other = update(&seller, changed, &["coupon_expire_time"]).await.expect_err("is not given");
    assert_eq!(other.violations[0].field, "coupon_policy.coupon_expire_time");
}

/// Guard: the version in the condition of `store::policy::update`.
#[tokio::test]
async fn of_many_updates_that_rest_on_one_etag_one_is_made() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Grant)).await;

    let all = join_all((0..20).map(|number| {
        let changed = CouponPolicy { name: format!("할인 {number}"), ..made.clone() };
        let seller = &seller;
        async move { update(seller, changed, &["name"]).await }
    }))
    .await;

    assert_eq!(won_by(&all), 1);
    others_are(&all, ErrorReason::EtagMismatch);
    let winner = all.into_iter().find_map(Result::ok).expect("one");
    assert_eq!(get(&seller, &made.id).await.expect("reads"), winner);
}

/// Guard: `covers_accepted`, which looks behind the turn of all who give.
#[tokio::test]
async fn a_total_is_never_below_what_was_given_however_they_cross() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { total_count: Some(40), ..terms(Issuing::Grant) }).await;
    let members = crowd(&yeyak, 40).await;
    let less = CouponPolicy { total_count: Some(10), etag: String::new(), ..made.clone() };

    let grants = join_all(members.iter().map(|(_, member)| grant(&seller, &made.id, member)));
    let (granted, lowered) = tokio::join!(grants, update(&seller, less, &["total_count"]));

    let now = get(&seller, &made.id).await.expect("reads");
    let given = i64::try_from(won_by(&granted)).expect("40");
    others_are(&granted, ErrorReason::CouponSoldOut);
    match lowered {
        Ok(_) => assert_eq!((now.total_count, given), (Some(10), 10)),
        Err(refused) => {
            assert_eq!(refused.reason, ErrorReason::CouponTotalTooSmall);
            assert_eq!((now.total_count, given), (Some(40), 40));
        }
    }
    assert_eq!(counted(&seller, &made.id).await, (given, given, true));
}

#[tokio::test]
async fn a_first_come_policy_is_paused_changed_and_ended_at_its_gate_before_the_answer() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { total_count: Some(5), ..terms(Issuing::FirstCome) }).await;
    let members = crowd(&yeyak, 8).await;
    let issue = async |at: usize| {
        let request = IssueCouponRequest { policy_id: made.id.clone(), ..Default::default() };
        members[at].0.coupons().issue_coupon(request).await
    };
    for at in 0..3 {
        issue(at).await.expect("is accepted");
    }
    assert_eq!(get(&seller, &made.id).await.expect("reads").remaining_count, Some(2));

    pause(&seller, &made.id).await.expect("pauses");
    assert_eq!(refused(issue(3).await), ErrorReason::CouponPolicyPaused);
    resume(&seller, &made.id).await.expect("resumes");
    let less = |total| CouponPolicy { id: made.id.clone(), total_count: Some(total), ..Default::default() };
    let too_small = update(&seller, less(2), &["total_count"]).await.expect_err("3 were accepted");
    assert_eq!(too_small.reason, ErrorReason::CouponTotalTooSmall);
    assert_eq!(too_small.metadata.get("accepted_count").map(String::as_str), Some("3"));
    update(&seller, less(4), &["total_count"]).await.expect("updates");
    issue(3).await.expect("the fourth");
    assert_eq!(refused(issue(4).await), ErrorReason::CouponSoldOut);
    assert_eq!(get(&seller, &made.id).await.expect("reads").state(), State::SoldOut);

    yeyak.settle().await;
    let first = super::desk::coupons(&members[0].0).await.remove(0);
    revoke(&seller, &first.id).await.expect("takes back");
    assert_eq!(get(&seller, &made.id).await.expect("reads").remaining_count, Some(1));
    issue(4).await.expect("the place of the first");
    end(&seller, &made.id).await.expect("ends");
    assert_eq!(refused(issue(5).await), ErrorReason::CouponPolicyEnded);
    yeyak.settle().await;
    assert_eq!(counted(&seller, &made.id).await, (4, 4, true));
    let request = RebuildCouponGateRequest { id: made.id.clone() };
    let report = yeyak.admin().await.coupon_policies().rebuild_coupon_gate(request).await.expect("rebuilds");
    assert!(report.consistent, "{report:?}");
    yeyak.check().await;
}

/// Guard: the word to the gate behind an update, without which it would refuse until it is looked after.
#[tokio::test]
async fn what_an_update_adds_is_to_be_had_behind_its_answer() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, CouponPolicy { total_count: Some(1), ..terms(Issuing::FirstCome) }).await;
    let members = crowd(&yeyak, 2).await;
    let issue = async |at: usize| {
        let request = IssueCouponRequest { policy_id: made.id.clone(), ..Default::default() };
        members[at].0.coupons().issue_coupon(request).await
    };
    issue(0).await.expect("is accepted");
    assert_eq!(refused(issue(1).await), ErrorReason::CouponSoldOut);

    let more = CouponPolicy { id: made.id.clone(), total_count: Some(2), ..Default::default() };
    update(&seller, more, &["total_count"]).await.expect("updates");

    issue(1).await.expect("is accepted");
    yeyak.settle().await;
    assert_eq!(counted(&seller, &made.id).await, (2, 2, true));
}

#[tokio::test]
async fn what_has_ended_stays_so_and_what_is_so_already_stays_as_it_is() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let member = id_of(&yeyak.member().await).await;

    let paused = pause(&seller, &made.id).await.expect("pauses");
    assert_eq!(pause(&seller, &made.id).await.expect("is paused").etag, paused.etag);
    assert_eq!(refused(grant(&seller, &made.id, &member).await), ErrorReason::CouponPolicyPaused);
    assert_eq!(resume(&seller, &made.id).await.expect("resumes").state(), State::Active);
    grant(&seller, &made.id, &member).await.expect("grants");
    let ended = end(&seller, &made.id).await.expect("ends");

    assert_eq!(ended.state(), State::Ended);
    assert_eq!(end(&seller, &made.id).await.expect("has ended").etag, ended.etag);
    assert_eq!(refused(resume(&seller, &made.id).await), ErrorReason::CouponPolicyEnded);
    assert_eq!(refused(pause(&seller, &made.id).await), ErrorReason::CouponPolicyEnded);
    assert_eq!(refused(update(&seller, made.clone(), &["name"]).await), ErrorReason::EtagMismatch);
    let changed = CouponPolicy { etag: String::new(), ..made.clone() };
    assert_eq!(refused(update(&seller, changed, &["name"]).await), ErrorReason::CouponPolicyEnded);
    let other = id_of(&yeyak.member().await).await;
    assert_eq!(refused(grant(&seller, &made.id, &other).await), ErrorReason::CouponPolicyEnded);
}

#[tokio::test]
async fn a_policy_of_another_is_not_found_and_an_admin_keeps_all() {
    let yeyak = Yeyak::new().await;
    let (seller, other, admin) = (yeyak.seller().await, yeyak.seller().await, yeyak.admin().await);
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let member = id_of(&other).await;
    let given = grant(&seller, &made.id, &member).await.expect("grants");

    assert_eq!(refused(update(&other, made.clone(), &["name"]).await), ErrorReason::NotFound);
    assert_eq!(refused(pause(&other, &made.id).await), ErrorReason::NotFound);
    assert_eq!(refused(resume(&other, &made.id).await), ErrorReason::NotFound);
    assert_eq!(refused(end(&other, &made.id).await), ErrorReason::NotFound);
    assert_eq!(refused(grant(&other, &made.id, &member).await), ErrorReason::NotFound);
    assert_eq!(refused(revoke(&other, &given.id).await), ErrorReason::NotFound);
    assert_eq!(get(&seller, &made.id).await.expect("reads").etag, made.etag, "nothing was changed");

    assert_eq!(pause(&admin, &made.id).await.expect("pauses").state(), State::Paused);
    let ours = policy(&admin, CouponPolicy { seller_share_percent: Some(30), ..terms(Issuing::Grant) }).await;
    assert_eq!((&*ours.seller_id, ours.seller_share_percent), ("", Some(30)));
    assert_eq!(refused(pause(&seller, &ours.id).await), ErrorReason::NotFound);
}

/// Guard: the turn of the seller, in which policies are counted and one more is written.
#[tokio::test]
async fn a_seller_has_at_most_a_thousand_policies() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let create_some = async |count: usize| join_all((0..count).map(|_| create(&seller, terms(Issuing::Grant)))).await;
    for _ in 0..9 {
        assert_eq!(won_by(&create_some(110).await), 110);
    }

    let last = create_some(30).await;

    assert_eq!(won_by(&last), 10);
    others_are(&last, ErrorReason::CouponPolicyLimitReached);
}

#[tokio::test]
async fn an_update_that_is_repeated_is_made_once() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::FirstCome)).await;
    let changed = CouponPolicy { name: "한 번만".into(), ..made.clone() };
    let request = UpdateCouponPolicyRequest {
        coupon_policy: Some(changed),
        update_mask: Some(prost_types::FieldMask { paths: vec!["name".into()] }),
        request_id: "0195d7a0-0000-7000-8000-000000000002".into(),
    };

    let all =
        join_all((0..8).map(|_| async { seller.coupon_policies().update_coupon_policy(request.clone()).await })).await;

    assert!(all.iter().all(|one| one.as_ref().is_ok_and(|one| one.etag == "2")), "{all:?}");
}
