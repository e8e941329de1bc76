//! Giving points to another member.

use std::collections::BTreeMap;

use super::model::{Cause, MovementId, NewLot, Subject, day_number};
use super::store::movement::Recorded;
use super::{PointError, Points, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Member;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::member::directory;

/// In how many lots a member may have points to be given others: whoever does something with a wallet looks at all of them.
const LOTS: usize = 1_000;

/// Asks to give points away.
#[derive(Clone, Debug)]
pub(super) struct Gift {
    pub(super) recipient: MemberId,
    pub(super) points: i64,
    pub(super) reference: String,
}

impl Points {
    /// Gives available points of the caller to another member: they keep their expiry.
    pub(super) async fn gift(&self, caller: &Member, gift: &Gift, key: &RequestKey) -> Result<Reply<Recorded>, Error> {
        let load = async |id| self.movement(MovementId(id)).await;
        self.kit
            .requests
            .once(caller.id.0, "GiftPoints", key, load, async |record| {
                let zones = directory::zones(self.kit.db.read(), &[caller.id, gift.recipient]).await?;
                let zone_of = |id| zones.get(&id).copied().ok_or_else(|| NotFound::new("member", id));
                let zone = zone_of(caller.id)?;
                zone_of(gift.recipient)?;
                self.kit
                    .db
                    .write(async |tx| {
                        let policy = store::policy::find(&*tx).await?;
                        if gift.points > policy.gift_cap {
                            return Err(PointError::GiftRefused { maximum: policy.gift_cap }.into());
                        }
                        // Two wallets are locked in the order of their ids, so that no two gifts wait for each other.
                        let mut both = [caller.id, gift.recipient];
                        both.sort_unstable();
                        let now = self.now();
                        let mut wallets = BTreeMap::new();
                        for member in both {
                            wallets.insert(member, store::purse::find_in(&tx, member, None, now).await?);
                        }
                        let subject = Subject { reference: gift.reference.clone(), ..Subject::default() };
                        let actor = caller.actor();
                        let given = self.change_of(&tx, &wallets[&caller.id], &actor, |purse| {
                            let day = day_number(zone, now);
                            if purse.wallet.gifts.of(day) + gift.points > policy.daily_gift_cap {
                                return Err(PointError::GiftLimit { maximum: policy.daily_gift_cap }.into());
                            }
                            purse.wallet.gifts.add(day, gift.points);
                            Ok(purse.remove(Cause::Gift, gift.points, &subject)?)
                        });
                        let given = given.await?;
                        let received = self.change_of(&tx, &wallets[&gift.recipient], &actor, |purse| {
                            if purse.lots.iter().filter(|lot| lot.remaining > 0).count() >= LOTS {
                                return Err(PointError::WalletFull { maximum: LOTS }.into());
                            }
                            for piece in &given.value {
                                let lot = NewLot {
                                    cause: Cause::Gift,
                                    points: piece.points,
                                    base: None,
                                    available_time: now,
                                    expire_time: piece.expire_time,
                                };
                                purse.add(&self.kit.ids, &lot, &subject);
                            }
                            Ok(())
                        });
                        received.await?;
                        let given = given.last(Cause::Gift)?;
                        record.put(&tx, given.id.0).await?;
                        Ok(given)
                    })
                    .await
            })
            .await
    }
}
