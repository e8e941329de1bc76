//! Wallets by chance, and the rules one by one.

mod take_back;

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::kit::date::Tz;
use crate::kit::id::Ids;
use crate::kit::money::Money;

fn start() -> Time {
    "2026-03-02T03:00:00Z".parse().expect("an instant")
}

fn at(hours: i64) -> Time {
    start() + TimeDelta::hours(hours)
}

fn booking(number: u128) -> BookingId {
    BookingId(Uuid::from_u128(number))
}

fn of(number: u128) -> Subject {
    Subject { booking: Some(booking(number)), ..Subject::default() }
}

/// A wallet whose clock can be moved, and which is written and read at each step.
struct Stage {
    ids: Ids,
    purse: Purse,
    hours: i64,
    movements: Vec<Movement>,
}

impl Stage {
    fn new() -> Self {
        let purse = Purse::new(Wallet::empty(MemberId(Uuid::from_u128(1))), Vec::new(), Vec::new(), start());
        Self { ids: Ids::seeded(1), purse, hours: 0, movements: Vec::new() }
    }

    fn step<T>(&mut self, change: impl FnOnce(&Ids, &mut Purse) -> T) -> T {
        let Purse { wallet, lots, spendings, .. } = self.purse.clone();
        self.purse = Purse::new(wallet, lots, spendings, at(self.hours));
        self.purse.settle();
        let value = change(&self.ids, &mut self.purse);
        self.purse.seal();
        self.movements.append(&mut self.purse.movements.clone());
        value
    }

    /// Points that can be spent at once, and for some hours.
    fn earn(&mut self, points: i64, hours: i64) -> LotId {
        self.earn_later(points, 0, hours, &Subject::default())
    }

    fn earn_later(&mut self, points: i64, from: i64, hours: i64, subject: &Subject) -> LotId {
        let (available_time, expire_time) = (at(self.hours + from), at(self.hours + hours));
        let lot = NewLot { cause: Cause::Earn, points, base: Some(points * 100), available_time, expire_time };
        self.step(|ids, purse| purse.add(ids, &lot, subject))
    }

    fn spend(&mut self, points: i64) -> Result<Spending, NotEnough> {
        self.step(|ids, purse| {
            let id = SpendingId::new(ids, purse.now());
            purse.spend(id, points, None, &Subject::default())
        })
    }

    fn reserve(&mut self, points: i64, hours: i64) -> Result<Spending, NotEnough> {
        let until = Some(at(self.hours + hours));
        self.step(|ids, purse| {
            let id = SpendingId::new(ids, purse.now());
            purse.spend(id, points, Some(until), &Subject::default())
        })
    }

    fn give_back(&mut self, id: SpendingId, points: i64, grace: Option<i64>) -> GivenBack {
        let until = grace.map(|hours| at(self.hours + hours));
        self.step(|ids, purse| purse.give_back(ids, id, points, until, &Subject::default()))
    }

    fn claw_back(&mut self, number: u128, part: Part, policy: ClawBack, refund: i64) -> ClawedBack {
        let before = self.movements.clone();
        self.step(|_, purse| purse.claw_back(part, policy, refund, &before, Tz::UTC, &of(number)))
    }

    fn wait(&mut self, hours: i64) -> Wallet {
        self.hours += hours;
        self.step(|_, purse| purse.wallet.clone())
    }

    fn left(&self, lot: LotId) -> i64 {
        self.purse.lots.iter().find(|known| known.id == lot).map_or(0, |lot| lot.remaining)
    }

