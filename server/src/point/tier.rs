//! The tiers of members, by what their bookings have earned of late.

use chrono::Months;
use yeyak_proto::yeyak::point::v1 as pb;

use super::{Points, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;

/// How long back it is looked.
const WINDOW: Months = Months::new(12);

impl Points {
    /// The tier that a member is in now, if in any.
    pub async fn tier(&self, member: MemberId) -> Result<Option<String>, Error> {
        let policy = store::policy::find(self.kit.db.read()).await?;
        if policy.tiers.is_empty() {
            return Ok(None);
        }
        Ok(policy.tier(self.earned_of_late(member).await?).0.map(|tier| tier.name.clone()))
    }

    /// The tier that a member is in, and what is missing for the next.
    pub(super) async fn show_tier(&self, member: MemberId) -> Result<pb::PointTier, Error> {
        let policy = store::policy::find(self.kit.db.read()).await?;
        let earned = self.earned_of_late(member).await?;
        let (tier, next) = policy.tier(earned);
        Ok(pb::PointTier {
            member_id: member.to_string(),
            name: tier.map(|tier| tier.name.clone()).unwrap_or_default(),
            earned_points: earned,
            next_name: next.map(|next| next.name.clone()).unwrap_or_default(),
            missing_points: next.map_or(0, |next| next.earned - earned),
        })
    }

    async fn earned_of_late(&self, member: MemberId) -> Result<i64, Error> {
        let since = self.now().checked_sub_months(WINDOW).unwrap_or(Time::UNIX_EPOCH);
        store::lot::earned(self.kit.db.read(), member, since).await
    }
}
