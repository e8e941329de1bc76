//! Wallets with what is in them.

use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, IntoActiveModel, QuerySelect};

use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::tx::{Tx, among};
use crate::point::entity::wallet::{Column, Entity, Model};
use crate::point::model::{Purse, SpendingId, State, Tally, Wallet};
use crate::point::store::{lot, spending};

impl From<Model> for Wallet {
    fn from(row: Model) -> Self {
        Self {
            member: MemberId(row.member_id),
            version: row.version,
            available: row.available,
            pending: row.pending,
            reserved: row.reserved,
            owed: row.owed,
            change_time: row.change_time,
            movement_count: row.movement_count,
            gifts: Tally { number: row.gift_day, points: row.gift_points },
            earnings: Tally { number: row.earn_month, points: row.earn_points },
        }
    }
}

/// The row of a wallet.
pub(in crate::point) fn row(wallet: &Wallet, now: Time) -> Model {
    Model {
        member_id: wallet.member.0,
        version: wallet.version,
        available: wallet.available,
        pending: wallet.pending,
        reserved: wallet.reserved,
        owed: wallet.owed,
        change_time: wallet.change_time,
        movement_count: wallet.movement_count,
        gift_day: wallet.gifts.number,
        gift_points: wallet.gifts.points,
        earn_month: wallet.earnings.number,
        earn_points: wallet.earnings.points,
        update_time: now,
    }
}

/// A wallet as it is stored.
pub(in crate::point) async fn wallet(conn: &impl ConnectionTrait, member: MemberId) -> Result<Option<Wallet>, Error> {
    Ok(Entity::find_by_id(member.0).one(conn).await?.map(Wallet::from))
}

/// Those of some members that have a wallet.
pub(in crate::point) async fn there(
    conn: &impl ConnectionTrait,
    members: &[MemberId],
) -> Result<HashSet<MemberId>, Error> {
    let ids = members.iter().map(|member| member.0).collect();
    let found = Entity::find().select_only().column(Column::MemberId).filter(among(conn, Column::MemberId, ids));
    let found: Vec<Uuid> = found.into_tuple().all(conn).await?;
    Ok(found.into_iter().map(MemberId).collect())
}

/// A wallet with what is in it, as it is stored; an empty one where nothing has moved it yet.
pub(in crate::point) async fn find(conn: &impl ConnectionTrait, member: MemberId, now: Time) -> Result<Purse, Error> {
    let Some(found) = wallet(conn, member).await? else {
        return Ok(Purse::new(Wallet::empty(member), Vec::new(), Vec::new(), now));
    };
    let (lots, held) = (lot::live(conn, member).await?, spending::reserved(conn, member).await?);
    with_lots(conn, found, lots, held, now).await
}

/// A wallet, locked until the transaction ends, with what is in it and a spending that is asked for.
pub(in crate::point) async fn find_in(
    tx: &Tx,
    member: MemberId,
    wanted: Option<SpendingId>,
    now: Time,
) -> Result<Purse, Error> {
    let wallet = lock(tx, member, now).await?;
    let lots = lot::live(&**tx, member).await?;
    let mut held = spending::reserved(&**tx, member).await?;
    if let Some(id) = wanted.filter(|id| held.iter().all(|one| one.id != *id)) {
        held.extend(spending::of_member(&**tx, member, id).await?);
    }
    with_lots(&**tx, wallet, lots, held, now).await
}

/// The lots that spendings are of are there too, though nothing is left of them; one that is nowhere is our fault.
async fn with_lots(
    conn: &impl ConnectionTrait,
    wallet: Wallet,
    mut lots: Vec<crate::point::model::Lot>,
    spendings: Vec<crate::point::model::Spending>,
    now: Time,
) -> Result<Purse, Error> {
    let there: HashSet<_> = lots.iter().map(|lot| lot.id).collect();
    let pieces = spendings.iter().filter(|spending| spending.state != State::Released);
    let mut missing: Vec<_> = pieces.flat_map(|spending| &spending.pieces).map(|piece| piece.lot).collect();
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|id| !there.contains(id));
    if !missing.is_empty() {
        lots.extend(lot::some(conn, wallet.member, &missing).await?);
    }
    let purse = Purse::new(wallet, lots, spendings, now);
    match purse.lacks() {
        Some(lot) => {
            Err(Error::internal(format!("{lot} of {} is gone, of which points were used", purse.wallet.member)))
        }
        None => Ok(purse),
    }
}

async fn lock(tx: &Tx, member: MemberId, now: Time) -> Result<Wallet, Error> {
    let find = || Entity::find_by_id(member.0).lock_exclusive();
    if let Some(found) = find().one(&**tx).await? {
        return Ok(found.into());
    }
    make(tx, member, now).await?;
    let found = find().one(&**tx).await?;
    found.map(Wallet::from).ok_or_else(|| Error::internal("a wallet that was just written is there"))
}

/// Writes an empty wallet, unless there is one.
pub(in crate::point) async fn make(tx: &Tx, member: MemberId, now: Time) -> Result<(), Error> {
    let new = row(&Wallet::empty(member), now).into_active_model();
    let there = OnConflict::column(Column::MemberId).do_nothing().to_owned();
    Entity::insert(new).on_conflict(there).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes what has become of a wallet and what is in it, unless it has changed since.
pub(in crate::point) async fn update(tx: &Tx, before: &Purse, after: &Purse) -> Result<(), Error> {
    let changed = row(&after.wallet, after.now()).into_active_model().reset_all();
    let written = Entity::update_many()
        .set(changed)
        .filter(Column::MemberId.eq(before.wallet.member.0))
        .filter(Column::Version.eq(before.wallet.version))
        .exec(&**tx)
        .await?;
    if written.rows_affected != 1 {
        return Err(Error::lost(format!("the wallet of {}", before.wallet.member)));
    }
    let mut new = Vec::new();
    let known: HashMap<_, _> = before.lots.iter().map(|lot| (lot.id, lot)).collect();
    for lot in &after.lots {
        match known.get(&lot.id).copied() {
            None => new.push(lot),
            Some(known) if known != lot => lot::update(tx, known, lot).await?,
            Some(_) => {}
        }
    }
    lot::insert(tx, before.wallet.member, &new).await?;
    for one in &after.spendings {
        match before.spendings.iter().find(|known| known.id == one.id) {
            None => spending::insert(tx, one).await?,
            Some(known) if known != one => spending::update(tx, known.state, one).await?,
            Some(_) => {}
        }
    }
    Ok(())
}
