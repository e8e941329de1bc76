//! What becomes of somebody whom the gate has let in, by the rows; and what the gate is told of the place.

use super::refuse::over_limit;
use super::rule::{Ruling, Want};
use crate::backend::gate::Outcome;
use crate::coupon::error::CouponError;
use crate::coupon::model::{Receipt, ReceiptId};
use crate::coupon::store::receipt::Row;

/// What becomes of an ask.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Its receipt was written now.
    Accepted(Receipt),
    /// Its receipt was written before.
    Known(ReceiptId),
    Refused(CouponError),
    /// It has to take another place.
    Again,
}

/// Decides by the rows. What is told to the gate is about this request's own place, or one that is its own with its row.
pub(super) fn verdict(ruling: &Ruling, want: &Want) -> (Verdict, Outcome) {
    if ruling.written.contains(&want.id) {
        let receipt = Receipt {
            id: want.id,
            policy: ruling.policy.id,
            member: want.member,
            place: Some(want.place.place),
            create_time: ruling.accepted,
            is_cancelled: false,
            is_issued: false,
            gift_of: None,
        };
        let kept = if want.is_own { Outcome::Kept } else { Outcome::KeptAs(want.place.place) };
        return (Verdict::Accepted(receipt), kept);
    }
    let mine = ruling.of_members.get(&want.member).map_or(&[][..], Vec::as_slice);
    let verdict = match mine.iter().find(|row| row.token == want.token) {
        Some(row) => Verdict::Known(row.id),
        None => refused(ruling, want, mine).map_or(Verdict::Again, Verdict::Refused),
    };
    let outcome = left_over(ruling, want, &verdict);
    (verdict, outcome)
}

/// Whether the gate takes a place for a member's that a row gives to another: it has missed something, and is to be built again.
pub(super) fn is_astray(ruling: &Ruling, want: &Want) -> bool {
    let holder = ruling.of_places.get(&want.place.place);
    !want.is_own && holder.is_some_and(|row| row.member != want.member)
}

fn refused(ruling: &Ruling, want: &Want, mine: &[Row]) -> Option<CouponError> {
    let policy = &ruling.policy;
    let live: Vec<_> = mine.iter().filter(|row| row.ordinal.is_some()).collect();
    match live[..] {
        [row] if policy.offer.per_member == 1 => {
            return Some(CouponError::AlreadyYours { policy: policy.id, receipt: row.id });
        }
        _ if live.len() >= policy.offer.per_member as usize => return Some(over_limit(policy)),
        _ => {}
    }
    if ruling.over_day.contains(&want.id) {
        let maximum = policy.offer.per_member_daily.unwrap_or_default();
        return Some(CouponError::LimitReached { policy: policy.id, limit: "per_member_daily_count", maximum });
    }
    ruling.refused.clone()
}

/// What becomes of the place that was given for this request, when its receipt was not written with it now.
fn left_over(ruling: &Ruling, want: &Want, verdict: &Verdict) -> Outcome {
    match (ruling.of_places.get(&want.place.place), verdict) {
        // Whose place it is needs no word about it.
        _ if !want.is_own => Outcome::Unknown,
        // Its receipt is known, and has the place no more: the gate has not heard that it was taken back.
        (None, Verdict::Known(_)) => Outcome::TakenBack,
        (None, _) => Outcome::Released,
        (Some(row), Verdict::Known(own)) if row.id == *own => Outcome::Kept,
        (Some(row), Verdict::Again) if row.member == want.member => Outcome::Occupied,
        // Written under another request of the same member: it stays with them.
        (Some(row), _) if row.member == want.member => Outcome::Unknown,
        (Some(_), _) => Outcome::Occupied,
    }
}
