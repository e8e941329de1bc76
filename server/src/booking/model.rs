//! What a booking is, and how it may move.

mod method;
#[cfg(test)]
mod tests;

use chrono::{NaiveTime, TimeDelta};
use serde::{Deserialize, Serialize};

pub(super) use self::method::Method;
use crate::coupon::apply::Discount;
use crate::kit::clock::Time;
use crate::kit::date::{self, Date, Nights, Tz};
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Money;
use crate::stay::model::RefundTerms;
use crate::stay::{LatePayment, PropertyId, RatePlanId, RoomTypeId};

/// Where a booking is in its life, as it is stored.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// The seller is asked.
    Requested,
    /// Held, to be paid.
    Held,
    /// A provider is being asked for the money.
    Paying,
    /// Paid.
    Confirmed,
    /// The guest is there.
    InUse,
    /// The stay is over.
    Completed,
    /// Not paid in time.
    Expired,
    /// Cancelled.
    Cancelled,
    /// The guest did not come.
    NoShow,
    /// Paying for longer than a provider may take. Never stored: it is how PAYING reads then.
    Reconciling,
}

/// What happens to a booking.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Event {
    Approve,
    Decline,
    Extend,
    BeginPayment,
    PaymentFailed,
    Capture,
    AcceptLate,
    Expire,
    Cancel,
    Change,
    CheckIn,
    MarkNoShow,
    Complete,
}

impl Event {
    /// The event as errors and records name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
            Self::Extend => "extend",
            Self::BeginPayment => "pay",
            Self::PaymentFailed => "payment failed",
            Self::Capture => "capture",
            Self::AcceptLate => "accept late payment",
            Self::Expire => "expire",
            Self::Cancel => "cancel",
            Self::Change => "change",
            Self::CheckIn => "check in",
            Self::MarkNoShow => "mark no-show",
            Self::Complete => "complete",
        }
    }
}

impl State {
    pub(super) const ALL: [Self; 10] = [
        Self::Requested,
        Self::Held,
        Self::Paying,
        Self::Confirmed,
        Self::InUse,
        Self::Completed,
        Self::Expired,
        Self::Cancelled,
        Self::NoShow,
        Self::Reconciling,
    ];

    /// Those of a booking that was paid and not cancelled.
    pub(super) const PAID: [Self; 4] = [Self::Confirmed, Self::InUse, Self::Completed, Self::NoShow];

    /// As the tables have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Held => "HELD",
            Self::Paying => "PAYING",
            Self::Confirmed => "CONFIRMED",
            Self::InUse => "IN_USE",
            Self::Completed => "COMPLETED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::NoShow => "NO_SHOW",
            Self::Reconciling => "RECONCILING",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The one table of transitions: where an event leads, if it may happen here.
    pub(super) fn on(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Requested, Event::Approve) => Some(Self::Held),
            (Self::Requested, Event::Decline) => Some(Self::Cancelled),
            (Self::Held, Event::Extend | Event::Change) => Some(Self::Held),
            (Self::Held, Event::BeginPayment) => Some(Self::Paying),
            (Self::Paying | Self::Reconciling, Event::PaymentFailed) => Some(Self::Held),
            // HELD too: a webhook may be faster than the answer to the confirm that it is about.
            (Self::Held | Self::Paying | Self::Reconciling, Event::Capture) => Some(Self::Confirmed),
            (Self::Expired, Event::AcceptLate) => Some(Self::Confirmed),
            (Self::Requested | Self::Held, Event::Expire) => Some(Self::Expired),
            (Self::Requested | Self::Held | Self::Confirmed, Event::Cancel) => Some(Self::Cancelled),
            (Self::Confirmed, Event::Change) => Some(Self::Confirmed),
            (Self::Confirmed | Self::NoShow, Event::CheckIn) => Some(Self::InUse),
            (Self::Confirmed, Event::MarkNoShow) => Some(Self::NoShow),
            (Self::Confirmed | Self::InUse, Event::Complete) => Some(Self::Completed),
            _ => None,
        }
    }

    /// Whether nothing more happens by itself.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Expired | Self::Cancelled)
    }

    /// Whether nights belong to the booking.
    pub(super) fn occupies(self) -> bool {
        !matches!(self, Self::Expired | Self::Cancelled)
    }
}

/// Who cancelled.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Party {
    Guest,
    Seller,
}

