//! What batches of codes are.

use crate::coupon::model::PolicyId;
use crate::kit::clock::Time;

crate::typed_id!(
    /// The id of a batch of codes.
    CodeBatchId,
    "codebatch"
);

/// Codes that were made together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::coupon) struct Batch {
    pub(in crate::coupon) id: CodeBatchId,
    /// What its codes name it by.
    pub(in crate::coupon) number: u32,
    pub(in crate::coupon) policy: PolicyId,
    pub(in crate::coupon) state: BatchState,
    pub(in crate::coupon) code_count: u32,
    pub(in crate::coupon) uses_per_code: u32,
    pub(in crate::coupon) tag: String,
    pub(in crate::coupon) version: i64,
    pub(in crate::coupon) created_by: String,
    pub(in crate::coupon) create_time: Time,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::coupon) enum BatchState {
    Active,
    Cancelled,
}

impl BatchState {
    const ALL: [Self; 2] = [Self::Active, Self::Cancelled];

    /// As the tables have it.
    pub(in crate::coupon) fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub(in crate::coupon) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
