//! The policy.

use chrono::TimeDelta;
use yeyak::ErrorReason;
use yeyak::proto::point::v1::point_policy::ClawBack;
use yeyak::proto::point::v1::{GetPointPolicyRequest, PointCampaign, PointPolicy};

use super::desk::{Desk, stamp, told};
use crate::coupon::desk::refused;

#[tokio::test]
async fn the_policy_is_changed_field_by_field_and_counts_from_then_on() {
    let desk = Desk::new().await;
    let get = async || desk.member.point_policies().get_point_policy(GetPointPolicyRequest {}).await;
    let before = get().await.expect("reads");
    assert_eq!((before.earn_rate, before.expiry_months, before.claw_back()), (100, 12, ClawBack::FromRefund));

    let change = PointPolicy { expiry_months: 1, earn_cap: Some(50), etag: before.etag.clone(), ..Default::default() };
    let after = desk.policy(change.clone(), &["expiry_months", "earn_cap"]).await.expect("changes");

    assert_eq!((after.earn_rate, after.expiry_months, after.earn_cap), (100, 1, Some(50)));
    assert_eq!(get().await.expect("reads"), after);
    assert_eq!(refused(desk.policy(change, &["expiry_months"]).await), ErrorReason::EtagMismatch);
    desk.earn(1).await;
    assert_eq!(told(desk.lots().await[0].expire_time.as_ref()), "2026-04-02T15:00:00+00:00");
}

#[tokio::test]
async fn a_policy_that_makes_no_sense_is_refused_field_by_field() {
    let desk = Desk::new().await;
    let campaign = PointCampaign {
        name: String::new(),
        start_time: stamp(desk.now() + TimeDelta::days(1)),
        end_time: stamp(desk.now()),
        earn_rate: 0,
    };
    let policy = PointPolicy {
        earn_rate: 10_001,
        earn_cap: Some(0),
        grace_days: -1,
        gift_cap: -1,
        campaigns: vec![campaign],
        ..Default::default()
    };
    let fields = ["earn_rate", "earn_cap", "grace_days", "gift_cap", "campaigns", "claw_back", "etag"];

    let error = desk.policy(policy, &fields).await.expect_err("is refused");

    assert_eq!(error.reason, ErrorReason::InvalidFields);
    let wrong: Vec<_> = error.violations.iter().map(|violation| violation.field.replace("point_policy.", "")).collect();
    let expected = [
        "update_mask.paths[6]",
        "earn_rate",
        "earn_cap",
        "grace_days",
        "gift_cap",
        "campaigns[0].name",
        "campaigns[0].earn_rate",
        "campaigns[0].end_time",
        "claw_back",
    ];
    assert_eq!(wrong, expected);
}
