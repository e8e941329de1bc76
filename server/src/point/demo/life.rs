//! The life of one wallet.

use chrono::{Duration, TimeDelta};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Builder;

use crate::kit::clock::Time;
use crate::kit::id::{Ids, MemberId};
use crate::point::change::recorded;
use crate::point::model::{Cause, Lot, NewLot, Purse, Spending, SpendingId, Subject, Wallet, expiry_behind};
use crate::point::store::movement::Recorded;

/// When the first member of a demo joined, in seconds of the Unix epoch: the beginning of 2020.
const FIRST: u64 = 1_577_836_800;
/// A wallet has lived for so long at most.
const LONGEST: i64 = 900;
/// Points are good for so many months.
const MONTHS: u16 = 12;

/// What lives are made by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) wallets: u64,
    pub(super) movements: u64,
    pub(super) seed: u64,
    pub(super) until: Time,
}

/// A wallet, and all that it has been through.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) wallet: Wallet,
    pub(super) lots: Vec<Lot>,
    pub(super) spendings: Vec<Spending>,
    pub(super) movements: Vec<Recorded>,
    /// When something was last written.
    pub(super) last: Time,
}

/// Whose the wallet of a number is: members who joined later have greater ids, as real ones have.
pub(super) fn member(seed: u64, number: u64) -> MemberId {
    let mut random = [0; 10];
    dice(seed, number, 1).fill(&mut random);
    MemberId(Builder::from_unix_timestamp_millis((FIRST + number) * 1_000, &random).into_uuid())
}

fn dice(seed: u64, number: u64, purpose: u64) -> StdRng {
    StdRng::seed_from_u64(seed.rotate_left(32) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose)
}

impl Life {
    pub(super) fn of(plan: &Plan, number: u64) -> Self {
        let mut dice = dice(plan.seed, number, 2);
        let ids = Ids::seeded(dice.random());
        let member = member(plan.seed, number);
        let mut life = Self {
            wallet: Wallet::empty(member),
            lots: Vec::new(),
            spendings: Vec::new(),
            movements: Vec::new(),
            last: plan.until,
        };
        for time in times(plan, number, &mut dice) {
            life.at(time, |purse| act(purse, &ids, &mut dice));
        }
        life.at(plan.until, |_| {});
        life
    }

    /// Lives on to a moment, and does something then.
    fn at(&mut self, time: Time, act: impl FnOnce(&mut Purse)) {
        let (before, lots) = (self.wallet.clone(), std::mem::take(&mut self.lots));
        let mut purse = Purse::new(before.clone(), lots, Vec::new(), time);
        purse.settle();
        act(&mut purse);
        if purse.wallet != before {
            purse.seal();
            self.movements.extend(recorded(&purse));
            self.last = time;
        }
        self.wallet = purse.wallet;
        self.lots = purse.lots;
        self.spendings.append(&mut purse.spendings);
    }
}

/// When something happens in a life: as often as the plan has it on average.
fn times(plan: &Plan, number: u64, dice: &mut StdRng) -> Vec<Time> {
    let average = plan.movements / plan.wallets.max(1);
    let rest = u64::from(number < plan.movements % plan.wallets.max(1));
    // Neighbours have as much less and more.
    let share = self::dice(plan.seed, number / 2, 3).random_range(0..=average / 2);
    let count = average + rest;
    let count = if number.is_multiple_of(2) { count - share } else { count + share };
    let began = plan.until - TimeDelta::seconds(dice.random_range(86_400..LONGEST * 86_400));
    let lived = (plan.until - began).num_milliseconds();
    let mut times: Vec<_> = (0..count).map(|_| began + Duration::milliseconds(dice.random_range(0..lived))).collect();
    times.sort_unstable();
    times.dedup();
    times
}

fn act(purse: &mut Purse, ids: &Ids, dice: &mut StdRng) {
    let now = purse.now();
    let available = purse.wallet.available;
    if available >= 500 && dice.random_ratio(35, 100) {
        let points = dice.random_range(1..=available / 100) * 100;
        let subject = Subject { reference: "demo".to_owned(), actor: super::ACTOR.to_owned(), ..Subject::default() };
        let spent = purse.spend(SpendingId::new(ids, now), points, None, &subject);
        spent.expect("no more than is available");
        return;
    }
    let points = dice.random_range(1..=50) * 100;
    // Every other is for a stay that is not over yet.
    let waits = if dice.random_bool(0.5) { dice.random_range(1..15) } else { 0 };
    let available_time = now + TimeDelta::days(waits);
    let expire_time = expiry_behind(chrono_tz::Asia::Seoul, available_time, MONTHS);
    let lot = NewLot { cause: Cause::Earn, points, base: Some(points * 100), available_time, expire_time };
    purse.add(ids, &lot, &Subject { reference: "demo".to_owned(), ..Subject::default() });
}
