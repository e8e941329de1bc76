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
    let ordinal = free(policy, &ordinals)?.next().ok_or_else(|| full(policy))?;
    let Some(daily) = policy.offer.per_member_daily else { return Ok(Slot { ordinal, day_slot: None }) };
    let limit = "per_member_daily_count";
    let free = free_on(day_of(policy, now), daily, taken.iter().filter_map(|taken| taken.day_slot));
    let day_slot = free.ok_or(CouponError::LimitReached { policy: policy.id, limit, maximum: daily })?;
    Ok(Slot { ordinal, day_slot: Some(day_slot) })
}

/// The first slot of the day that it is where the policy is.
pub(in crate::coupon) fn day_of(policy: &Policy, now: Time) -> i64 {
    i64::from(local_date(policy.zone, now).num_days_from_ce()) * DAY
}

/// A slot of a day that is free, unless a member has as many on it as they may.
pub(in crate::coupon) fn free_on(day: i64, most: u32, taken: impl Iterator<Item = i64>) -> Option<i64> {
    let taken: HashSet<i64> = taken.filter(|slot| (day..day + DAY).contains(slot)).collect();
    let is_full = taken.len() >= most as usize;
    (day..day + i64::from(most)).find(|slot| !is_full && !taken.contains(slot))
}

/// The last that is free of what a member may have: what they are given by others and what they are issued come from two ends,
/// and meet no sooner than they have all.
pub(super) fn last_of(policy: &Policy, taken: &[Taken]) -> Result<i64, CouponError> {
    let ordinals: HashSet<_> = taken.iter().filter_map(|taken| taken.ordinal).collect();
    free(policy, &ordinals)?.next_back().ok_or_else(|| full(policy))
}

/// The ordinals that are free. A limit that was higher before has left some above this one, which count all the same.
fn free(policy: &Policy, taken: &HashSet<i64>) -> Result<impl DoubleEndedIterator<Item = i64>, CouponError> {
    let most = policy.offer.per_member;
    if taken.len() >= most as usize {
        return Err(full(policy));
    }
    Ok((1..=i64::from(most)).filter(|ordinal| !taken.contains(ordinal)))
}

fn full(policy: &Policy) -> CouponError {
    CouponError::LimitReached { policy: policy.id, limit: "per_member_count", maximum: policy.offer.per_member }
}
