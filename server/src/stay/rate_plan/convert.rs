//! Requests to commands, and rate plans to answers.

use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::cancellation_policy::Preset;
use yeyak_proto::yeyak::stay::v1::rate_plan::{MealPlan, State};

use super::create::CreateRatePlan;
use super::update::UpdateRatePlan;
use crate::error::Error;
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::violation::Violations;
use crate::stay::convert::{choice, etag, mask, proto_tier};
use crate::stay::model::{
    CancellationPolicy, Meals, NotLimits, NotTiers, PlanChange, PlanTerms, RatePlan, RefundTier, RefundTiers,
    SaleState, StayLimits,
};

/// What an update can name.
const FIELDS: &[&str] = &["name", "cancellation_policy", "limits", "meal_plan"];

pub(super) fn create(request: &pb::CreateRatePlanRequest) -> Result<(CreateRatePlan, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let Some(plan) = &request.rate_plan else {
        violations.add("rate_plan", "must be given");
        return violations.finish(None);
    };
    let room_type = violations.id("rate_plan.room_type_id", &plan.room_type_id);
    let mut terms = PlanTerms::default();
    for field in FIELDS {
        if let Some(change) = change(&mut violations, field, plan) {
            terms.apply(change);
        }
    }
    violations.finish(room_type.map(|room_type| (CreateRatePlan { room_type, terms }, key)))
}

pub(super) fn update(request: &pb::UpdateRatePlanRequest) -> Result<(UpdateRatePlan, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let fields = mask(&mut violations, request.update_mask.as_ref(), FIELDS);
    let Some(plan) = &request.rate_plan else {
        violations.add("rate_plan", "must be given");
        return violations.finish(None);
    };
    let id = violations.id("rate_plan.id", &plan.id);
    let changes = fields.into_iter().filter_map(|field| change(&mut violations, field, plan)).collect();
    let etag = etag(&plan.etag);
    violations.finish(id.map(|id| (UpdateRatePlan { id, etag, changes }, key)))
}

/// The change that sets one of [`FIELDS`] to what a rate plan has there.
fn change(violations: &mut Violations, field: &str, plan: &pb::RatePlan) -> Option<PlanChange> {
    let path = &*format!("rate_plan.{field}");
    Some(match field {
        "name" => PlanChange::Name(violations.text(path, &plan.name, 1, 100)?),
        "cancellation_policy" => PlanChange::Policy(match &plan.cancellation_policy {
            Some(sent) => policy(violations, path, sent)?,
            None => PlanTerms::default().policy,
        }),
        "limits" => PlanChange::Limits(match &plan.limits {
            Some(sent) => limits(violations, path, sent)?,
            None => StayLimits::NONE,
        }),
        _ => PlanChange::Meals(choice(violations, path, plan.meal_plan, |meals| {
            Some(match meals {
                MealPlan::Unspecified | MealPlan::RoomOnly => Meals::RoomOnly,
                MealPlan::Breakfast => Meals::Breakfast,
                MealPlan::HalfBoard => Meals::HalfBoard,
                MealPlan::FullBoard => Meals::FullBoard,
                MealPlan::AllInclusive => Meals::AllInclusive,
            })
        })?),
    })
}

fn policy(violations: &mut Violations, path: &str, sent: &pb::CancellationPolicy) -> Option<CancellationPolicy> {
    let preset = Preset::try_from(sent.preset).unwrap_or_default();
    if preset != Preset::Custom {
        violations.require(format!("{path}.tiers"), sent.tiers.is_empty(), "must be empty unless the preset is CUSTOM");
    }
    match preset {
        Preset::Unspecified => {
            violations.add(format!("{path}.preset"), "must be one of the presets");
            None
        }
        Preset::Flexible => Some(CancellationPolicy::Flexible),
        Preset::Moderate => Some(CancellationPolicy::Moderate),
        Preset::Strict => Some(CancellationPolicy::Strict),
        Preset::KrLodging => Some(CancellationPolicy::KrLodging),
        Preset::NonRefundable => Some(CancellationPolicy::NonRefundable),
        Preset::Custom => custom(violations, &format!("{path}.tiers"), &sent.tiers),
    }
}

