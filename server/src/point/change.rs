//! The one way in which a wallet changes: locked, settled, changed, written, recorded, told.

use futures::FutureExt;
use yeyak_proto::yeyak::point::v1 as pb;

use super::model::{Cause, Movement, MovementId, Purse, SpendingId};
use super::store::movement::Recorded;
use super::{Points, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::money::{Currency, Money};
use crate::kit::outbox;
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Transfer, TransferId};

/// What the platform gives points from, and takes them back to.
pub(super) const PLATFORM: &str = "points";

/// What has become of a wallet.
#[derive(Debug)]
pub(super) struct Changed<T> {
    /// What the change gave.
    pub(super) value: T,
    pub(super) purse: Purse,
    pub(super) recorded: Vec<Recorded>,
}

impl<T> Changed<T> {
    /// The last movement by a cause.
    pub(super) fn last(&self, cause: Cause) -> Result<Recorded, Error> {
        let found = self.recorded.iter().rev().find(|recorded| recorded.movement.cause == cause);
        found.cloned().ok_or_else(|| Error::internal(format!("nothing was recorded as {}", cause.name())))
    }
}

impl Points {
    /// Changes the wallet of a member, of which a spending that is asked for is loaded too. What time has done is done
    /// first. A refusal leaves nothing behind: the transaction may go on.
    ///
    /// Locks the wallet: behind every lock but those of the request's record and the outbox.
    pub(super) async fn change<T>(
        &self,
        tx: &Tx,
        member: MemberId,
        spending: Option<SpendingId>,
        actor: &Actor,
        change: impl FnOnce(&mut Purse) -> Result<T, Error>,
    ) -> Result<Changed<T>, Error> {
        let before = store::purse::find_in(tx, member, spending, self.kit.clock.now()).await?;
        self.change_of(tx, &before, actor, change).await
    }

    /// As [`Self::change`], of a wallet that is locked already.
    pub(super) async fn change_of<T>(
        &self,
        tx: &Tx,
        before: &Purse,
        actor: &Actor,
        change: impl FnOnce(&mut Purse) -> Result<T, Error>,
    ) -> Result<Changed<T>, Error> {
        let mut purse = before.clone();
        purse.settle();
        let value = change(&mut purse)?;
        if purse == *before {
            return Ok(Changed { value, purse, recorded: Vec::new() });
        }
        purse.seal();
        store::purse::update(tx, before, &purse).await?;
        let recorded = recorded(&purse);
        self.record(tx, &[(&purse, &recorded)], actor).await?;
        self.keep_on_commit(tx, vec![purse.clone()]);
        Ok(Changed { value, purse, recorded })
    }

    /// Writes down what time has done to wallets that are locked; which it has changed, and what moved each.
    pub(super) async fn settle_all(
        &self,
        tx: &Tx,
        before: Vec<Purse>,
        actor: &Actor,
    ) -> Result<Vec<(MemberId, Vec<Recorded>)>, Error> {
        let mut changed = Vec::with_capacity(before.len());
        for before in before {
            let mut after = before.clone();
            after.settle();
            if after != before {
                after.seal();
                changed.push((before, after));
            }
        }
        if changed.is_empty() {
            return Ok(Vec::new());
        }
        store::purses::settle(tx, &changed).await?;
        let all: Vec<_> = changed.iter().map(|(_, after)| recorded(after)).collect();
        let purses: Vec<_> = changed.iter().zip(&all).map(|((_, after), recorded)| (after, &**recorded)).collect();
        self.record(tx, &purses, actor).await?;
        let members: Vec<_> = changed.iter().map(|(_, after)| after.wallet.member).collect();
        self.keep_on_commit(tx, changed.into_iter().map(|(_, after)| after).collect());
        Ok(members.into_iter().zip(all).collect())
    }

    /// Keeps what was written at hand, once it is on disk: in this process before anyone is answered, where the cache is its own; where
    /// it is not, this process shows nothing older before anyone is answered.
    pub(super) fn keep_on_commit(&self, tx: &Tx, purses: Vec<Purse>) {
        let (wallets, tasks) = (self.wallets.clone(), self.tasks.clone());
        tx.on_end(move |commit| {
            wallets.note(&purses);
            let mut keep = Box::pin(async move { wallets.written(&purses, commit).await });
            if (&mut keep).now_or_never().is_none() {
                tasks.spawn(keep);
            }
        });
    }

    /// Records what was done to wallets: in the ledger, and beside it what a wallet wants to know of it.
    async fn record(&self, tx: &Tx, purses: &[(&Purse, &[Recorded])], actor: &Actor) -> Result<(), Error> {
        let Some((first, _)) = purses.first() else { return Ok(()) };
        let all: Vec<_> = purses.iter().flat_map(|(_, recorded)| *recorded).cloned().collect();
        let transfers: Vec<_> = all.iter().map(|one| (TransferId(one.id.0), transfer(one))).collect();
        ledger::transfer_all(tx, &transfers, first.now()).await?;
        store::movement::insert(tx, &all, &actor.0).await?;
        for (purse, recorded) in purses {
            let (cause, news) = news(purse, recorded, actor);
            self.kit.outbox.put(tx, cause, &news);
        }
        Ok(())
    }

    /// When it is.
    pub(super) fn now(&self) -> Time {
        self.kit.clock.now()
    }
}

/// What moved a wallet, as it is on record.
pub(super) fn recorded(purse: &Purse) -> Vec<Recorded> {
    let (member, now) = (purse.wallet.member, purse.now());
    let recorded = |movement: &Movement| Recorded {
        id: MovementId::of(member, movement.number, now),
        member,
        version: purse.wallet.version,
        movement: movement.clone(),
        create_time: now,
    };
    purse.movements.iter().map(recorded).collect()
}

/// What is told of it.
fn news<'a>(purse: &Purse, recorded: &[Recorded], actor: &'a Actor) -> (outbox::Cause<'a>, pb::PointsMoved) {
    let (member, version) = (purse.wallet.member, purse.wallet.version);
    let moved = |one: &Recorded| pb::MovedPoints {
        movement_id: one.id.to_string(),
        cause: one.movement.cause.name().to_owned(),
        points: one.movement.amount,
        booking_id: one.movement.booking.map(|booking| booking.to_string()).unwrap_or_default(),
    };
    let movements = recorded.iter().map(moved).collect();
    let news = pb::PointsMoved { member_id: member.to_string(), balance_version: version, movements };
    (outbox::Cause { aggregate: member.0, version, actor }, news)
}

/// As the ledger has it.
pub(super) fn transfer(recorded: &Recorded) -> Transfer {
    let Recorded { id, member, movement, .. } = recorded;
    let Movement { cause, amount, held, booking, .. } = movement;
    let (wallet, aside) = (Account::Points(*member), Account::HeldPoints(*member));
    let platform = Account::Platform(PLATFORM.to_owned());
    let (debit, credit) = match (amount.signum(), held.signum()) {
        (1, 0) => (platform, wallet),
        (-1, 0) => (wallet, platform),
        (-1, 1) => (wallet, aside),
        (1, -1) => (aside, wallet),
        _ => (aside, platform),
    };
    Transfer {
        debit,
        credit,
        amount: Money::new(Currency::POINTS, amount.abs().max(held.abs())),
        cause: ledger::Cause::Points(cause.in_ledger()),
        cause_id: id.to_string(),
        booking: *booking,
    }
}