    fn check(&self) {
        let Purse { wallet, lots, spendings, .. } = &self.purse;
        let sum = |pending| -> i64 { lots.iter().filter(|lot| lot.pending == pending).map(|lot| lot.remaining).sum() };
        assert_eq!((wallet.available, wallet.pending), (sum(false), sum(true)));
        assert!(wallet.owed >= 0 && wallet.reserved >= 0 && (wallet.owed == 0 || wallet.available == 0), "{wallet:?}");
        assert!(lots.iter().all(|lot| (0..=lot.points).contains(&lot.remaining)), "{lots:?}");
        assert!(lots.iter().all(|lot| (0..=lot.clawed).contains(&lot.written_off)), "{lots:?}");
        assert!(lots.iter().all(|lot| lot.remaining == 0 || lot.expire_time > at(self.hours)));
        let held = spendings.iter().filter(|one| one.state == State::Reserved).map(|one| one.points).sum::<i64>();
        assert_eq!(wallet.reserved, held);
        assert_eq!(wallet.balance(), self.movements.iter().map(|movement| movement.amount).sum::<i64>());
        assert_eq!(wallet.reserved, self.movements.iter().map(|movement| movement.held).sum::<i64>());
        let mut balance = 0;
        for (number, movement) in (1..).zip(&self.movements) {
            balance += movement.amount;
            assert_eq!((movement.number, movement.balance), (number, balance), "{movement:?}");
        }
        assert_eq!(wallet.movement_count, i64::try_from(self.movements.len()).expect("few"));
    }
}

#[test]
fn what_expires_first_is_spent_first() {
    let mut stage = Stage::new();
    let (late, soon) = (stage.earn(100, 48), stage.earn(50, 24));

    let spent = stage.spend(70).expect("is there");

    assert_eq!(
        spent.pieces.iter().map(|piece| (piece.lot, piece.points)).collect::<Vec<_>>(),
        [(soon, 50), (late, 20)]
    );
    assert_eq!(stage.spend(81), Err(NotEnough { available: 80, wanted: 81 }));
    stage.check();
}

#[test]
fn points_can_be_spent_from_their_time_on_until_it_is_over() {
    let mut stage = Stage::new();
    stage.earn_later(100, 10, 20, &of(1));

    assert_eq!(stage.spend(1), Err(NotEnough { available: 0, wanted: 1 }));
    assert_eq!(stage.wait(9).pending, 100);
    assert_eq!(stage.wait(1).available, 100);
    stage.spend(30).expect("its time has come");
    assert_eq!(stage.wait(9).available, 70);
    assert_eq!(stage.wait(1).available, 0);
    stage.check();
}

#[test]
fn a_refund_goes_to_the_very_lots_with_what_was_taken_last_first() {
    let mut stage = Stage::new();
    let (soon, late) = (stage.earn(50, 24), stage.earn(100, 48));
    let spent = stage.spend(90).expect("is there");

    let back = stage.give_back(spent.id, 60, None);

    assert_eq!(back, GivenBack { restored: 60, ..GivenBack::default() });
    assert_eq!((stage.left(soon), stage.left(late)), (20, 100));
    assert_eq!(stage.give_back(spent.id, 60, None).restored, 30, "no more than is left of it");
    assert_eq!(stage.give_back(spent.id, 60, None), GivenBack::default());
    assert_eq!((stage.left(soon), stage.left(late)), (50, 100));
    stage.check();
}

#[test]
fn a_refund_to_a_lot_that_has_expired_is_renewed_for_a_while_or_expires() {
    for grace in [None, Some(72)] {
        let mut stage = Stage::new();
        stage.earn(50, 24);
        let spent = stage.spend(50).expect("is there");
        stage.wait(30);

        let back = stage.give_back(spent.id, 50, grace);

        let expected = match grace {
            None => GivenBack { lapsed: 50, ..GivenBack::default() },
            Some(_) => GivenBack { renewed: 50, ..GivenBack::default() },
        };
        assert_eq!(back, expected);
        assert_eq!(stage.purse.wallet.available, if grace.is_some() { 50 } else { 0 });
        assert_eq!(stage.wait(72).available, 0);
        stage.check();
    }
}

#[test]
fn what_is_set_aside_comes_back_once_and_by_itself_when_its_time_is_over() {
    let mut stage = Stage::new();
    stage.earn(100, 100);
    let held = stage.reserve(60, 1).expect("is there");

    assert_eq!((stage.purse.wallet.available, stage.purse.wallet.reserved), (40, 60));
    assert_eq!(stage.wait(1).available, 100);
    assert_eq!(stage.step(|_, purse| purse.release(held.id)), None);
    assert_eq!(stage.step(|_, purse| purse.commit(held.id)), None);
    assert_eq!(stage.purse.wallet.available, 100);
    stage.check();
}

