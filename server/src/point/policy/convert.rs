//! Requests to commands, with every violation at once; and the policy to answers.

use yeyak_proto::yeyak::point::v1 as pb;
use yeyak_proto::yeyak::point::v1::point_policy::ClawBack as Sent;

use super::update::{Change, UpdatePolicy};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::{self, Date, local_date};
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::request::{choice, etag, instant, mask};
use crate::kit::violation::Violations;
use crate::point::liability::Liability;
use crate::point::model::{Campaign, ClawBack, MOST, Policy, Tier};

/// What an update can name.
const FIELDS: &[&str] = &[
    "earn_rate",
    "earn_cap",
    "monthly_earn_cap",
    "campaigns",
    "tiers",
    "expiry_months",
    "claw_back",
    "grace_days",
    "gift_cap",
    "daily_gift_cap",
];
const CAMPAIGNS: usize = 20;
const TIERS: usize = 10;
const RATE: i32 = 10_000;

pub(super) fn update(request: &pb::UpdatePointPolicyRequest) -> Result<(UpdatePolicy, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = mask(&mut violations, request.update_mask.as_ref(), FIELDS);
    let Some(policy) = &request.point_policy else {
        violations.add("point_policy", "must be given");
        return violations.finish(None);
    };
    let changes = fields.into_iter().filter_map(|field| change(&mut violations, field, policy)).collect();
    violations.finish(Some((UpdatePolicy { etag: etag(&policy.etag), changes }, key)))
}

/// The change that sets one of [`FIELDS`] to what a policy has there.
fn change(violations: &mut Violations, field: &str, policy: &pb::PointPolicy) -> Option<Change> {
    let path = &*format!("point_policy.{field}");
    let small = |number: i32| u16::try_from(number).ok();
    Some(match field {
        "earn_rate" => Change::EarnRate(violations.within(path, policy.earn_rate, 0, RATE)?.into()),
        "earn_cap" => Change::EarnCap(cap(violations, path, policy.earn_cap)?),
        "monthly_earn_cap" => Change::MonthlyEarnCap(cap(violations, path, policy.monthly_earn_cap)?),
        "campaigns" => Change::Campaigns(campaigns(violations, &policy.campaigns)?),
        "tiers" => Change::Tiers(tiers(violations, &policy.tiers)?),
        "expiry_months" => Change::ExpiryMonths(violations.within(path, policy.expiry_months, 1, 120).and_then(small)?),
        "claw_back" => Change::ClawBack(choice(violations, path, policy.claw_back, claw_back)?),
        "grace_days" => Change::GraceDays(violations.within(path, policy.grace_days, 0, 365).and_then(small)?),
        "gift_cap" => Change::GiftCap(points(violations, path, policy.gift_cap, 0)?),
        _ => Change::DailyGiftCap(points(violations, path, policy.daily_gift_cap, 0)?),
    })
}

fn cap(violations: &mut Violations, path: &str, cap: Option<i64>) -> Option<Option<i64>> {
    match cap {
        Some(cap) => points(violations, path, cap, 1).map(Some),
        None => Some(None),
    }
}

fn points(violations: &mut Violations, path: &str, number: i64, least: i64) -> Option<i64> {
    let fits = (least..=MOST).contains(&number);
    violations.require(path, fits, format!("must be {least} to {MOST}"));
    fits.then_some(number)
}

fn campaigns(violations: &mut Violations, sent: &[pb::PointCampaign]) -> Option<Vec<Campaign>> {
    let field = "point_policy.campaigns";
    violations.require(field, sent.len() <= CAMPAIGNS, format!("must be at most {CAMPAIGNS}"));
    (0..).zip(sent.iter().take(CAMPAIGNS)).map(|(at, sent)| campaign(violations, at, sent)).collect()
}

