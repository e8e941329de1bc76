//! Random plans of many clients on shared wallets.

use chrono::TimeDelta;
use futures::future::join_all;
use tokio::sync::Mutex;
use yeyak::proto::point::v1::point_policy::ClawBack;
use yeyak::proto::point::v1::{
    EarnPointsRequest, PointPolicy, PointSpending, ReservePointsRequest, SpendPointsRequest,
};
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::kit::caller::Actor;
use yeyak_server::kit::id::{BookingId, MemberId};
use yeyak_server::kit::money::Money;
use yeyak_server::point::Part;

use super::desk::{Desk, balance, stamp};
use crate::coupon::desk::crowd;
use crate::dice::Dice;

const CLIENTS: usize = 32;
const ROUNDS: usize = 6;
const STEPS: usize = 8;

/// What the clients share.
struct Shared {
    desk: Desk,
    wallets: Vec<(Client, String)>,
    spendings: Mutex<Vec<PointSpending>>,
    bookings: Mutex<Vec<BookingId>>,
}

/// Nothing but what the rules of points refuse.
fn fine<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let rules = [
                ErrorReason::PointsNotEnough,
                ErrorReason::PointSpendingClosed,
                ErrorReason::PointSpendingTooSmall,
                ErrorReason::Contention,
            ];
            assert!(rules.contains(&error.reason), "{error:?}");
            None
        }
    }
}

impl Shared {
    async fn any_spending(&self, dice: &mut Dice) -> Option<PointSpending> {
        dice.one_of(&self.spendings.lock().await).cloned()
    }

    async fn step(&self, dice: &mut Dice) {
        let desk = &self.desk;
        let member_id = dice.one_of(&self.wallets).expect("some").1.clone();
        let points = i64::try_from(1 + dice.below(300)).expect("small");
        let hours = TimeDelta::hours(i64::try_from(1 + dice.below(60)).expect("small"));
        match dice.below(10) {
            0..3 => {
                let from = desk.now() + TimeDelta::hours(i64::try_from(dice.below(20)).expect("small"));
                let earn = EarnPointsRequest {
                    member_id,
                    available_time: stamp(from),
                    expire_time: stamp(from + hours),
                    ..desk.ask(points)
                };
                fine(desk.admin.points().earn_points(earn).await);
            }
            3 => {
                let spend = SpendPointsRequest { member_id, points, ..Default::default() };
                let spent = fine(desk.admin.points().spend_points(spend).await);
                self.spendings.lock().await.extend(spent);
            }
            4 => {
                let expire_time = stamp(desk.now() + hours);
                let reserve = ReservePointsRequest { member_id, points, expire_time, ..Default::default() };
                let held = fine(desk.admin.points().reserve_points(reserve).await);
                self.spendings.lock().await.extend(held);
            }
            5 => {
                if let Some(held) = self.any_spending(dice).await {
                    fine(desk.commit(&held).await);
                }
            }
            6 => {
                if let Some(held) = self.any_spending(dice).await {
                    fine(desk.release(&held).await);
                }
            }
            7 => {
                if let Some(spent) = self.any_spending(dice).await {
                    fine(desk.cancel(&spent, points).await);
                }
            }
            8 => self.earn_by_booking(&member_id, points, hours).await,
            _ => self.claw_back(dice, points).await,
        }
    }

    async fn earn_by_booking(&self, member: &str, points: i64, hours: TimeDelta) {
        let platform = &self.desk.yeyak.platform;
        let member: MemberId = member.parse().expect("an id");
        let booking = BookingId::new(&platform.kit.ids, self.desk.now());
        let (base, from, actor) = (Money::won(points * 100), self.desk.now() + hours, Actor::job("test"));
        let earned = platform
            .kit
            .db
            .write(async |tx| platform.points.earn_pending(&tx, (booking, member), base, from, &actor).await);
        assert_eq!(earned.await.expect("earns"), points);
        self.bookings.lock().await.push(booking);
    }

    async fn claw_back(&self, dice: &mut Dice, points: i64) {
        let platform = &self.desk.yeyak.platform;
        let Some(booking) = dice.one_of(&self.bookings.lock().await).copied() else { return };
        let part = if dice.below(2) == 0 { Part::Whole } else { Part::Above(Money::won(points * 40)) };
        let actor = Actor::job("test");
        let clawed = platform
            .kit
            .db
            .write(async |tx| platform.points.claw_back(&tx, booking, part, Money::won(50), &actor).await);
        clawed.await.expect("takes back");
    }
}

/// Guards: the lock of the wallet's row and the condition on its version; what time does is done first, whoever comes.
#[tokio::test(flavor = "multi_thread")]
async fn wallets_are_their_lots_their_movements_and_the_ledger_whatever_many_clients_do() {
    let mut dice = Dice::of("points");
    let desk = Desk::new().await;
    let wallets = crowd(&desk.yeyak, 4).await;
    let shared = Shared { desk, wallets, spendings: Mutex::default(), bookings: Mutex::default() };
    let policies = [ClawBack::Negative, ClawBack::FromRefund, ClawBack::WriteOff];

    for round in 0..ROUNDS {
        let claw_back = policies[round % 3].into();
        let grace_days = i32::try_from(round % 2).expect("small");
        let policy = PointPolicy { claw_back, grace_days, ..Default::default() };
        shared.desk.policy(policy, &["claw_back", "grace_days"]).await.expect("changes");

        let clients = (0..CLIENTS).map(|_| dice.split()).map(|mut dice| {
            let shared = &shared;
            async move {
                for _ in 0..STEPS {
                    shared.step(&mut dice).await;
                }
            }
        });
        join_all(clients).await;

        shared.desk.yeyak.check().await;
        for (member, _) in &shared.wallets {
            let balance = balance(member).await;
            assert!(balance.available_points >= 0 && balance.reserved_points >= 0);
            assert!(balance.owed_points == 0 || balance.available_points == 0, "{balance:?}");
        }
        shared.desk.yeyak.clock.advance(TimeDelta::hours(i64::try_from(1 + dice.below(30)).expect("small")));
    }
}
