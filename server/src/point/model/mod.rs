//! What points are: wallets, lots, movements and spendings; pure.

mod calendar;
mod earned;
mod policy;
mod purse;
mod set_aside;
mod take_back;
#[cfg(test)]
mod tests;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Builder;

pub(super) use self::calendar::{day_number, end_of_day, expiry_behind, expiry_moved, month_number};
pub(super) use self::policy::{Campaign, ClawBack, Policy, Tier};
pub use self::purse::GivenBack;
pub(super) use self::purse::{NewLot, NotEnough, Purse, Subject};
pub use self::take_back::{ClawedBack, Part};
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};

crate::typed_id!(
    /// The id of points that came together.
    LotId,
    "lot"
);
crate::typed_id!(
    /// The id of a movement of a wallet; its transfer in the ledger has the same letters.
    MovementId,
    "movement"
);
crate::typed_id!(
    /// The id of points that are set aside or spent together.
    SpendingId,
    "spending"
);

impl MovementId {
    /// The id of a movement: told by which it is of its wallet, so that what is done again elsewhere is the same to the letter.
    pub(super) fn of(member: MemberId, number: i64, now: Time) -> Self {
        let told = digest(&SHA256, &[&member.0.as_bytes()[..], &number.to_be_bytes()].concat());
        let mut random = [0; 10];
        random.copy_from_slice(&told.as_ref()[..10]);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// The most points that are moved at once.
pub(super) const MOST: i64 = 1_000_000_000;

/// Why points moved.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) enum Cause {
    Earn,
    Spend,
    Reserve,
    Commit,
    Release,
    Cancel,
    Expire,
    ClawBack,
    Adjust,
    Gift,
}

impl Cause {
    pub(super) const ALL: [Self; 10] = [
        Self::Earn,
        Self::Spend,
        Self::Reserve,
        Self::Commit,
        Self::Release,
        Self::Cancel,
        Self::Expire,
        Self::ClawBack,
        Self::Adjust,
        Self::Gift,
    ];

    /// As the tables and events have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Earn => "EARN",
            Self::Spend => "SPEND",
            Self::Reserve => "RESERVE",
            Self::Commit => "COMMIT",
            Self::Release => "RELEASE",
            Self::Cancel => "CANCEL",
            Self::Expire => "EXPIRE",
            Self::ClawBack => "CLAW_BACK",
            Self::Adjust => "ADJUST",
            Self::Gift => "GIFT",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }

    /// As the ledger has it.
    pub(super) fn in_ledger(self) -> &'static str {
        match self {
            Self::Earn => "POINTS_EARN",
            Self::Spend => "POINTS_SPEND",
            Self::Reserve => "POINTS_RESERVE",
            Self::Commit => "POINTS_COMMIT",
            Self::Release => "POINTS_RELEASE",
            Self::Cancel => "POINTS_CANCEL",
            Self::Expire => "POINTS_EXPIRE",
            Self::ClawBack => "POINTS_CLAW_BACK",
            Self::Adjust => "POINTS_ADJUST",
            Self::Gift => "POINTS_GIFT",
        }
    }
}

/// A wallet as it is stored: as of its last change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Wallet {
    pub(super) member: MemberId,
    pub(super) version: i64,
    pub(super) available: i64,
    pub(super) pending: i64,
    pub(super) reserved: i64,
    pub(super) owed: i64,
    /// The first moment at which it reads otherwise though nothing was written.
    pub(super) change_time: Option<Time>,
    pub(super) movement_count: i64,
    /// What was given away on a day, and earned in a month, by their numbers.
    pub(super) gifts: Tally,
    pub(super) earnings: Tally,
}

/// What was counted in a stretch of time: the last one in which there was something.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Tally {
    pub(super) number: i64,
    pub(super) points: i64,
}

impl Tally {
    /// What was counted in a stretch, or in a later one: who moves to where it is still yesterday begins nothing anew.
    pub(super) fn of(self, number: i64) -> i64 {
        if number <= self.number { self.points } else { 0 }
    }

    /// Counts more in a stretch, or in the later one in which there was something already.
    pub(super) fn add(&mut self, number: i64, points: i64) {
        *self = Self { number: self.number.max(number), points: self.of(number) + points };
    }
}

impl Wallet {
    pub(super) fn empty(member: MemberId) -> Self {
        Self {
            member,
            version: 0,
            available: 0,
            pending: 0,
            reserved: 0,
            owed: 0,
            change_time: None,
            movement_count: 0,
            gifts: Tally::default(),
            earnings: Tally::default(),
        }
    }

    /// What its movements add up to.
    pub(super) fn balance(&self) -> i64 {
        self.available + self.pending - self.owed
    }
}

/// Points that came together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Lot {
    pub(super) id: LotId,
    pub(super) cause: String,
    pub(super) reference: String,
    pub(super) booking: Option<BookingId>,
    pub(super) points: i64,
    pub(super) remaining: i64,
    pub(super) base: Option<i64>,
    /// What was paid below its base, and has given its own.
    pub(super) above: i64,
    pub(super) clawed: i64,
    /// What of that was written off: it is taken once it comes back.
    pub(super) written_off: i64,
    pub(super) pending: bool,
    pub(super) available_time: Time,
    pub(super) expire_time: Time,
    pub(super) create_time: Time,
}

/// Points of a lot.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Piece {
    pub(super) lot: LotId,
    pub(super) points: i64,
    /// What of them came back once they had been spent.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub(super) back: i64,
    pub(super) expire_time: Time,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_nothing(points: &i64) -> bool {
    *points == 0
}

/// A change of a wallet, to be recorded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Movement {
    pub(super) number: i64,
    pub(super) cause: Cause,
    /// What it adds to the wallet.
    pub(super) amount: i64,
    /// What it adds to what is set aside.
    pub(super) held: i64,
    /// What the wallet holds behind it.
    pub(super) balance: i64,
    pub(super) pieces: Vec<Piece>,
    pub(super) booking: Option<BookingId>,
    pub(super) spending: Option<SpendingId>,
    pub(super) reference: String,
    pub(super) effective_time: Time,
}

/// Where a spending is, as it is stored; that its time is over counts besides.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    /// Set aside.
    Reserved,
    /// Spent.
    Spent,
    /// Given back before it was spent.
    Released,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Reserved, Self::Spent, Self::Released];

    /// As the tables have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reserved => "RESERVED",
            Self::Spent => "SPENT",
            Self::Released => "RELEASED",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Points that are set aside or spent together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Spending {
    pub(super) id: SpendingId,
    pub(super) member: MemberId,
    pub(super) booking: Option<BookingId>,
    pub(super) state: State,
    pub(super) points: i64,
    pub(super) given_back: i64,
    pub(super) pieces: Vec<Piece>,
    pub(super) reference: String,
    pub(super) hold_expire_time: Option<Time>,
    pub(super) wallet_version: i64,
    pub(super) actor: String,
    pub(super) create_time: Time,
    pub(super) update_time: Time,
}

impl Spending {
    /// Whether it is set aside no more, though nobody has written it down.
    pub(super) fn is_let_go(&self, now: Time) -> bool {
        self.state == State::Reserved && self.hold_expire_time.is_some_and(|until| until <= now)
    }

    /// Where it is by now.
    pub(super) fn state_at(&self, now: Time) -> State {
        if self.is_let_go(now) { State::Released } else { self.state }
    }

    /// What can still be given back.
    pub(super) fn left(&self) -> i64 {
        self.points - self.given_back
    }
}
