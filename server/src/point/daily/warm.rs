//! Wallets that were moved of late are put at hand, under the key that readers ask for.

use std::time::Instant;

use chrono::TimeDelta;
use uuid::Uuid;

use super::run::rest;
use super::store;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::point::Points;
use crate::point::store::purses;

/// Wallets that something has moved since then are put at hand.
const ACTIVE: TimeDelta = TimeDelta::days(30);
/// How many are loaded at a time.
const TOGETHER: i64 = 2_000;

impl Points {
    /// Puts the wallets at hand that were moved in the thirty days before a moment, or since then, within a share of the database's time; how
    /// many that were.
    pub async fn warm(&self, before: Time, share: u8) -> Result<u64, Error> {
        let conn = self.kit.db.read();
        // What is moved from here on is put there by who moves it.
        let until = self.now();
        let (mut behind, mut count) = ((before - ACTIVE, Uuid::nil()), 0);
        loop {
            let began = Instant::now();
            let active = store::active(conn, behind, until, TOGETHER).await?;
            let Some((time, last)) = active.last() else { return Ok(count) };
            behind = (*time, last.0);
            let members: Vec<_> = active.iter().map(|(_, member)| *member).collect();
            // One that changes meanwhile is put there by who changes it.
            let purses = purses::find(conn, &members, self.now()).await?;
            self.wallets.put_for_day(&purses).await;
            count += purses.len() as u64;
            tokio::time::sleep(rest(began.elapsed(), share)).await;
        }
    }
}