/// How a booking was cancelled.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Cancellation {
    pub(super) party: Party,
    pub(super) time: Time,
    pub(super) fee: i64,
    pub(super) refund: i64,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) points: i64,
    #[serde(default)]
    pub(super) fee_points: i64,
}

/// Who comes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Guest {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) phone: String,
}

/// Nights of a room type, taken by a booking.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) room_type: RoomTypeId,
    pub(super) room_type_name: String,
    pub(super) rate_plan: RatePlanId,
    pub(super) nights: Nights,
    pub(super) rooms: u16,
    pub(super) adults: u16,
    pub(super) children: u16,
    /// What each night costs, in order, in minor units.
    pub(super) prices: Vec<i64>,
}

impl Line {
    pub(super) fn amount(&self) -> i64 {
        self.prices.iter().sum()
    }
}

/// What lines cost once coupons have taken something off.
pub(super) fn due(lines: &[Line], discounts: &[Discount]) -> i64 {
    lines.iter().map(Line::amount).sum::<i64>() - discounts.iter().map(Discount::amount).sum::<i64>()
}

/// A booking, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Booking {
    pub(super) id: BookingId,
    pub(super) code: String,
    pub(super) member: MemberId,
    pub(super) seller: MemberId,
    pub(super) property: PropertyId,
    pub(super) property_name: String,
    pub(super) zone: Tz,
    pub(super) state: State,
    pub(super) version: i64,
    pub(super) total: Money,
    pub(super) paid: i64,
    pub(super) refunded: i64,
    pub(super) fee: i64,
    pub(super) fee_floor: i64,
    /// What of it is the seller's: fees kept and stays that are over, less what they gave back of it.
    pub(super) earned: i64,
    /// What was to go back and the provider refused: nobody's but the payer's.
    pub(super) refund_due: i64,
    /// What of its price is paid by points, each worth one of its currency's units; beside the total.
    pub(super) points: i64,
    /// What of them came back.
    pub(super) points_back: i64,
    /// What the platform has paid the seller for them.
    pub(super) point_share: i64,
    /// Whether what a no-show leaves is the seller's: once the stay would be over.
    pub(super) settled: bool,
    /// What of refunds was withheld, since points that it had earned were spent already.
    pub(super) withheld: i64,
    pub(super) expire_time: Option<Time>,
    pub(super) hold_limit_time: Time,
    pub(super) lines: Vec<Line>,
    /// What coupons take off the lines.
    pub(super) discounts: Vec<Discount>,
    /// How it must be paid, where its coupons ask for that.
    pub(super) method: Option<Method>,
    pub(super) terms: RefundTerms,
    pub(super) needs_approval: bool,
    pub(super) late_payment: LatePayment,
    pub(super) guest: Guest,
    pub(super) note: String,
    pub(super) cancellation: Option<Cancellation>,
    pub(super) created_by: String,
    pub(super) create_time: Time,
    pub(super) update_time: Time,
}

/// What a cancellation gives back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Refund {
    pub(super) percent: u8,
    pub(super) refund: i64,
    pub(super) fee: i64,
    /// What comes back of the points.
    pub(super) points: i64,
    /// What of the fee the money does not pay.
    pub(super) fee_points: i64,
}

impl Booking {
    pub(super) fn money(&self, minor: i64) -> Money {
        Money::new(self.total.currency, minor)
    }

    /// What it costs before anything is taken off.
    pub(super) fn list_total(&self) -> Money {
        self.money(self.lines.iter().map(Line::amount).sum())
    }

    /// What the platform pays the seller of what its coupons take off, once so much of the price is the seller's.
    pub(super) fn platform_share(&self, earned: i64) -> i64 {
        let part: i64 = self.discounts.iter().map(|discount| discount.amount() - discount.seller_part()).sum();
        match (self.total.minor, earned) {
            (0, _) => part,
            (total, earned) => i64::try_from(i128::from(part) * i128::from(earned) / i128::from(total)).unwrap_or(part),
        }
    }

    /// The first night of all lines.
    pub(super) fn check_in(&self) -> Date {
        self.lines.iter().map(|line| line.nights.check_in()).min().unwrap_or(Date::MIN)
    }

    /// The last day of departure of all lines.
    pub(super) fn check_out(&self) -> Date {
        self.lines.iter().map(|line| line.nights.check_out()).max().unwrap_or(Date::MIN)
    }

    /// When the day of departure begins, wherever the property is.
    pub(super) fn departure(&self) -> Time {
        date::instant(self.zone, self.check_out(), NaiveTime::MIN)
    }