/// Guard: what stays set aside is not let go of: what is over of it stays good, and no debt takes it.
#[test]
fn fewer_points_are_set_aside_without_those_that_stay_coming_back() {
    let mut stage = Stage::new();
    let (soon, late) = (stage.earn(60, 2), stage.earn_later(100, 0, 48, &of(1)));
    let held = stage.reserve(130, 10).expect("is there");
    stage.wait(3);
    assert_eq!(stage.claw_back(1, Part::Whole, ClawBack::Negative, 0).owed, 70);

    assert!(stage.step(|_, purse| purse.reduce(held.id, 70)));

    let kept = stage.purse.spendings[0].clone();
    let pieces: Vec<_> = kept.pieces.iter().map(|piece| (piece.lot, piece.points)).collect();
    assert_eq!((kept.points, kept.state, pieces), (70, State::Reserved, vec![(soon, 60), (late, 10)]));
    let wallet = &stage.purse.wallet;
    assert_eq!((wallet.available, wallet.reserved, wallet.owed), (0, 70, 10), "the 60 that came back pay the debt");
    stage.check();
    assert!(stage.step(|_, purse| purse.reduce(held.id, 90)), "no more are set aside");
    assert!(stage.step(|_, purse| purse.reduce(held.id, 0)));
    assert_eq!((stage.purse.wallet.available, stage.purse.wallet.reserved, stage.purse.wallet.owed), (0, 0, 0));
    assert!(!stage.step(|_, purse| purse.reduce(held.id, 0)), "they are no longer");
    stage.check();
}

#[test]
fn an_amount_earns_its_rate_and_no_more_than_the_caps() {
    let now = start();
    let campaign =
        |earn_rate, from, to| Campaign { name: "봄".into(), start_time: at(from), end_time: at(to), earn_rate };
    let policy = Policy { campaigns: vec![campaign(500, 0, 10), campaign(300, -5, 20)], ..Policy::default() };
    let none = Tally::default();

    assert_eq!(Policy::default().earned(12_345, now, 1, none), 123);
    assert_eq!(policy.earned(10_000, now, 1, none), 500, "the one that gives most");
    assert_eq!(policy.earned(10_000, at(10), 1, none), 300);
    assert_eq!(policy.earned(10_000, at(20), 1, none), 100);
    assert_eq!(Policy { earn_cap: Some(7), ..policy.clone() }.earned(10_000, now, 1, none), 7);
    let capped = Policy { earn_cap: Some(300), ..policy.clone() };
    assert_eq!(capped.beside(180).earned(10_000, now, 1, none), 120, "of one booking");
    let monthly = Policy { monthly_earn_cap: Some(600), ..policy };
    let earned = Tally { number: 1, points: 450 };
    assert_eq!(monthly.earned(10_000, now, 1, earned), 150);
    assert_eq!(monthly.earned(10_000, now, 2, earned), 500, "another month");
    assert_eq!(Policy { earn_rate: 0, ..Policy::default() }.earned(i64::MAX, now, 1, none), 0);
    assert_eq!(Policy::default().earned(i64::MAX, now, 1, none), MOST);
}

#[test]
fn points_are_good_to_the_end_of_a_day_where_their_member_is() {
    let seoul = "Asia/Seoul".parse().expect("a zone");
    let honolulu = "Pacific/Honolulu".parse().expect("a zone");

    assert_eq!(expiry_behind(seoul, start(), 12).to_rfc3339(), "2027-03-02T15:00:00+00:00");
    assert_eq!(expiry_behind(honolulu, start(), 12).to_rfc3339(), "2027-03-02T10:00:00+00:00");
    assert_eq!(end_of_day(seoul, start(), 7).to_rfc3339(), "2026-03-09T15:00:00+00:00");
    let last_of_march: Time = "2026-03-31T03:00:00Z".parse().expect("an instant");
    assert_eq!(expiry_behind(seoul, last_of_march, 1).to_rfc3339(), "2026-04-30T15:00:00+00:00");
}

