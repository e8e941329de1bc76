//! Which of a member's coupons of a policy one more is.

use std::collections::HashSet;

use chrono::Datelike;

use crate::coupon::CouponError;
use crate::coupon::model::Policy;
use crate::coupon::store::given::Taken;
use crate::kit::clock::Time;
use crate::kit::date::local_date;

/// More than a member may have of a policy on a day.
const DAY: i64 = 1_000;

/// Where one more coupon of a member stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::coupon) struct Slot {
    pub(in crate::coupon) ordinal: i64,
    /// The day, and which of it, where the policy limits that.
    pub(in crate::coupon) day_slot: Option<i64>,
}

/// The first that is free of what a member may be issued, by what they have.
pub(in crate::coupon) fn next_of(policy: &Policy, taken: &[Taken], now: Time) -> Result<Slot, CouponError> {
    let ordinals: HashSet<_> = taken.iter().filter_map(|taken| taken.ordinal).collect();
    let most = i64::from(policy.offer.per_member);
    let ordinal = (1..=most).find(|ordinal| !ordinals.contains(ordinal)).ok_or_else(|| full(policy))?;
    let Some(daily) = policy.offer.per_member_daily else { return Ok(Slot { ordinal, day_slot: None }) };
    let day = i64::from(local_date(policy.zone, now).num_days_from_ce()) * DAY;
    let slots: HashSet<_> = taken.iter().filter_map(|taken| taken.day_slot).collect();
    let free = (0..i64::from(daily)).map(|number| day + number).find(|slot| !slots.contains(slot));
    let limit = "per_member_daily_count";
    let day_slot = free.ok_or(CouponError::LimitReached { policy: policy.id, limit, maximum: daily })?;
    Ok(Slot { ordinal, day_slot: Some(day_slot) })
}

/// The last that is free of what a member may have: what they are given by others and what they are issued come from two ends,
/// and meet no sooner than they have all.
pub(super) fn last_of(policy: &Policy, taken: &[Taken]) -> Result<i64, CouponError> {
    let ordinals: HashSet<_> = taken.iter().filter_map(|taken| taken.ordinal).collect();
    (1..=i64::from(policy.offer.per_member))
        .rev()
        .find(|ordinal| !ordinals.contains(ordinal))
        .ok_or_else(|| full(policy))
}

fn full(policy: &Policy) -> CouponError {
    CouponError::LimitReached { policy: policy.id, limit: "per_member_count", maximum: policy.offer.per_member }
}
