//! Receipts whose coupons are not there after a while are handed to the issuers again. None is ever given back.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use metrics::counter;
use uuid::Uuid;

use crate::coupon::model::{Policy, ReceiptId};
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::job::Job;
use crate::kit::tx::Tx;

/// How long a receipt is left to its message: far longer than a commit takes, so that none comes behind what was looked at.
const AFTER: TimeDelta = TimeDelta::minutes(1);
/// How many receipts are handed over in one run: what can't be issued now is not for the queue to hold over and over.
const MOST: u64 = 10_000;
const PAGE: u64 = 5_000;
/// The most that one message names.
const TOGETHER: usize = 500;
const NAME: &str = "coupon-receipts";

impl Coupons {
    /// Hands the receipts of a policy whose coupons are not there yet to the issuers again.
    pub(in crate::coupon) async fn republish(&self, policy: &Policy) -> Result<(), Error> {
        let (mut after, mut count) = (Uuid::nil(), 0);
        loop {
            let range = (after, Uuid::max());
            let page = store::receipt::pending(self.kit.db.read(), Some(policy.id), range, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.0;
            count += page.len();
            self.hand_over_again(&page).await?;
        }
        tracing::info!(policy.id = %policy.id, count, "handed {count} receipts of {} to the issuers again", policy.id);
        Ok(())
    }

    async fn hand_over_again(&self, pending: &[ReceiptId]) -> Result<(), Error> {
        let actor = Actor::job(NAME);
        let announce = async |tx: Tx| {
            for together in pending.chunks(TOGETHER) {
                self.announce_accepted(&tx, together.iter().copied(), &actor);
            }
            Ok(())
        };
        self.kit.db.write(announce).await?;
        counter!("yeyak_coupon_republished_total").increment(pending.len() as u64);
        Ok(())
    }

    /// Hands over what has waited for a while; how many receipts there were. Ids are of their time, so only what came since the
    /// last run, or was left then, is looked at.
    async fn hand_over_late(&self) -> Result<u64, Error> {
        let conn = self.kit.db.read();
        let before = first_id(self.kit.clock.now() - AFTER);
        let mark = store::mark::find(conn, NAME).await?;
        let mut after = mark;
        let (mut count, mut oldest) = (0, None);
        while count < MOST {
            let page = store::receipt::pending(conn, None, (after, before), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.0;
            count += page.len() as u64;
            oldest = oldest.or(page.first().map(|receipt| receipt.0));
            self.hand_over_again(&page).await?;
            tracing::info!(count = page.len(), "handed {} late receipts to the issuers again", page.len());
        }
        // Those before the oldest one that is left have all come to their end.
        let reached = oldest.map_or(before, |oldest| Uuid::from_u128(oldest.as_u128().saturating_sub(1)));
        if reached > mark {
            store::mark::put(&self.kit.db, NAME, reached).await?;
        }
        Ok(count)
    }
}

/// The least id of an instant.
fn first_id(time: Time) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Hands receipts over again.
#[derive(Debug)]
pub(in crate::coupon) struct ReceiptsJob(pub(in crate::coupon) Coupons);

#[async_trait]
impl Job for ReceiptsJob {
    fn name(&self) -> &'static str {
        NAME
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<u64, Error> {
        self.0.hand_over_late().await
    }
}
