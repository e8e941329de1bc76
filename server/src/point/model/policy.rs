//! The policy of the programme, and what it gives.

use serde::{Deserialize, Serialize};

use super::{MOST, Tally};
use crate::kit::clock::Time;

/// What becomes of points that were earned by something that was given back, where they have been spent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::point) enum ClawBack {
    /// The wallet owes them.
    Negative,
    /// Their worth is withheld from the refund.
    FromRefund,
    /// They are written off.
    WriteOff,
}

impl ClawBack {
    pub(in crate::point) const ALL: [Self; 3] = [Self::Negative, Self::FromRefund, Self::WriteOff];

    /// As the tables have it.
    pub(in crate::point) fn name(self) -> &'static str {
        match self {
            Self::Negative => "NEGATIVE",
            Self::FromRefund => "FROM_REFUND",
            Self::WriteOff => "WRITE_OFF",
        }
    }

    pub(in crate::point) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// A time in which more is earned.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::point) struct Campaign {
    pub(in crate::point) name: String,
    pub(in crate::point) start_time: Time,
    pub(in crate::point) end_time: Time,
    pub(in crate::point) earn_rate: i64,
}

/// When a member is in a tier.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::point) struct Tier {
    pub(in crate::point) name: String,
    /// What they must have earned in the twelve months before.
    pub(in crate::point) earned: i64,
}

/// The policy of the programme.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::point) struct Policy {
    pub(in crate::point) version: i64,
    /// In hundredths of a percent.
    pub(in crate::point) earn_rate: i64,
    pub(in crate::point) earn_cap: Option<i64>,
    pub(in crate::point) monthly_earn_cap: Option<i64>,
    pub(in crate::point) campaigns: Vec<Campaign>,
    /// Those that are reached first at the front.
    pub(in crate::point) tiers: Vec<Tier>,
    pub(in crate::point) expiry_months: u16,
    pub(in crate::point) claw_back: ClawBack,
    pub(in crate::point) grace_days: u16,
    pub(in crate::point) gift_cap: i64,
    pub(in crate::point) daily_gift_cap: i64,
    pub(in crate::point) updated_by: String,
    pub(in crate::point) update_time: Option<Time>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            version: 0,
            earn_rate: 100,
            earn_cap: None,
            monthly_earn_cap: None,
            campaigns: Vec::new(),
            tiers: Vec::new(),
            expiry_months: 12,
            claw_back: ClawBack::FromRefund,
            grace_days: 7,
            gift_cap: 0,
            daily_gift_cap: 0,
            updated_by: String::new(),
            update_time: None,
        }
    }
}

const WHOLE: i128 = 10_000;

impl Policy {
    /// The tier that is reached with so many points, and the next.
    pub(in crate::point) fn tier(&self, earned: i64) -> (Option<&Tier>, Option<&Tier>) {
        let reached = self.tiers.iter().take_while(|tier| tier.earned <= earned);
        (reached.last(), self.tiers.iter().find(|tier| tier.earned > earned))
    }

    /// The policy for something that has earned so many already.
    pub(in crate::point) fn beside(&self, earned: i64) -> Self {
        Self { earn_cap: self.earn_cap.map(|cap| (cap - earned).max(0)), ..self.clone() }
    }

    /// What an amount earns at a moment, in a month in which the member has earned something already.
    pub(in crate::point) fn earned(&self, base: i64, now: Time, month: i64, earnings: Tally) -> i64 {
        let on = self.campaigns.iter().filter(|campaign| campaign.start_time <= now && now < campaign.end_time);
        let rate = on.map(|campaign| campaign.earn_rate).fold(self.earn_rate, i64::max);
        let points = i128::from(base.max(0)) * i128::from(rate) / WHOLE;
        let points = i64::try_from(points).unwrap_or(MOST).min(self.earn_cap.unwrap_or(MOST)).min(MOST);
        match self.monthly_earn_cap {
            Some(cap) => points.min((cap - earnings.of(month)).max(0)),
            None => points,
        }
    }
}
