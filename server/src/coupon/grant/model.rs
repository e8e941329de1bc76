//! What runs are.

use crate::coupon::model::PolicyId;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::member::directory::Joined;

crate::typed_id!(
    /// The id of a run.
    GrantRunId,
    "grantrun"
);

/// A run, as it is stored.
#[derive(Clone, Debug)]
pub(in crate::coupon) struct GrantRun {
    pub(in crate::coupon) id: GrantRunId,
    pub(in crate::coupon) policy: PolicyId,
    pub(in crate::coupon) state: RunState,
    pub(in crate::coupon) audience: Audience,
    /// The last member that was looked at.
    pub(in crate::coupon) position: Option<MemberId>,
    pub(in crate::coupon) total: Option<u64>,
    pub(in crate::coupon) counts: Counts,
    pub(in crate::coupon) version: i64,
    pub(in crate::coupon) created_by: String,
    pub(in crate::coupon) create_time: Time,
    pub(in crate::coupon) update_time: Time,
}

/// To whom a run gives coupons.
#[derive(Clone, Copy, Debug)]
pub(in crate::coupon) enum Audience {
    /// To those who are listed.
    List,
    /// To those who signed up in a time.
    Segment(Joined),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::coupon) struct Counts {
    /// Members that were looked at.
    pub(in crate::coupon) done: u64,
    /// Those who were given a coupon.
    pub(in crate::coupon) granted: u64,
    /// Those who were passed over.
    pub(in crate::coupon) skipped: u64,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::coupon) enum RunState {
    Running,
    Completed,
    Cancelled,
    Stopped,
}

impl RunState {
    const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Cancelled, Self::Stopped];

    /// As the tables have it.
    pub(in crate::coupon) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Stopped => "STOPPED",
        }
    }

    pub(in crate::coupon) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl GrantRun {
    /// The run as it is after something was done.
    pub(super) fn moved(&self, now: Time) -> Self {
        Self { version: self.version + 1, update_time: now, ..self.clone() }
    }
}
