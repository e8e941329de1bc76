//! Earning points.

use super::caller::Desk;
use super::model::{Cause, MovementId, NewLot, Subject, expiry_behind, month_number};
use super::store::movement::Recorded;
use super::{Points, store};
use crate::error::{Error, NotFound};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::violation::Violations;
use crate::member::directory;

/// How many points.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    Points(i64),
    /// As many as the policy gives for it.
    Base(i64),
}

/// Asks to give a member points.
#[derive(Clone, Debug)]
pub(super) struct Earn {
    pub(super) member: MemberId,
    pub(super) amount: Amount,
    pub(super) available_time: Option<Time>,
    pub(super) expire_time: Option<Time>,
    pub(super) reference: String,
}

impl Points {
    /// Gives a member points.
    pub(super) async fn earn(&self, desk: &Desk, earn: &Earn, key: &RequestKey) -> Result<Reply<Recorded>, Error> {
        desk.may_give(earn.member)?;
        let load = async |id| self.movement(MovementId(id)).await;
        self.kit
            .requests
            .once(desk.id, "EarnPoints", key, load, async |record| {
                let zone = self.zone(earn.member).await?;
                self.kit
                    .db
                    .write(async |tx| {
                        let policy = store::policy::find(&*tx).await?;
                        let earned = self.change(&tx, earn.member, None, &desk.actor, |purse| {
                            let now = purse.now();
                            let available_time = earn.available_time.unwrap_or(now).max(now);
                            let expires = || expiry_behind(zone, available_time, policy.expiry_months);
                            let expire_time = earn.expire_time.unwrap_or_else(expires);
                            let (points, base) = match earn.amount {
                                Amount::Points(points) => (points, None),
                                Amount::Base(base) => {
                                    let month = month_number(zone, now);
                                    let points = policy.earned(base, now, month, purse.wallet.earnings);
                                    purse.wallet.earnings.add(month, points);
                                    (points, Some(base))
                                }
                            };
                            check(points, available_time, expire_time)?;
                            let lot = NewLot { cause: Cause::Earn, points, base, available_time, expire_time };
                            let subject = Subject { reference: earn.reference.clone(), ..Subject::default() };
                            purse.add(&self.kit.ids, &lot, &subject);
                            Ok(())
                        });
                        let earned = earned.await?.last(Cause::Earn)?;
                        record.put(&tx, earned.id.0).await?;
                        Ok(earned)
                    })
                    .await
            })
            .await
    }

    /// The time zone of a member.
    pub(super) async fn zone(&self, member: MemberId) -> Result<Tz, Error> {
        let found = directory::zones(self.kit.db.read(), &[member]).await?;
        Ok(found.get(&member).copied().ok_or_else(|| NotFound::new("member", member))?)
    }

    /// A movement, whosever it is.
    pub(super) async fn movement(&self, id: MovementId) -> Result<Recorded, Error> {
        let found = store::movement::find(self.kit.db.read(), id).await?;
        Ok(found.ok_or_else(|| NotFound::new("point_movement", id))?)
    }
}

/// What only the policy and the clock together can tell to be wrong.
fn check(points: i64, available_time: Time, expire_time: Time) -> Result<(), Error> {
    let mut violations = Violations::new();
    violations.require("base", points > 0, "must earn at least one point under the policy and its caps");
    violations.require("expire_time", expire_time > available_time, "must be later than the points can be spent");
    violations.finish(Some(()))
}
