//! The ledger: every movement of money and of points, as one row that names the account it leaves and the account it reaches.
//!
//! Promises:
//! - every movement is balanced: what one account gives, another gets, and nothing else happens to either;
//! - a movement is recorded once for its cause, and never changed;
//! - balances are sums over movements: no counter is kept that could drift.

mod check;
mod convert;
mod entity;
mod model;
mod read;
mod rpc;
mod store;

use std::collections::HashMap;

use sea_orm::ConnectionTrait;

pub use self::model::{Account, Balance, Cause, NotAnAccount, Transfer, TransferId};
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::bulk::Bulk;
use crate::kit::clock::Time;
use crate::kit::tx::Tx;

/// The ledger of this installation.
#[derive(Clone, Debug)]
pub struct Ledger {
    kit: Kit,
}

impl Ledger {
    /// A ledger kept in the kit's database.
    pub fn new(kit: Kit) -> Self {
        Self { kit }
    }
}

/// Records a movement in the transaction that causes it. One that was recorded for the same cause before is a lost race.
pub async fn transfer(tx: &Tx, kit: &Kit, transfer: &Transfer) -> Result<(), Error> {
    if transfer.amount.minor <= 0 {
        return Err(Error::internal(format!("a transfer of {} for {}", transfer.amount, transfer.cause_id)));
    }
    store::insert(&**tx, kit, transfer).await
}

/// Records movements that come together, under ids that others know, in the transaction that causes them.
pub async fn transfer_all(tx: &Tx, transfers: &[(TransferId, Transfer)], now: Time) -> Result<(), Error> {
    if let Some((id, none)) = transfers.iter().find(|(_, transfer)| transfer.amount.minor <= 0) {
        return Err(Error::internal(format!("{id} of {} for {}", none.amount, none.cause_id)));
    }
    store::insert_many(&**tx, transfers, now).await
}

/// Loads movements of before in bulk, each with its time.
pub async fn load(bulk: &mut Bulk<'_>, transfers: &[(TransferId, Transfer, Time)]) -> Result<(), Error> {
    store::load(bulk, transfers).await
}

/// The amounts that were moved for one cause, by what caused them.
pub async fn amounts_of(
    conn: &impl ConnectionTrait,
    cause: Cause,
    cause_ids: Vec<String>,
) -> Result<HashMap<String, i64>, Error> {
    store::amounts_of(conn, cause, cause_ids).await
}