fn custom(violations: &mut Violations, path: &str, sent: &[pb::RefundTier]) -> Option<CancellationPolicy> {
    if sent.is_empty() {
        violations.add(path, "must be 1 to 10 tiers");
        return None;
    }
    let tier = |tier: &pb::RefundTier| RefundTier {
        days_before: u16::try_from(tier.days_before_check_in).unwrap_or(u16::MAX),
        percent: u8::try_from(tier.percent).unwrap_or(u8::MAX),
    };
    match RefundTiers::new(sent.iter().map(tier).collect()) {
        Ok(tiers) => Some(CancellationPolicy::Custom(tiers)),
        Err(refused) => {
            let at = |wrong: &dyn Fn(&RefundTier) -> bool| sent.iter().position(|sent| wrong(&tier(sent))).unwrap_or(0);
            let field = match refused {
                NotTiers::TooMany | NotTiers::NotFalling => path.to_owned(),
                NotTiers::Days => {
                    format!("{path}[{}].days_before_check_in", at(&|tier| tier.days_before > RefundTiers::DAYS))
                }
                NotTiers::Percent => format!("{path}[{}].percent", at(&|tier| !(1..=100).contains(&tier.percent))),
            };
            violations.add(field, refused.to_string());
            None
        }
    }
}

fn limits(violations: &mut Violations, path: &str, sent: &pb::StayLimits) -> Option<StayLimits> {
    let number = |number: Option<i32>| number.map(|number| u16::try_from(number).unwrap_or(u16::MAX));
    let nights = (number(sent.min_nights), number(sent.max_nights));
    let advance = (number(sent.min_advance_days), number(sent.max_advance_days));
    let limits = StayLimits::new(nights, advance);
    let field = match limits {
        Ok(_) | Err(NotLimits::MinNights) => "min_nights",
        Err(NotLimits::MaxNights) => "max_nights",
        Err(NotLimits::MinAdvance) => "min_advance_days",
        Err(NotLimits::MaxAdvance) => "max_advance_days",
    };
    violations.take(format!("{path}.{field}"), limits)
}

fn proto_policy(policy: CancellationPolicy) -> pb::CancellationPolicy {
    let (preset, tiers) = match policy {
        CancellationPolicy::Flexible => (Preset::Flexible, RefundTiers::default()),
        CancellationPolicy::Moderate => (Preset::Moderate, RefundTiers::default()),
        CancellationPolicy::Strict => (Preset::Strict, RefundTiers::default()),
        CancellationPolicy::KrLodging => (Preset::KrLodging, RefundTiers::default()),
        CancellationPolicy::NonRefundable => (Preset::NonRefundable, RefundTiers::default()),
        CancellationPolicy::Custom(tiers) => (Preset::Custom, tiers),
    };
    pb::CancellationPolicy { preset: preset.into(), tiers: tiers.as_slice().iter().map(proto_tier).collect() }
}

fn proto_limits(limits: StayLimits) -> pb::StayLimits {
    let ((min_nights, max_nights), (min_advance, max_advance)) = (limits.nights(), limits.advance());
    pb::StayLimits {
        min_nights: Some(i32::from(min_nights)),
        max_nights: Some(i32::from(max_nights)),
        min_advance_days: Some(i32::from(min_advance)),
        max_advance_days: max_advance.map(i32::from),
    }
}

impl From<RatePlan> for pb::RatePlan {
    fn from(plan: RatePlan) -> Self {
        let state = match plan.state {
            SaleState::Open => State::Open,
            SaleState::Closed => State::Closed,
        };
        let meals = match plan.terms.meals {
            Meals::RoomOnly => MealPlan::RoomOnly,
            Meals::Breakfast => MealPlan::Breakfast,
            Meals::HalfBoard => MealPlan::HalfBoard,
            Meals::FullBoard => MealPlan::FullBoard,
            Meals::AllInclusive => MealPlan::AllInclusive,
        };
        Self {
            id: plan.id.to_string(),
            room_type_id: plan.room_type.to_string(),
            name: plan.terms.name,
            cancellation_policy: Some(proto_policy(plan.terms.policy)),
            limits: Some(proto_limits(plan.terms.limits)),
            meal_plan: meals.into(),
            state: state.into(),
            create_time: Some(proto_time(plan.create_time)),
            update_time: Some(proto_time(plan.update_time)),
            etag: plan.version.to_string(),
        }
    }
}