    /// When the stay is over: at noon of the last day, wherever the property is.
    pub(super) fn end(&self) -> Time {
        date::instant(self.zone, self.check_out(), NaiveTime::from_hms_opt(12, 0, 0).expect("noon is a time"))
    }

    /// Where the booking is now: what time has decided counts before any job has run.
    pub(super) fn state_at(&self, now: Time) -> State {
        let over = self.expire_time.is_some_and(|expires| expires <= now);
        match self.state {
            State::Requested | State::Held if over => State::Expired,
            State::Paying if over => State::Reconciling,
            State::Confirmed | State::InUse if self.end() <= now => State::Completed,
            state => state,
        }
    }

    /// What is paid and was not given back.
    pub(super) fn kept(&self) -> i64 {
        self.paid - self.refunded
    }

    /// What is kept for neither the seller nor the payer yet: the price of what is still to come.
    pub(super) fn unearned(&self) -> i64 {
        self.kept() - self.earned - self.refund_due - self.withheld
    }

    /// Whether its points are spent: they are, with the money, once it is paid.
    pub(super) fn is_settled(&self) -> bool {
        State::PAID.contains(&self.state)
    }

    /// What of its points is spent and did not come back.
    pub(super) fn spent_points(&self) -> i64 {
        if self.is_settled() { self.points - self.points_back } else { 0 }
    }

    /// What it costs for other lines: in points, as many as it has and no more than that, and the rest in money.
    pub(super) fn price(&self, lines: &[Line], discounts: &[Discount]) -> (i64, i64) {
        let (due, points) = (due(lines, discounts), self.points - self.points_back);
        let points = points.clamp(0, due.max(0));
        (points, due - points)
    }

    /// What a cancellation by the guest gives back now. Never less than nothing, and never what a change of dates has left
    /// due as a fee.
    pub(super) fn refund_at(&self, now: Time) -> Refund {
        let percent = self.terms.refund_percent(self.zone, self.check_in(), now);
        let (money, points) = (self.unearned(), self.spent_points());
        let price = self.money(self.total.minor + points);
        let fee = price.minor - price.percent(percent).minor;
        let fee = fee.max(self.fee_floor).min(money + points);
        // By money first: points come back first.
        let (fee, fee_points) = (fee.min(money), (fee - money).max(0));
        let refund = self.kept() - self.withheld - fee;
        Refund { percent, refund, fee, points: points - fee_points, fee_points }
    }

    /// Whether it is some day at the property, or later.
    pub(super) fn is_day(&self, day: Date, now: Time) -> bool {
        date::local_date(self.zone, now) >= day
    }

    /// Why something can't be done now, if it can't.
    pub(super) fn blocked(&self, event: Event, now: Time) -> Option<String> {
        let state = self.state_at(now);
        if state.on(event).is_none() {
            return Some(format!("the booking is {}", state.name()));
        }
        let (arrival, departure) = (self.check_in(), self.check_out());
        match event {
            Event::Cancel | Event::Change
                if state == State::Confirmed && self.is_day(arrival.succ_opt().unwrap_or(arrival), now) =>
            {
                Some("the stay has begun".to_owned())
            }
            Event::Change if self.needs_approval => {
                Some("its seller has agreed to these dates and no others".to_owned())
            }
            Event::Extend if now + TimeDelta::seconds(1) >= self.hold_limit_time => {
                Some(format!("it can't be held beyond {}", self.hold_limit_time.to_rfc3339()))
            }
            Event::CheckIn if !self.is_day(arrival, now) => Some(format!("the stay begins on {arrival}")),
            Event::CheckIn if self.is_day(departure, now) => Some(format!("the stay ended on {departure}")),
            Event::MarkNoShow if !self.is_day(arrival.succ_opt().unwrap_or(arrival), now) => {
                Some(format!("the guest may still come on {arrival}"))
            }
            Event::Approve | Event::BeginPayment | Event::AcceptLate if self.is_day(departure, now) => {
                Some(format!("the stay ended on {departure}"))
            }
            Event::Complete if !self.is_day(arrival, now) => Some(format!("the stay begins on {arrival}")),
            // Whoever has not come yet may still cancel.
            Event::Complete
                if state == State::Confirmed && !self.is_day(arrival.succ_opt().unwrap_or(arrival), now) =>
            {
                Some(format!("the guest may still come on {arrival}"))
            }
            _ => None,
        }
    }
}
