//! Making policies, and showing them.

use chrono::TimeDelta;
use futures::future::join_all;
use prost_reflect::prost::Message;
use yeyak::Client;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, RefundPolicy, State, Validity};
use yeyak::proto::coupon::v1::{
    CouponParameter, CouponPolicy, CouponStacking, CouponTerm, CouponTexts, CreateCouponPolicyRequest,
    ListCouponPoliciesRequest, ListOpenCouponPoliciesRequest,
};

use super::desk::{create, end, get, grant, instant, pause, policy, terms, won};
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

/// Guards: the limit of all terms together, which those of their words are no substitute for; words are kept as they are read.
#[tokio::test]
async fn the_longest_policies_are_short_enough_for_a_page_of_them() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let with = |values: Vec<String>| {
        let categories =
            CouponParameter { name: "categories".into(), value: Some(Value::Texts(CouponTexts { values })) };
        CouponPolicy {
            name: "🏨".repeat(100),
            description: "🏨".repeat(2_000),
            conditions: vec![CouponTerm { kind: "CATEGORY".into(), parameters: vec![categories] }],
            ..terms(Issuing::FirstCome)
        }
    };
    let long = |count: usize| (0..count).map(|at| format!("{at:02}{}", "차".repeat(98))).collect::<Vec<_>>();

    let padded = policy(&seller, with(vec![format!("{}tea", " ".repeat(1_000_000))])).await;
    let longest = policy(&seller, with(long(33))).await;
    let too_long = create(&seller, with(long(40))).await.expect_err("40 words of 300 bytes");

    assert_eq!(padded.conditions, with(vec!["tea".into()]).conditions);
    assert!(longest.encoded_len() * 200 < 4_194_304, "{} bytes", longest.encoded_len());
    let [violation] = &too_long.violations[..] else { panic!("{too_long:?}") };
    assert_eq!(violation.field, "coupon_policy.conditions");
    assert_eq!(violation.description, "must be at most 10240 bytes together with the benefit");
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