#[derive(Clone, Debug)]
enum Step {
    Earn { points: i64, from: i64, hours: i64, booking: u128 },
    Spend(i64),
    Reserve(i64, i64),
    Commit(usize),
    Release(usize),
    Reduce(usize, i64),
    GiveBack(usize, i64, Option<i64>),
    ClawBack(u128, ClawBack, i64),
    PutOff(u128, i64),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let policy = proptest::sample::select(ClawBack::ALL.to_vec());
    prop_oneof![
        (1..200_i64, 0..30_i64, 1..60_i64, 0..4_u128).prop_map(|(points, from, more, booking)| Step::Earn {
            points,
            from,
            hours: from + more,
            booking
        }),
        (1..150_i64).prop_map(Step::Spend),
        (1..150_i64, 1..20_i64).prop_map(|(points, hours)| Step::Reserve(points, hours)),
        (0..20_usize).prop_map(Step::Commit),
        (0..20_usize).prop_map(Step::Release),
        (0..20_usize, 0..100_i64).prop_map(|(at, points)| Step::Reduce(at, points)),
        (0..20_usize, 1..150_i64, proptest::option::of(1..20_i64))
            .prop_map(|(at, n, grace)| Step::GiveBack(at, n, grace)),
        (0..4_u128, policy, 0..9_000_i64).prop_map(|(booking, policy, left)| Step::ClawBack(booking, policy, left)),
        (0..4_u128, 0..30_i64).prop_map(|(booking, hours)| Step::PutOff(booking, hours)),
        (1..15_i64).prop_map(Step::Wait),
    ]
}

fn run(stage: &mut Stage, made: &mut Vec<SpendingId>, step: &Step) {
    let named = |made: &[SpendingId], at: usize| made.get(at % made.len().max(1)).copied();
    match *step {
        Step::Earn { points, from, hours, booking } => {
            stage.earn_later(points, from, hours, &of(booking));
        }
        Step::Spend(points) => made.extend(stage.spend(points).map(|spending| spending.id)),
        Step::Reserve(points, hours) => made.extend(stage.reserve(points, hours).map(|spending| spending.id)),
        Step::Commit(at) => {
            named(made, at).map(|id| stage.step(|_, purse| purse.commit(id)));
        }
        Step::Release(at) => {
            named(made, at).map(|id| stage.step(|_, purse| purse.release(id)));
        }
        Step::Reduce(at, points) => {
            named(made, at).map(|id| stage.step(|_, purse| purse.reduce(id, points)));
        }
        Step::GiveBack(at, points, grace) => {
            named(made, at).map(|id| stage.give_back(id, points, grace));
        }
        Step::ClawBack(number, policy, left) => {
            stage.claw_back(number, Part::Above(Money::won(left)), policy, 50);
        }
        Step::PutOff(number, hours) => {
            let until = at(stage.hours + hours);
            stage.step(|_, purse| purse.put_off(booking(number), until, Tz::UTC));
        }
        Step::Wait(hours) => {
            stage.wait(hours);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_wallet_is_its_lots_and_its_movements_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        let (mut stage, mut made) = (Stage::new(), Vec::new());
        for step in &steps {
            run(&mut stage, &mut made, step);
            stage.check();
            let spent: i64 = stage.purse.spendings.iter().map(Spending::left).sum();
            prop_assert!(spent >= 0);
        }
    }

    /// Whether somebody looked at each hour or nobody ever did makes no difference.
    #[test]
    fn time_does_the_same_however_often_it_is_written_down(
        steps in prop::collection::vec(step(), 1..40),
        hours in 1..100_i64,
    ) {
        let (mut stage, mut made) = (Stage::new(), Vec::new());
        for step in &steps {
            run(&mut stage, &mut made, step);
        }
        let (before, begin, seen) = (stage.purse.clone(), stage.hours, stage.movements.len());
        for _ in 0..hours {
            stage.wait(1);
        }
        let mut at_once = Purse::new(before.wallet, before.lots, before.spendings, at(begin + hours));
        at_once.settle();

        prop_assert_eq!(&at_once.lots, &stage.purse.lots);
        prop_assert_eq!(&at_once.movements[..], &stage.movements[seen..]);
        let balance = |wallet: &Wallet| (wallet.available, wallet.pending, wallet.reserved, wallet.owed);
        prop_assert_eq!(balance(&at_once.wallet), balance(&stage.purse.wallet));
    }
}
