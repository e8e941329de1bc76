//! A coupon as far as a booking is concerned.

use std::cmp::Ordering;
use std::sync::Arc;

use uuid::Uuid;

use crate::coupon::kind::{Benefit, Terms};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;

/// A coupon that a member has, with what its policy says.
#[derive(Clone, Debug)]
pub struct Coupon {
    /// Which.
    pub id: Uuid,
    /// What it was issued from. All coupons of a policy have the same terms and stacking.
    pub policy: Uuid,
    /// Whose policy it is: it is good for what this seller sells alone. Absent for one of the platform.
    pub seller: Option<MemberId>,
    /// From when on it can't be used; absent when it always can.
    pub expire_time: Option<Time>,
    /// The time zone that days of the policy are in.
    pub zone: Tz,
    /// Which others it may be used with.
    pub stacking: Stacking,
    /// What it takes off, of what.
    pub terms: Arc<Terms>,
    /// What the coupons of its policy may still take off together, which no combination has more than one of; absent when there is
    /// no limit.
    pub budget_left: Option<i64>,
}

/// Which coupons a coupon may be used with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stacking {
    /// At most one of a group is used in a booking.
    pub group: String,
    /// Whether it is used alone.
    pub exclusive: bool,
    /// The lower applies first.
    pub priority: u16,
}

impl Default for Stacking {
    fn default() -> Self {
        Self { group: "default".to_owned(), exclusive: false, priority: 100 }
    }
}

impl Coupon {
    /// Which of two applies first. Ids of policies are in the order of their creation.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let key = |coupon: &Self| {
            let on_total = matches!(coupon.terms.benefit, Benefit::OnTotal(_));
            (on_total, coupon.stacking.priority, coupon.policy, coupon.id)
        };
        key(self).cmp(&key(other))
    }

    /// When it is over, so that those that never are come last.
    pub(super) fn expiry(&self) -> (bool, Option<Time>) {
        (self.expire_time.is_none(), self.expire_time)
    }
}
