//! What may be changed of a policy, and what it must be like together.

use crate::coupon::model::{Offer, Validity};
use crate::kit::clock::Time;
use crate::kit::money::Money;

/// A change of what a policy offers.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Name(String),
    Description(String),
    Total(Option<u64>),
    PerMember(u32),
    PerMemberDaily(Option<u32>),
    Start(Option<Time>),
    End(Option<Time>),
    Validity(Validity),
    Budget(Option<Money>),
    Giftable(bool),
}

impl Offer {
    /// What is offered when nothing is said, but for how long a coupon is good.
    pub(in crate::coupon) fn plain(validity: Validity) -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            total: None,
            per_member: 1,
            per_member_daily: None,
            start_time: None,
            end_time: None,
            validity,
            budget: None,
            giftable: false,
        }
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Name(name) => self.name = name,
            Change::Description(description) => self.description = description,
            Change::Total(total) => self.total = total,
            Change::PerMember(count) => self.per_member = count,
            Change::PerMemberDaily(count) => self.per_member_daily = count,
            Change::Start(time) => self.start_time = time,
            Change::End(time) => self.end_time = time,
            Change::Validity(validity) => self.validity = validity,
            Change::Budget(budget) => self.budget = budget,
            Change::Giftable(giftable) => self.giftable = giftable,
        }
    }

    /// What of it does not fit together, by field.
    pub(super) fn conflicts(&self, now: Time) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        let mut require = |holds: bool, field, description| {
            if !holds {
                found.push((field, description));
            }
        };
        if let Some(end) = self.end_time {
            require(end > now, "end_time", "must be in the future");
            require(self.start_time.is_none_or(|start| start < end), "end_time", "must be later than `start_time`");
        }
        if let Validity::Until(expiry) = self.validity {
            let field = "coupon_expire_time";
            require(expiry > now, field, "must be in the future");
            require(self.start_time.is_none_or(|start| start < expiry), field, "must be later than `start_time`");
            require(self.end_time.is_none_or(|end| end <= expiry), field, "must not be earlier than `end_time`");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_window_ends_behind_its_begin_and_no_later_than_its_coupons() {
        let now = Time::UNIX_EPOCH;
        let day = |day| Some(now + TimeDelta::days(day));
        let until = |days| Validity::Until(now + TimeDelta::days(days));
        let conflicts = |start_time, end_time, validity| {
            let offer = Offer { start_time, end_time, ..Offer::plain(validity) };
            offer.conflicts(now).into_iter().map(|(field, _)| field).collect::<Vec<_>>()
        };

        assert!(conflicts(day(1), day(2), until(2)).is_empty());
        assert!(conflicts(day(-9), None, Validity::Days(0)).is_empty(), "it may have begun already");
        assert_eq!(conflicts(day(2), day(2), Validity::Days(1)), ["end_time"]);
        assert_eq!(conflicts(None, day(0), Validity::Days(1)), ["end_time"]);
        assert_eq!(conflicts(None, day(3), until(2)), ["coupon_expire_time"]);
        assert_eq!(conflicts(day(3), None, until(3)), ["coupon_expire_time"]);
        assert_eq!(conflicts(None, None, until(0)), ["coupon_expire_time"]);
    }
}
