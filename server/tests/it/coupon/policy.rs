//! Keeping policies.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::Client;
use yeyak::ErrorReason;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, RefundPolicy, State, Validity};
use yeyak::proto::coupon::v1::{
    CouponPolicy, CouponStacking, CreateCouponPolicyRequest, IssueCouponRequest, ListCouponPoliciesRequest,
    ListOpenCouponPoliciesRequest, RebuildCouponGateRequest, UpdateCouponPolicyRequest,
};

use super::desk::{
    counted, create, crowd, end, get, grant, instant, others_are, pause, policy, refused, resume, revoke, terms,
    update, won, won_by,
};
use crate::harness::{Yeyak, id_of};

#[tokio::test]
async fn a_policy_reads_back_as_it_was_made_and_the_same_request_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let request = CreateCouponPolicyRequest {
        coupon_policy: Some(terms(Issuing::Grant)),
        request_id: "0195d7a0-0000-7000-8000-000000000001".into(),
    };

    let all =
        join_all((0..8).map(|_| async { seller.coupon_policies().create_coupon_policy(request.clone()).await })).await;

    let made = all[0].as_ref().expect("creates");
    assert!(all.iter().all(|one| one.as_ref().is_ok_and(|one| one == made)), "{all:?}");
    assert_eq!(get(&seller, &made.id).await.expect("reads"), *made);
    assert_eq!(made.state(), State::Active);
    assert_eq!(made.seller_id, id_of(&seller).await);
    assert_eq!((made.per_member_count, made.seller_share_percent), (1, Some(100)));
    assert_eq!((&*made.time_zone, made.refund_policy()), ("Asia/Seoul", RefundPolicy::Restore));
    let default = CouponStacking { group: "default".into(), exclusive: false, priority: Some(100) };
    assert_eq!(made.stacking.as_ref(), Some(&default));
    assert_eq!(made.benefit, terms(Issuing::Grant).benefit);
}

#[tokio::test]
async fn every_violation_of_a_policy_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let wrong = CouponPolicy {
        name: String::new(),
        issuing: 9,
        benefit: None,
        total_count: Some(0),
        per_member_count: 101,
        per_member_daily_count: Some(-1),
        start_time: instant("2026-05-01T00:00:00Z"),
        end_time: instant("2026-05-01T00:00:00Z"),
        validity: Some(Validity::ValidDays(3_651)),
        time_zone: "Asia/Atlantis".into(),
        stacking: Some(CouponStacking { group: "Spring!".into(), priority: Some(1_001), ..Default::default() }),
        seller_share_percent: Some(50),
        refund_policy: RefundPolicy::Lose.into(),
        grace_days: 3,
        budget: Some(Money { currency_code: "won".into(), minor_units: 0 }),
        description: "x".repeat(2_001),
        ..Default::default()
    };

    let refused = create(&seller, wrong).await.expect_err("malformed");

    let mut fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    fields.sort_unstable();
    let expected = [
        "benefit",
        "budget.currency_code",
        "budget.minor_units",
        "description",
        "grace_days",
        "issuing",
        "name",
        "per_member_count",
        "per_member_daily_count",
        "seller_share_percent",
        "stacking.group",
        "stacking.priority",
        "time_zone",
        "total_count",
        "valid_days",
    ];
    let found: Vec<_> = fields.iter().map(|field| field.trim_start_matches("coupon_policy.")).collect();
    for field in expected {
        assert!(found.iter().any(|found| found.starts_with(field)), "{field} is not among {found:?}");
    }
}

#[tokio::test]
async fn a_window_that_can_not_be_and_a_budget_in_another_currency_are_refused() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let field = async |policy: CouponPolicy| {
        let refused = create(&seller, policy).await.expect_err("does not fit together");
        refused.violations.first().map(|violation| violation.field.clone()).unwrap_or_default()
    };

    let early = CouponPolicy { end_time: instant("2026-03-01T00:00:00Z"), ..terms(Issuing::Grant) };
    assert_eq!(field(early).await, "coupon_policy.end_time");
    let short = CouponPolicy {
        end_time: instant("2026-05-01T00:00:00Z"),
        validity: instant("2026-04-01T00:00:00Z").map(Validity::CouponExpireTime),
        ..terms(Issuing::Grant)
    };
    assert_eq!(field(short).await, "coupon_policy.coupon_expire_time");
    let endless = CouponPolicy { validity: None, ..terms(Issuing::Grant) };
    assert_eq!(field(endless).await, "coupon_policy.coupon_expire_time");
    let budget = Some(Money { currency_code: "USD".into(), minor_units: 100 });
    let foreign = CouponPolicy { budget, ..terms(Issuing::Grant) };
    assert_eq!(field(foreign).await, "coupon_policy.budget.currency_code");
}

