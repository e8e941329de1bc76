//! What policies and coupons are, and how they may move.

use chrono::{Days, NaiveTime};

use super::best::Stacking;
use super::error::CouponError;
use super::kind::Wording;
use crate::backend::gate::{Sale, Terms};
use crate::kit::clock::Time;
use crate::kit::date::{self, Tz};
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Money;

crate::typed_id!(
    /// The id of a policy.
    PolicyId,
    "policy"
);
crate::typed_id!(
    /// The id of a receipt. The coupon that it becomes has the same UUID.
    ReceiptId,
    "receipt"
);
crate::typed_id!(
    /// The id of a coupon.
    CouponId,
    "coupon"
);

impl From<ReceiptId> for CouponId {
    fn from(receipt: ReceiptId) -> Self {
        Self(receipt.0)
    }
}

/// A policy, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Policy {
    pub(super) id: PolicyId,
    /// None: the platform's.
    pub(super) seller: Option<MemberId>,
    pub(super) issuing: Issuing,
    /// What its coupons take off, of what.
    pub(super) wording: Wording,
    pub(super) zone: Tz,
    pub(super) stacking: Stacking,
    /// What the seller pays of a discount, in hundredths.
    pub(super) seller_share: u8,
    pub(super) refund: RefundPolicy,
    pub(super) offer: Offer,
    pub(super) sale: Sale,
    pub(super) version: i64,
    pub(super) gate_epoch: i64,
    pub(super) end_told: Option<EndCause>,
    pub(super) created_by: String,
    pub(super) create_time: Time,
    pub(super) update_time: Time,
}

/// What may be changed of a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) total: Option<u64>,
    pub(super) per_member: u32,
    pub(super) per_member_daily: Option<u32>,
    pub(super) start_time: Option<Time>,
    pub(super) end_time: Option<Time>,
    pub(super) validity: Validity,
    pub(super) budget: Option<Money>,
    pub(super) giftable: bool,
}

impl Offer {
    /// From when on no coupon is issued: the end of the window, or of the coupons themselves.
    pub(super) fn close_time(&self) -> Option<Time> {
        let expiry = match self.validity {
            Validity::Until(time) => Some(time),
            Validity::Days(_) => None,
        };
        self.end_time.into_iter().chain(expiry).min()
    }
}

/// How coupons come to members.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Issuing {
    /// Whoever asks first.
    FirstCome,
    /// Whoever has a code.
    Code,
    /// Given by the policy's owner.
    Grant,
}

impl Issuing {
    const ALL: [Self; 3] = [Self::FirstCome, Self::Code, Self::Grant];

    /// As the tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstCome => "FIRST_COME",
            Self::Code => "CODE",
            Self::Grant => "GRANT",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|issuing| issuing.name() == name)
    }
}

/// How long a coupon is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Validity {
    /// Until an instant.
    Until(Time),
    /// Until the end of the day so many days after it was issued.
    Days(u16),
}

/// What becomes of a used coupon whose booking is cancelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RefundPolicy {
    Restore,
    /// Good for so many days at least.
    RestoreWithGrace(u16),
    Lose,
}

/// Why a policy issues no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EndCause {
    SoldOut,
    Window,
    Owner,
}

impl EndCause {
    const ALL: [Self; 3] = [Self::SoldOut, Self::Window, Self::Owner];

    /// As the tables have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SoldOut => "SOLD_OUT",
            Self::Window => "WINDOW",
            Self::Owner => "OWNER",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// Where a policy is at a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PolicyState {
    Scheduled,
    Active,
    Paused,
    SoldOut,
    Ended,
}

impl Policy {
    /// The terms that its gate keeps.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            version: self.version,
            total: self.offer.total,
            per_member: self.offer.per_member,
            start_time: self.offer.start_time,
            end_time: self.offer.close_time(),
            sale: self.sale,
        }
    }

    /// Where it is now, when so many are left.
    pub(super) fn state_at(&self, now: Time, left: Option<u64>) -> PolicyState {
        match self.sale {
            Sale::Ended => PolicyState::Ended,
            _ if self.offer.close_time().is_some_and(|close| close <= now) => PolicyState::Ended,
            Sale::Paused => PolicyState::Paused,
            Sale::Open if self.offer.start_time.is_some_and(|start| now < start) => PolicyState::Scheduled,
            Sale::Open if left == Some(0) => PolicyState::SoldOut,
            Sale::Open => PolicyState::Active,
        }
    }

    /// When a coupon that is issued now ends.
    pub(super) fn expiry(&self, issued: Time) -> Time {
        match self.offer.validity {
            Validity::Until(time) => time,
            Validity::Days(days) => end_of_day(self.zone, issued, days),
        }
    }
}

