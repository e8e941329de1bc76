//! Points at bookings: set aside with the nights, spent when the booking is paid, given back when it is cancelled, earned when it
//! is over, taken back with its price; all in the transaction of the booking.

use std::collections::HashMap;

use super::model::{
    Cause, ClawedBack, GivenBack, Movement, NewLot, Part, Policy, Purse, Spending, SpendingId, State, Subject,
    end_of_day, expiry_behind, month_number,
};
use super::{PointError, Points, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::member::directory;

/// The booking that points are set aside for.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// Which.
    pub booking: BookingId,
    /// Who makes it.
    pub member: MemberId,
    /// Until when it holds what it has; absent while its payment is under way.
    pub until: Option<Time>,
}

/// What a booking has of its member's points.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Had {
    /// Set aside.
    pub reserved: i64,
    /// Spent.
    pub spent: i64,
    /// What of those came back.
    pub given_back: i64,
}

impl Points {
    /// Sets points of a booking's member aside, those that expire first.
    pub async fn reserve(&self, tx: &Tx, holder: Holder, points: i64, actor: &Actor) -> Result<(), Error> {
        if points == 0 {
            return Ok(());
        }
        let id = SpendingId::new(&self.kit.ids, self.now());
        let Holder { booking, member, until } = holder;
        let subject = Subject { booking: Some(booking), actor: actor.0.clone(), ..Subject::default() };
        let reserved =
            self.change(tx, member, None, actor, |purse| Ok(purse.spend(id, points, Some(until), &subject)?));
        reserved.await.map(drop)
    }

    /// A booking holds its points until another time, or while its payment is under way.
    pub async fn extend(&self, tx: &Tx, booking: BookingId, until: Option<Time>, actor: &Actor) -> Result<(), Error> {
        let Some(held) = store::spending::of_booking(&**tx, booking).await? else { return Ok(()) };
        let extended = self.change(tx, held.member, Some(held.id), actor, |purse| Ok(purse.extend(held.id, until)));
        // What its time was over for has come back meanwhile: the booking has ended too.
        if extended.await?.value { Ok(()) } else { Err(Error::lost(held.id)) }
    }

    /// A booking needs fewer of the points that it holds: it keeps so many, and the others come back.
    pub async fn reduce(&self, tx: &Tx, booking: BookingId, points: i64, actor: &Actor) -> Result<(), Error> {
        let Some(held) = store::spending::of_booking(&**tx, booking).await? else { return Ok(()) };
        let reduced = self.change(tx, held.member, Some(held.id), actor, |purse| Ok(purse.reduce(held.id, points)));
        if reduced.await?.value { Ok(()) } else { Err(Error::lost(held.id)) }
    }

    /// A booking is paid: the points that it holds are spent. How many there are.
    pub async fn commit(&self, tx: &Tx, booking: BookingId, actor: &Actor) -> Result<i64, Error> {
        let Some(held) = store::spending::of_booking(&**tx, booking).await? else { return Ok(0) };
        let committed = self.change(tx, held.member, Some(held.id), actor, |purse| Ok(purse.commit(held.id)));
        match committed.await?.value {
            Some(points) => Ok(points),
            None if held.state == State::Spent => Ok(0),
            None => Err(Error::lost(held.id)),
        }
    }

    /// A booking has ended before it was paid: the points that it holds come back. How many they were; once more none.
    pub async fn release(&self, tx: &Tx, booking: BookingId, actor: &Actor) -> Result<i64, Error> {
        let Some(held) = self.had_by(tx, booking, State::Reserved).await? else { return Ok(0) };
        let released = self.change(tx, held.member, Some(held.id), actor, |purse| Ok(purse.release(held.id)));
        Ok(released.await?.value.unwrap_or(0))
    }

    /// Refuses what [`Self::take_again`] would refuse, as far as can be told without a lock.
    pub async fn may_take_again(&self, tx: &Tx, member: MemberId, points: i64) -> Result<(), Error> {
        if points == 0 {
            return Ok(());
        }
        let mut purse = store::purse::find(&**tx, member, self.now()).await?;
        purse.settle();
        let available = purse.wallet.available;
        if points > available { Err(PointError::NotEnough { available, wanted: points }.into()) } else { Ok(()) }
    }