fn campaign(violations: &mut Violations, at: usize, sent: &pb::PointCampaign) -> Option<Campaign> {
    let path = |field: &str| format!("point_policy.campaigns[{at}].{field}");
    let name = violations.text(path("name"), &sent.name, 1, 100);
    let mut time = |field: &str, time: Option<&prost_types::Timestamp>| {
        violations.require(path(field), time.is_some(), "must be given");
        instant(violations, &path(field), time)
    };
    let (start, end) = (time("start_time", sent.start_time.as_ref()), time("end_time", sent.end_time.as_ref()));
    let earn_rate = violations.within(path("earn_rate"), sent.earn_rate, 1, RATE);
    let (start_time, end_time) = (start?, end?);
    violations.require(path("end_time"), end_time > start_time, "must be later than `start_time`");
    Some(Campaign { name: name?, start_time, end_time, earn_rate: earn_rate?.into() })
}

fn tiers(violations: &mut Violations, sent: &[pb::PointTierRule]) -> Option<Vec<Tier>> {
    let field = "point_policy.tiers";
    violations.require(field, sent.len() <= TIERS, format!("must be at most {TIERS}"));
    let mut tiers: Vec<Tier> = Vec::new();
    for (at, rule) in sent.iter().take(TIERS).enumerate() {
        let name = violations.text(format!("{field}[{at}].name"), &rule.name, 1, 50)?;
        let earned = points(violations, &format!("{field}[{at}].earned_points"), rule.earned_points, 1)?;
        let is_new = tiers.iter().all(|tier| tier.name != name && tier.earned != earned);
        violations.require(format!("{field}[{at}]"), is_new, "must have a name and a threshold of its own");
        tiers.push(Tier { name, earned });
    }
    tiers.sort_by_key(|tier| tier.earned);
    Some(tiers)
}

fn claw_back(sent: Sent) -> Option<ClawBack> {
    match sent {
        Sent::Unspecified => None,
        Sent::Negative => Some(ClawBack::Negative),
        Sent::FromRefund => Some(ClawBack::FromRefund),
        Sent::WriteOff => Some(ClawBack::WriteOff),
    }
}

impl From<Policy> for pb::PointPolicy {
    fn from(policy: Policy) -> Self {
        let claw_back = match policy.claw_back {
            ClawBack::Negative => Sent::Negative,
            ClawBack::FromRefund => Sent::FromRefund,
            ClawBack::WriteOff => Sent::WriteOff,
        };
        let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        let campaign = |campaign: Campaign| pb::PointCampaign {
            name: campaign.name,
            start_time: Some(proto_time(campaign.start_time)),
            end_time: Some(proto_time(campaign.end_time)),
            earn_rate: small(campaign.earn_rate),
        };
        let tier = |tier: Tier| pb::PointTierRule { name: tier.name, earned_points: tier.earned };
        Self {
            earn_rate: small(policy.earn_rate),
            earn_cap: policy.earn_cap,
            monthly_earn_cap: policy.monthly_earn_cap,
            campaigns: policy.campaigns.into_iter().map(campaign).collect(),
            tiers: policy.tiers.into_iter().map(tier).collect(),
            expiry_months: policy.expiry_months.into(),
            claw_back: claw_back.into(),
            grace_days: policy.grace_days.into(),
            gift_cap: policy.gift_cap,
            daily_gift_cap: policy.daily_gift_cap,
            etag: policy.version.to_string(),
            update_time: policy.update_time.map(proto_time),
            updated_by: policy.updated_by,
        }
    }
}

/// The day that a report is asked for: not one that is still to come.
pub(super) fn day(request: &pb::GetPointLiabilityRequest, now: Time) -> Result<Date, Error> {
    let mut violations = Violations::new();
    let today = local_date(chrono_tz::UTC, now);
    let day = match &request.date {
        None => Some(today),
        date => violations.date("date", date.as_ref()),
    };
    violations.require("date", day.is_none_or(|day| day <= today), "must not be in the future");
    violations.finish(day)
}

pub(super) fn liability(day: Date, liability: Liability) -> pb::PointLiability {
    pb::PointLiability {
        date: Some(date::to_proto(day)),
        outstanding_points: liability.outstanding,
        reserved_points: liability.reserved,
        expected_expiry_points: liability.expected_expiry,
        expiry_rate: i32::try_from(liability.expiry_rate).unwrap_or(i32::MAX),
    }
}