/// Policies in every state, by name; those that time decides among them.
async fn one_in_each_state(yeyak: &Yeyak, seller: &Client) {
    let named = |name: &str| CouponPolicy { name: name.into(), ..terms(Issuing::Grant) };
    let limited = |name: &str| CouponPolicy { total_count: Some(1), ..named(name) };
    policy(seller, CouponPolicy { start_time: instant("2026-06-01T00:00:00Z"), ..named("scheduled") }).await;
    policy(seller, named("active")).await;
    policy(seller, limited("active, one left")).await;
    let paused = policy(seller, named("paused")).await;
    pause(seller, &paused.id).await.expect("pauses");
    let gone = policy(seller, limited("sold out")).await;
    grant(seller, &gone.id, &id_of(seller).await).await.expect("grants");
    let ended = policy(seller, named("ended by its owner")).await;
    end(seller, &ended.id).await.expect("ends");
    policy(seller, CouponPolicy { end_time: instant("2026-03-10T00:00:00Z"), ..named("ended by time") }).await;
    let expired = instant("2026-03-10T00:00:00Z").map(Validity::CouponExpireTime);
    let late = policy(seller, CouponPolicy { validity: expired, ..named("ended with its coupons") }).await;
    pause(seller, &late.id).await.expect("pauses");
    yeyak.clock.advance(TimeDelta::days(9));
}

async fn listed(client: &Client, state: State, page_size: i32) -> Vec<String> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListCouponPoliciesRequest { page_size, page_token, state: state.into() };
        let page = client.coupon_policies().list_coupon_policies(request).await.expect("lists");
        for policy in page.coupon_policies {
            assert!(state == State::Unspecified || policy.state() == state, "{policy:?}");
            names.push(policy.name);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            names.sort_unstable();
            return names;
        }
    }
}

/// Guard: the conditions of `store::listed`, which say in SQL what `Policy::state_at` says.
#[tokio::test]
async fn policies_are_listed_by_the_state_that_they_are_in_now() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    one_in_each_state(&yeyak, &seller).await;

    for page_size in [1, 3, 50] {
        let of = async |state| listed(&seller, state, page_size).await;
        assert_eq!(of(State::Scheduled).await, ["scheduled"]);
        assert_eq!(of(State::Active).await, ["active", "active, one left"]);
        assert_eq!(of(State::Paused).await, ["paused"]);
        assert_eq!(of(State::SoldOut).await, ["sold out"]);
        assert_eq!(of(State::Ended).await, ["ended by its owner", "ended by time", "ended with its coupons"]);
        assert_eq!(of(State::Unspecified).await.len(), 8);
    }
    assert!(listed(&yeyak.seller().await, State::Unspecified, 50).await.is_empty(), "others have none of them");
    assert_eq!(listed(&yeyak.admin().await, State::Unspecified, 2).await.len(), 8, "an admin sees all");
}

#[tokio::test]
async fn members_are_shown_the_first_come_policies_that_are_not_over() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let named = |name: &str| CouponPolicy { name: name.into(), ..terms(Issuing::FirstCome) };
    policy(&seller, CouponPolicy { start_time: instant("2026-06-01T00:00:00Z"), ..named("soon") }).await;
    // Of one millisecond, neither is newer.
    yeyak.clock.advance(chrono::TimeDelta::seconds(1));
    let interrupted = policy(&seller, CouponPolicy { budget: Some(won(1_000_000)), ..named("interrupted") }).await;
    pause(&seller, &interrupted.id).await.expect("pauses");
    let over = policy(&seller, named("over")).await;
    end(&seller, &over.id).await.expect("ends");
    policy(&seller, terms(Issuing::Grant)).await;

    let request = ListOpenCouponPoliciesRequest::default();
    let shown = yeyak.client.coupon_policies().list_open_coupon_policies(request).await.expect("lists");

    let names: Vec<_> = shown.coupon_policies.iter().map(|policy| &*policy.name).collect();
    assert_eq!(names, ["interrupted", "soon"]);
    assert!(shown.coupon_policies.iter().all(|policy| policy.budget.is_none()), "a budget is its owner's to know");
    assert_eq!(get(&seller, &interrupted.id).await.expect("reads").budget, Some(won(1_000_000)));
}

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
