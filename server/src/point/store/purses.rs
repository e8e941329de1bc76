//! Many wallets with what is in them, in as few statements as can be.

use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseBackend, QueryOrder, QuerySelect, Statement};

use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::tx::{Tx, among};
use crate::point::entity::wallet::{Column, Entity, Model};
use crate::point::model::{Purse, State, Wallet};
use crate::point::store::{lot, purse, spending};

/// The wallets of members, as far as there are any, each as it was at one moment: one that changed meanwhile is left out, and one
/// that lacks a lot.
pub(in crate::point) async fn find(
    conn: &impl ConnectionTrait,
    members: &[MemberId],
    now: Time,
) -> Result<Vec<Purse>, Error> {
    let ids: Vec<Uuid> = members.iter().map(|member| member.0).collect();
    let wallets = Entity::find().filter(among(conn, Column::MemberId, ids.clone())).all(conn).await?;
    let mut found = with_contents(conn, wallets, now).await?;
    let versions = Entity::find().select_only().columns([Column::MemberId, Column::Version]);
    let versions: Vec<(Uuid, i64)> = versions.filter(among(conn, Column::MemberId, ids)).into_tuple().all(conn).await?;
    let versions: HashSet<_> = versions.into_iter().collect();
    found.retain(|purse| versions.contains(&(purse.wallet.member.0, purse.wallet.version)) && purse.lacks().is_none());
    Ok(found)
}

/// The wallets of members, locked until the transaction ends, in the order of their ids; with those that lack a lot.
pub(in crate::point) async fn find_in(tx: &Tx, members: &[MemberId], now: Time) -> Result<Vec<Purse>, Error> {
    let ids: Vec<Uuid> = members.iter().map(|member| member.0).collect();
    let locked = Entity::find().filter(among(&**tx, Column::MemberId, ids)).order_by_asc(Column::MemberId);
    let wallets = locked.lock_exclusive().all(&**tx).await?;
    with_contents(&**tx, wallets, now).await
}

/// Empty wallets of members that have none, with what there is for them all the same.
pub(in crate::point) async fn without_row(tx: &Tx, members: &[MemberId], now: Time) -> Result<Vec<Purse>, Error> {
    let empty = members.iter().map(|member| purse::row(&Wallet::empty(*member), now));
    with_contents(&**tx, empty.collect(), now).await
}

async fn with_contents(conn: &impl ConnectionTrait, wallets: Vec<Model>, now: Time) -> Result<Vec<Purse>, Error> {
    let members: Vec<Uuid> = wallets.iter().map(|wallet| wallet.member_id).collect();
    let mut lots: HashMap<MemberId, Vec<_>> = HashMap::with_capacity(members.len());
    for (member, lot) in lot::live_of(conn, &members).await? {
        lots.entry(member).or_default().push(lot);
    }
    let mut held: HashMap<MemberId, Vec<_>> = HashMap::new();
    for spending in spending::reserved_of(conn, &members).await? {
        held.entry(spending.member).or_default().push(spending);
    }
    // What is set aside may come back to a lot of which nothing is left.
    let named = held.values().flatten().flat_map(|spending| &spending.pieces).map(|piece| piece.lot);
    let there: HashSet<_> = lots.values().flatten().map(|lot| lot.id).collect();
    let missing: HashSet<Uuid> = named.filter(|lot| !there.contains(lot)).map(|lot| lot.0).collect();
    if !missing.is_empty() {
        for (member, lot) in lot::by_id(conn, missing.into_iter().collect()).await? {
            lots.entry(member).or_default().push(lot);
        }
    }
    let filled = wallets.into_iter().map(|wallet| {
        let member = MemberId(wallet.member_id);
        let (lots, held) = (lots.remove(&member).unwrap_or_default(), held.remove(&member).unwrap_or_default());
        Purse::new(wallet.into(), lots, held, now)
    });
    Ok(filled.collect())
}

/// Writes what time has made of wallets that are locked, each before and after.
pub(in crate::point) async fn settle(tx: &Tx, purses: &[(Purse, Purse)]) -> Result<(), Error> {
    if !tx.has_others() {
        for (before, after) in purses {
            purse::update(tx, before, after).await?;
        }
        return Ok(());
    }
    settle_wallets(tx, purses).await?;
    let mut lots = Vec::new();
    for (before, after) in purses {
        lots.extend(after.lots.iter().zip(&before.lots).filter(|(after, before)| after != before).map(|(lot, _)| lot));
        for (after, before) in after.spendings.iter().zip(&before.spendings) {
            if before.state == State::Reserved && after != before {
                spending::update(tx, before.state, after).await?;
            }
        }
    }
    lot::settle(tx, &lots).await
}

async fn settle_wallets(tx: &Tx, purses: &[(Purse, Purse)]) -> Result<(), Error> {
    let update = "\
UPDATE point_wallet AS w SET version = x.version, available = x.available, pending = x.pending, reserved = x.reserved, \
  owed = x.owed, change_time = NULLIF(x.change_time, 'epoch'), movement_count = x.movement_count, update_time = x.update_time \
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
    $8::timestamptz[], $9::bigint[], $10::timestamptz[]) \
  AS x (member_id, before, version, available, pending, reserved, owed, change_time, movement_count, update_time) \
WHERE w.member_id = x.member_id AND w.version = x.before";
    let wallets = || purses.iter().map(|(_, after)| &after.wallet);
    let values: [Value; 10] = [
        wallets().map(|wallet| wallet.member.0).collect::<Vec<_>>().into(),
        purses.iter().map(|(before, _)| before.wallet.version).collect::<Vec<_>>().into(),
        wallets().map(|wallet| wallet.version).collect::<Vec<_>>().into(),
        wallets().map(|wallet| wallet.available).collect::<Vec<_>>().into(),
        wallets().map(|wallet| wallet.pending).collect::<Vec<_>>().into(),
        wallets().map(|wallet| wallet.reserved).collect::<Vec<_>>().into(),
        wallets().map(|wallet| wallet.owed).collect::<Vec<_>>().into(),
        // A list of times has none that is absent.
        wallets().map(|wallet| wallet.change_time.unwrap_or_default()).collect::<Vec<_>>().into(),
        wallets().map(|wallet| wallet.movement_count).collect::<Vec<_>>().into(),
        purses.iter().map(|(_, after)| after.now()).collect::<Vec<_>>().into(),
    ];
    let update = Statement::from_sql_and_values(DatabaseBackend::Postgres, update, values);
    let written = tx.execute_raw(update).await?.rows_affected();
    if usize::try_from(written).is_ok_and(|written| written == purses.len()) {
        Ok(())
    } else {
        Err(Error::lost("wallets that are locked"))
    }
}