/// The end, exclusive, of the day so many days after an instant, at a place.
pub(super) fn end_of_day(zone: Tz, instant: Time, days: u16) -> Time {
    let last = date::local_date(zone, instant).checked_add_days(Days::new(u64::from(days) + 1));
    last.map_or(Time::MAX_UTC, |next| date::instant(zone, next, NaiveTime::MIN))
}

/// Where a coupon is, as it is stored; its expiry counts besides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It can be used.
    Available,
    /// A booking that is not paid yet holds it.
    Reserved,
    /// A paid booking has used it.
    Used,
    /// Taken back by the policy's owner.
    Revoked,
    /// Never stored: how an available one reads when its time is over.
    Expired,
}

/// What happens to a coupon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    Reserve,
    Use,
    Release,
    Restore,
    Revoke,
    Gift,
}

impl Event {
    /// As events and errors name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Use => "use",
            Self::Release => "release",
            Self::Restore => "restore",
            Self::Revoke => "revoke",
            Self::Gift => "gift",
        }
    }
}

impl State {
    pub(super) const ALL: [Self; 5] = [Self::Available, Self::Reserved, Self::Used, Self::Revoked, Self::Expired];

    /// As the tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Reserved => "RESERVED",
            Self::Used => "USED",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The one table of transitions: where an event leads, if it may happen here.
    pub(super) fn on(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Available, Event::Reserve) => Some(Self::Reserved),
            (Self::Reserved, Event::Use) => Some(Self::Used),
            (Self::Reserved, Event::Release) | (Self::Used, Event::Restore) => Some(Self::Available),
            (Self::Available | Self::Expired, Event::Revoke) => Some(Self::Revoked),
            (Self::Available, Event::Gift) => Some(Self::Available),
            _ => None,
        }
    }
}

/// A coupon, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Coupon {
    pub(super) id: CouponId,
    pub(super) policy: PolicyId,
    pub(super) member: MemberId,
    pub(super) state: State,
    pub(super) version: i64,
    pub(super) expire_time: Time,
    pub(super) booking: Option<BookingId>,
    /// Until when a booking that is not paid holds it; none while its payment is under way.
    pub(super) hold_expire_time: Option<Time>,
    pub(super) gift_from: Option<MemberId>,
    pub(super) created_by: String,
    pub(super) create_time: Time,
    pub(super) update_time: Time,
}

impl Coupon {
    /// Where it is now: what time has decided counts before any job has run.
    pub(super) fn state_at(&self, now: Time) -> State {
        match self.state {
            State::Available if self.expire_time <= now => State::Expired,
            State::Reserved if self.is_let_go(now) => Self { state: State::Available, ..self.clone() }.state_at(now),
            state => state,
        }
    }

    /// Where an event leads it now. One whose hold is over goes nowhere until that is written down: the refusal tells whose it was.
    pub(super) fn after(&self, event: Event, now: Time) -> Result<State, CouponError> {
        let state = self.state_at(now);
        let stale = self.booking.filter(|_| self.is_let_go(now));
        let next = state.on(event).filter(|_| stale.is_none());
        next.ok_or(CouponError::NotAvailable { coupon: self.id, state, stale })
    }

    /// Whether the hold of the booking that has it is over: it is its member's, though nobody has written that down.
    pub(super) fn is_let_go(&self, now: Time) -> bool {
        self.state == State::Reserved && self.hold_expire_time.is_some_and(|ends| ends <= now)
    }
}

/// A receipt, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Receipt {
    pub(super) id: ReceiptId,
    pub(super) policy: PolicyId,
    pub(super) member: MemberId,
    pub(super) place: Option<u64>,
    pub(super) create_time: Time,
    pub(super) is_cancelled: bool,
    /// Whether its coupon is there.
    pub(super) is_issued: bool,
    /// The coupon that its member was given by another; such a one is no receipt of an issue, and cancelled from the beginning.
    pub(super) gift_of: Option<CouponId>,
}

/// Where a receipt is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReceiptState {
    Pending,
    Issued,
    Cancelled,
}

impl ReceiptState {
    const ALL: [Self; 3] = [Self::Pending, Self::Issued, Self::Cancelled];

    /// As cursors have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Issued => "ISSUED",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether no coupon comes any more that is not there.
    pub(super) fn is_final(self) -> bool {
        self != Self::Pending
    }
}

impl Receipt {
    /// Where it is: no column says it, so none can be wrong.
    pub(super) fn state(&self) -> ReceiptState {
        match (self.is_cancelled, self.is_issued) {
            _ if self.gift_of.is_some() => ReceiptState::Issued,
            (true, _) => ReceiptState::Cancelled,
            (false, true) => ReceiptState::Issued,
            (false, false) => ReceiptState::Pending,
        }
    }

    /// Its coupon, once it is there.
    pub(super) fn coupon(&self) -> Option<CouponId> {
        self.gift_of.or_else(|| self.is_issued.then_some(self.id.into()))
    }
}