    /// A booking that has expired is paid late: it takes its points once more, and spends them, if they are still to be had. These
    /// are the points that its price has: what a move to other dates let go of is its no more. A refusal leaves nothing behind: the
    /// transaction may go on.
    pub async fn take_again(
        &self,
        tx: &Tx,
        (booking, member): (BookingId, MemberId),
        points: i64,
        actor: &Actor,
    ) -> Result<(), Error> {
        if points == 0 {
            return Ok(());
        }
        let id = SpendingId::new(&self.kit.ids, self.now());
        let subject = Subject { booking: Some(booking), actor: actor.0.clone(), ..Subject::default() };
        let taken = self.change(tx, member, None, actor, |purse| Ok(purse.spend(id, points, None, &subject)?));
        taken.await.map(drop)
    }

    /// Spent points of a booking come back, so many at most: to their lots, or as the policy says where those have expired.
    pub async fn refund(
        &self,
        tx: &Tx,
        booking: BookingId,
        points: i64,
        reference: &str,
        actor: &Actor,
    ) -> Result<GivenBack, Error> {
        if points <= 0 {
            return Ok(GivenBack::default());
        }
        let Some(spent) = self.had_by(tx, booking, State::Spent).await? else { return Ok(GivenBack::default()) };
        let zone = zone_in(tx, spent.member).await?;
        let policy = store::policy::find(&**tx).await?;
        let subject = Subject { reference: reference.to_owned(), ..Subject::default() };
        let given = self.change(tx, spent.member, Some(spent.id), actor, |purse| {
            let grace = (policy.grace_days > 0).then(|| end_of_day(zone, purse.now(), policy.grace_days));
            Ok(purse.give_back(&self.kit.ids, spent.id, points, grace, &subject))
        });
        Ok(given.await?.value)
    }

    /// A booking earns its member what the policy gives for an amount, to be spent from a moment on. How many points.
    pub async fn earn_pending(
        &self,
        tx: &Tx,
        (booking, member): (BookingId, MemberId),
        base: Money,
        available_time: Time,
        actor: &Actor,
    ) -> Result<i64, Error> {
        let policy = store::policy::find(&**tx).await?;
        if base.minor <= 0 {
            return Ok(0);
        }
        let zone = zone_in(tx, member).await?;
        let subject = Subject { booking: Some(booking), ..Subject::default() };
        let earned = self.change(tx, member, None, actor, |purse| {
            Ok(self.earn_above(purse, &policy, (0, base.minor), (available_time, zone), &subject))
        });
        Ok(earned.await?.value)
    }

    /// A booking moves: what it has earned can be spent from another moment on. What it earned by money that it costs no longer is
    /// taken back; money that it costs more earns what the policy gives by now, and nothing else does.
    pub async fn move_earned(
        &self,
        tx: &Tx,
        (booking, member): (BookingId, MemberId),
        (before, after): (Money, Money),
        available_time: Time,
        actor: &Actor,
    ) -> Result<(), Error> {
        let policy = store::policy::find(&**tx).await?;
        let (purse, expired, zone) = self.with_earned(tx, member, booking).await?;
        let subject = Subject { booking: Some(booking), ..Subject::default() };
        let moved = self.change_of(tx, &purse, actor, |purse| {
            if after.minor < before.minor {
                purse.claw_back(Part::Above(after), policy.claw_back, 0, &expired, zone, &subject);
            }
            purse.put_off(booking, available_time.max(purse.now()), zone);
            let more = after.minor - before.minor;
            if more > 0 {
                let policy = policy.beside(purse.earned_by(booking));
                self.earn_above(purse, &policy, (before.minor, more), (available_time, zone), &subject);
            }
            Ok(())
        });
        moved.await.map(drop)
    }

    /// An amount that is paid above another earns what a policy gives for it. How many points.
    fn earn_above(
        &self,
        purse: &mut Purse,
        policy: &Policy,
        (above, base): (i64, i64),
        (available_time, zone): (Time, Tz),
        subject: &Subject,
    ) -> i64 {
        let (now, month) = (purse.now(), month_number(zone, purse.now()));
        let points = policy.earned(base, now, month, purse.wallet.earnings);
        if points > 0 {
            purse.wallet.earnings.add(month, points);
            let available_time = available_time.max(now);
            let expire_time = expiry_behind(zone, available_time, policy.expiry_months);
            let lot = NewLot { cause: Cause::Earn, points, base: Some(base), available_time, expire_time };
            purse.add_above(&self.kit.ids, &lot, above, subject);
        }
        points
    }

