//! Requests to commands, with every violation at once; and batches to answers.

use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_code_batch::State;

use super::create::CreateBatch;
use super::text::MOST_CODES;
use super::{BatchState, CodeBatchId};
use crate::coupon::store::code::Counted;
use crate::error::Error;
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::violation::Violations;

const MOST_USES: i32 = 1_000_000;

pub(super) fn create(request: &pb::CreateCouponCodeBatchRequest) -> Result<(CreateBatch, RequestKey), Error> {
    let mut violations = Violations::new();
    let policy = violations.id("policy_id", &request.policy_id);
    let most = i32::try_from(MOST_CODES).unwrap_or(i32::MAX);
    let code_count = violations.within("code_count", request.code_count, 1, most);
    let uses = if request.uses_per_code == 0 { 1 } else { request.uses_per_code };
    let uses = violations.within("uses_per_code", uses, 1, MOST_USES);
    let tag = violations.text("tag", &request.tag, 0, 100);
    let key = RequestKey::of(request, &mut violations);
    let number = |count: i32| u32::try_from(count).ok();
    let command = (|| {
        Some(CreateBatch {
            policy: policy?,
            code_count: code_count.and_then(number)?,
            uses_per_code: uses.and_then(number)?,
            tag: tag?,
        })
    })();
    violations.finish(command.map(|command| (command, key)))
}

/// The batch to export, and the first of its codes that was not seen yet.
pub(super) fn export(request: &pb::ExportCouponCodesRequest) -> Result<(CodeBatchId, u32), Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    let from = match &*request.after_cursor {
        "" => Some(0),
        cursor => cursor.parse().ok().filter(|from| *from <= MOST_CODES),
    };
    violations.require("after_cursor", from.is_some(), "must be a cursor of an earlier item");
    violations.finish(id.zip(from))
}

impl From<Counted> for pb::CouponCodeBatch {
    fn from(Counted { batch, redeemed }: Counted) -> Self {
        let state = match batch.state {
            BatchState::Active => State::Active,
            BatchState::Cancelled => State::Cancelled,
        };
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            id: batch.id.to_string(),
            policy_id: batch.policy.to_string(),
            state: state.into(),
            code_count: number(batch.code_count),
            uses_per_code: number(batch.uses_per_code),
            redeemed_count: redeemed,
            tag: batch.tag,
            create_time: Some(proto_time(batch.create_time)),
        }
    }
}
