//! Requests to commands, and answers.

use yeyak_proto::yeyak::coupon::v1 as pb;

use super::Issue;
use super::watch::Seen;
use crate::coupon::model::{Coupon, Policy, Receipt, ReceiptState, State};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::request_id;
use crate::kit::proto_time;
use crate::kit::violation::Violations;

pub(super) fn issue(request: &pb::IssueCouponRequest) -> Result<Issue, Error> {
    let mut violations = Violations::new();
    let request_id = request_id(request, &mut violations);
    let policy = violations.id("policy_id", &request.policy_id);
    violations.finish(policy.map(|policy| Issue { policy, request: request_id }))
}

/// An id alone.
pub(super) fn id<T: std::str::FromStr<Err = crate::kit::id::NotAnId>>(text: &str) -> Result<T, Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", text);
    violations.finish(id)
}

/// The state that a list asks for; none for all.
pub(super) fn state(number: i32) -> Result<Option<State>, Error> {
    let mut violations = Violations::new();
    let state = match pb::coupon::State::try_from(number) {
        Ok(pb::coupon::State::Unspecified) => None,
        Ok(pb::coupon::State::Available) => Some(State::Available),
        Ok(pb::coupon::State::Reserved) => Some(State::Reserved),
        Ok(pb::coupon::State::Used) => Some(State::Used),
        Ok(pb::coupon::State::Expired) => Some(State::Expired),
        Ok(pb::coupon::State::Revoked) => Some(State::Revoked),
        Err(_) => {
            violations.add("state", "must be one of the enum's values");
            None
        }
    };
    violations.finish(Some(state))
}

pub(super) fn receipt(receipt: &Receipt) -> pb::CouponReceipt {
    let state = receipt.state();
    pb::CouponReceipt {
        id: receipt.id.to_string(),
        policy_id: receipt.policy.to_string(),
        member_id: receipt.member.to_string(),
        state: match state {
            ReceiptState::Pending => pb::coupon_receipt::State::Pending,
            ReceiptState::Issued => pb::coupon_receipt::State::Issued,
            ReceiptState::Cancelled => pb::coupon_receipt::State::Cancelled,
        }
        .into(),
        coupon_id: receipt.coupon().map(|coupon| coupon.to_string()).unwrap_or_default(),
        place: receipt.place.and_then(|place| i64::try_from(place).ok()).unwrap_or(0),
        create_time: Some(proto_time(receipt.create_time)),
    }
}

pub(super) fn seen(seen: &Seen) -> pb::WatchCouponReceiptResponse {
    pb::WatchCouponReceiptResponse {
        cursor: seen.cursor.name().to_owned(),
        receipt: seen.receipt.as_ref().map(receipt),
    }
}

/// The cursor of a watch; none from the beginning.
pub(super) fn cursor(violations: &mut Violations, text: &str) -> Option<ReceiptState> {
    if text.is_empty() {
        return None;
    }
    let cursor = ReceiptState::of_name(text);
    violations.require("after_cursor", cursor.is_some(), "must be a cursor of an earlier item");
    cursor
}

/// A coupon for who has it, or had it: of one that is another's by now they see what they gave away, not what became of it.
pub(in crate::coupon) fn coupon_for(viewer: MemberId, coupon: &Coupon, policy: &Policy, now: Time) -> pb::Coupon {
    if coupon.member == viewer {
        return self::coupon(coupon, policy, now);
    }
    let given = Coupon { state: State::Available, booking: None, hold_expire_time: None, ..coupon.clone() };
    pb::Coupon { update_time: None, ..self::coupon(&given, policy, now) }
}

/// A coupon as it is now.
pub(in crate::coupon) fn coupon(coupon: &Coupon, policy: &Policy, now: Time) -> pb::Coupon {
    let state = coupon.state_at(now);
    let booking = coupon.booking.filter(|_| !coupon.is_let_go(now));
    pb::Coupon {
        id: coupon.id.to_string(),
        policy_id: coupon.policy.to_string(),
        member_id: coupon.member.to_string(),
        state: match state {
            State::Available => pb::coupon::State::Available,
            State::Reserved => pb::coupon::State::Reserved,
            State::Used => pb::coupon::State::Used,
            State::Expired => pb::coupon::State::Expired,
            State::Revoked => pb::coupon::State::Revoked,
        }
        .into(),
        name: policy.offer.name.clone(),
        benefit: Some((&policy.wording.benefit).into()),
        expire_time: Some(proto_time(coupon.expire_time)),
        booking_id: booking.map(|booking| booking.to_string()).unwrap_or_default(),
        conditions: policy.wording.conditions.iter().map(pb::CouponTerm::from).collect(),
        create_time: Some(proto_time(coupon.create_time)),
        update_time: Some(proto_time(coupon.update_time)),
        gift_from_id: coupon.gift_from.map(|member| member.to_string()).unwrap_or_default(),
        giftable: policy.offer.giftable && coupon.gift_from.is_none() && coupon.state_at(now) == State::Available,
        seller_id: policy.seller.map(|seller| seller.to_string()).unwrap_or_default(),
    }
}
