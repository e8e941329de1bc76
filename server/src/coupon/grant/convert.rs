//! Requests to commands, with every violation at once; and runs to answers.

use std::collections::BTreeSet;

use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_grant_run::State;
use yeyak_proto::yeyak::coupon::v1::start_coupon_grant_run_request::Audience as Sent;

use super::model::RunState;
use super::start::StartRun;
use super::watch::Seen;
use super::{Audience, GrantRun, GrantRunId};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::proto_time;
use crate::kit::request::instant;
use crate::kit::violation::Violations;
use crate::member::directory::Joined;

const MOST_LISTED: usize = 10_000;

pub(super) fn start(request: &pb::StartCouponGrantRunRequest, now: Time) -> Result<(StartRun, RequestKey), Error> {
    let mut violations = Violations::new();
    let policy = violations.id("policy_id", &request.policy_id);
    let key = RequestKey::of(request, &mut violations);
    let audience = match &request.audience {
        Some(Sent::List(list)) => listed(&mut violations, list).map(|members| (Audience::List, members)),
        Some(Sent::Segment(sent)) => {
            segment(&mut violations, sent, now).map(|segment| (Audience::Segment(segment), Vec::new()))
        }
        None => {
            violations.add("list", "must be given, or `segment`");
            None
        }
    };
    let command = policy.zip(audience).map(|(policy, (audience, members))| StartRun { policy, audience, members });
    violations.finish(command.map(|command| (command, key)))
}

fn listed(violations: &mut Violations, list: &pb::MemberList) -> Option<Vec<MemberId>> {
    let fits = (1..=MOST_LISTED).contains(&list.member_ids.len());
    violations.require("list.member_ids", fits, format!("must be 1 to {MOST_LISTED}"));
    if !fits {
        return None;
    }
    let ids = list.member_ids.iter().enumerate();
    let ids: Vec<Option<MemberId>> = ids.map(|(at, id)| violations.id(format!("list.member_ids[{at}]"), id)).collect();
    let ids: BTreeSet<MemberId> = ids.into_iter().collect::<Option<_>>()?;
    Some(ids.into_iter().collect())
}

fn segment(violations: &mut Violations, sent: &pb::MemberSegment, now: Time) -> Option<Joined> {
    let from = instant(violations, "segment.joined_from_time", sent.joined_from_time.as_ref());
    let field = "segment.joined_before_time";
    let before = match &sent.joined_before_time {
        Some(time) => instant(violations, field, Some(time))?,
        None => now,
    };
    violations.require(field, before <= now, "must not be in the future");
    violations.require(field, from.is_none_or(|from| from < before), "must be later than `joined_from_time`");
    Some(Joined { from, before })
}

/// The run to watch, and the version that was seen last.
pub(super) fn watch(request: &pb::WatchCouponGrantRunRequest) -> Result<(GrantRunId, Option<i64>), Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    let after = match &*request.after_cursor {
        "" => None,
        cursor => {
            let version = cursor.parse().ok();
            violations.require("after_cursor", version.is_some(), "must be a cursor of an earlier item");
            version
        }
    };
    violations.finish(id.map(|id| (id, after)))
}

pub(super) fn seen(Seen { cursor, run }: Seen) -> pb::WatchCouponGrantRunResponse {
    pb::WatchCouponGrantRunResponse { cursor: cursor.to_string(), run: run.map(Into::into) }
}

impl From<GrantRun> for pb::CouponGrantRun {
    fn from(run: GrantRun) -> Self {
        let state = match run.state {
            RunState::Running => State::Running,
            RunState::Completed => State::Completed,
            RunState::Cancelled => State::Cancelled,
            RunState::Stopped => State::Stopped,
        };
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            id: run.id.to_string(),
            policy_id: run.policy.to_string(),
            state: state.into(),
            total_count: run.total.map(number),
            done_count: number(run.counts.done),
            granted_count: number(run.counts.granted),
            skipped_count: number(run.counts.skipped),
            create_time: Some(proto_time(run.create_time)),
            update_time: Some(proto_time(run.update_time)),
        }
    }
}