    /// Takes back what a booking has earned by what was given back of it. Of the money that goes back, so much may be withheld at
    /// most. Once more takes nothing.
    pub async fn claw_back(
        &self,
        tx: &Tx,
        booking: BookingId,
        part: Part,
        refund: Money,
        actor: &Actor,
    ) -> Result<ClawedBack, Error> {
        let earned = store::lot::of_booking(&**tx, booking).await?;
        let Some((member, _)) = earned.first() else { return Ok(ClawedBack::default()) };
        let policy = store::policy::find(&**tx).await?;
        let (before, expired, zone) = self.with_earned(tx, *member, booking).await?;
        let subject = Subject { booking: Some(booking), ..Subject::default() };
        let clawed = self.change_of(tx, &before, actor, |purse| {
            Ok(purse.claw_back(part, policy.claw_back, refund.minor, &expired, zone, &subject))
        });
        Ok(clawed.await?.value)
    }

    /// The wallet of a member, locked, with all that a booking has earned; what of that is on record as expired; and the time zone of
    /// the member.
    async fn with_earned(
        &self,
        tx: &Tx,
        member: MemberId,
        booking: BookingId,
    ) -> Result<(Purse, Vec<Movement>, Tz), Error> {
        let mut purse = store::purse::find_in(tx, member, None, self.now()).await?;
        // Read behind the lock: nothing may be left of them.
        for (_, lot) in store::lot::of_booking(&**tx, booking).await? {
            if purse.lots.iter().all(|known| known.id != lot.id) {
                purse.lots.push(lot);
            }
        }
        let expired = store::movement::expiries(&**tx, member, booking).await?;
        // Who has left is nowhere.
        let zone = directory::zones(&**tx, &[member]).await?.get(&member).copied().unwrap_or(Tz::UTC);
        Ok((purse, expired, zone))
    }

    /// What bookings have of their members' points.
    pub async fn of_bookings(&self, bookings: &[BookingId]) -> Result<HashMap<BookingId, Had>, Error> {
        let found = store::spending::of_bookings(self.kit.db.read(), bookings).await?;
        let had = found.into_iter().filter_map(|one| {
            let reserved = if one.state == State::Reserved { one.points } else { 0 };
            Some((one.booking?, Had { reserved, spent: one.points - reserved, given_back: one.given_back }))
        });
        Ok(had.collect())
    }

    /// What a booking had last of its member's points, where it is in this state as it is stored.
    async fn had_by(&self, tx: &Tx, booking: BookingId, state: State) -> Result<Option<Spending>, Error> {
        let had = store::spending::of_booking(&**tx, booking).await?;
        Ok(had.filter(|had| had.state == state))
    }
}

async fn zone_in(tx: &Tx, member: MemberId) -> Result<Tz, Error> {
    let found = directory::zones(&**tx, &[member]).await?;
    Ok(found.get(&member).copied().ok_or_else(|| NotFound::new("member", member))?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use tokio_util::task::TaskTracker;
    use uuid::Uuid;

    use super::*;
    use crate::backend::cache::MemoryCache;
    use crate::harness::Harness;

    /// Guard: what is on record of a lot that has expired tells what nobody has spent of it.
    #[tokio::test]
    async fn what_is_on_record_as_expired_is_not_taken_back() {
        let yeyak = Harness::new().await;
        let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
        let points = Points::new(yeyak.kit.clone(), cache, TaskTracker::new());
        let (booking, member) = (BookingId(Uuid::from_u128(1)), MemberId(Uuid::from_u128(2)));
        let (actor, now) = (Actor("a test".to_owned()), points.now());
        let (cause, expire_time) = (Cause::Earn, now + TimeDelta::days(1));
        let lot = NewLot { cause, points: 100, base: Some(10_000), available_time: now, expire_time };
        let subject = Subject { booking: Some(booking), ..Subject::default() };
        let earn_and_spend = async |tx: Tx| {
            let spent = points.change(&tx, member, None, &actor, |purse| {
                purse.add(&yeyak.kit.ids, &lot, &subject);
                Ok(purse.remove(Cause::Spend, 30, &Subject::default())?)
            });
            spent.await.map(drop)
        };
        yeyak.db.write(earn_and_spend).await.expect("spends");
        yeyak.clock.advance(TimeDelta::days(1));
        let settle = async |tx: Tx| points.change(&tx, member, None, &actor, |_| Ok(())).await.map(drop);
        yeyak.db.write(settle).await.expect("settles");

        let take_back = async |tx: Tx| points.claw_back(&tx, booking, Part::Whole, Money::won(0), &actor).await;
        let back = yeyak.db.write(take_back).await.expect("takes back");

        assert_eq!(back, ClawedBack { written_off: 30, ..ClawedBack::default() });
    }
}
