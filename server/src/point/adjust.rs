//! Putting a wallet right, for a reason that stays on record.

use super::caller::Desk;
use super::model::{Cause, MovementId, NewLot, Subject, expiry_behind};
use super::spend::is_to_come;
use super::store::movement::Recorded;
use super::{Points, store};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};

/// Asks to put a wallet right.
#[derive(Clone, Debug)]
pub(super) struct Adjust {
    pub(super) member: MemberId,
    /// What to add; less than 0 to take away.
    pub(super) points: i64,
    pub(super) reason: String,
    pub(super) expire_time: Option<Time>,
}

impl Points {
    /// Adds points to a wallet, or takes available ones away.
    pub(super) async fn adjust(
        &self,
        desk: &Desk,
        adjust: &Adjust,
        key: &RequestKey,
    ) -> Result<Reply<Recorded>, Error> {
        desk.may_give(adjust.member)?;
        let load = async |id| self.movement(MovementId(id)).await;
        self.kit
            .requests
            .once(desk.id, "AdjustPoints", key, load, async |record| {
                is_to_come(adjust.expire_time, self.now())?;
                let zone = self.zone(adjust.member).await?;
                self.kit
                    .db
                    .write(async |tx| {
                        let policy = store::policy::find(&*tx).await?;
                        let subject = Subject { reference: adjust.reason.clone(), ..Subject::default() };
                        let adjusted = self.change(&tx, adjust.member, None, &desk.actor, |purse| {
                            if adjust.points < 0 {
                                purse.remove(Cause::Adjust, -adjust.points, &subject)?;
                                return Ok(());
                            }
                            let available_time = purse.now();
                            let expires = || expiry_behind(zone, available_time, policy.expiry_months);
                            let expire_time = adjust.expire_time.unwrap_or_else(expires);
                            let (cause, points) = (Cause::Adjust, adjust.points);
                            let lot = NewLot { cause, points, base: None, available_time, expire_time };
                            purse.add(&self.kit.ids, &lot, &subject);
                            Ok(())
                        });
                        let adjusted = adjusted.await?.last(Cause::Adjust)?;
                        record.put(&tx, adjusted.id.0).await?;
                        Ok(adjusted)
                    })
                    .await
            })
            .await
    }
}
