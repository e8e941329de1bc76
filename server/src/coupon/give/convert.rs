//! Requests to what they ask for, with every violation at once.

use yeyak_proto::yeyak::coupon::v1 as pb;

use crate::coupon::model::{CouponId, PolicyId, ReceiptId};
use crate::error::Error;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::violation::Violations;

pub(super) fn grant(request: &pb::GrantCouponRequest) -> Result<(PolicyId, MemberId, RequestKey), Error> {
    let mut violations = Violations::new();
    let policy = violations.id("policy_id", &request.policy_id);
    let member = violations.id("member_id", &request.member_id);
    let key = RequestKey::of(request, &mut violations);
    violations.finish(policy.zip(member).map(|(policy, member)| (policy, member, key)))
}

pub(super) fn gift(
    request: &pb::GiftCouponRequest,
    caller: MemberId,
) -> Result<(CouponId, MemberId, RequestKey), Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    let recipient = violations.id("recipient_id", &request.recipient_id);
    violations.require("recipient_id", recipient != Some(caller), "must be another member");
    let key = RequestKey::of(request, &mut violations);
    violations.finish(id.zip(recipient).map(|(id, recipient)| (id, recipient, key)))
}

pub(super) fn revoke(request: &pb::RevokeCouponRequest) -> Result<(ReceiptId, String, RequestKey), Error> {
    let mut violations = Violations::new();
    let id = violations.id("receipt_id", &request.receipt_id);
    let reason = violations.text("reason", &request.reason, 1, 500);
    let key = RequestKey::of(request, &mut violations);
    violations.finish(id.zip(reason).map(|(id, reason)| (id, reason, key)))
}
