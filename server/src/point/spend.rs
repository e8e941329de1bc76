//! Spending points, and setting them aside.

use super::caller::Desk;
use super::model::{Spending, SpendingId, Subject};
use super::{Points, store};
use crate::error::{Error, NotFound};
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::violation::Violations;

/// Asks to spend points of a member, or to set them aside.
#[derive(Clone, Debug)]
pub(super) struct Spend {
    pub(super) member: MemberId,
    pub(super) points: i64,
    pub(super) reference: String,
    /// Until when they are set aside; absent where they are spent at once.
    pub(super) hold_expire_time: Option<Time>,
}

impl Points {
    /// Spends points of a member, or sets them aside: those that expire first.
    pub(super) async fn spend(&self, desk: &Desk, spend: &Spend, key: &RequestKey) -> Result<Reply<Spending>, Error> {
        let load = async |id| self.spending(SpendingId(id)).await;
        let method = if spend.hold_expire_time.is_some() { "ReservePoints" } else { "SpendPoints" };
        self.kit
            .requests
            .once(desk.id, method, key, load, async |record| {
                is_to_come(spend.hold_expire_time, self.now())?;
                self.zone(spend.member).await?;
                self.kit
                    .db
                    .write(async |tx| {
                        let id = SpendingId::new(&self.kit.ids, self.now());
                        let (actor, reference) = (desk.actor.0.clone(), spend.reference.clone());
                        let subject = Subject { booking: None, reference, actor };
                        let spent = self.change(&tx, spend.member, None, &desk.actor, |purse| {
                            Ok(purse.spend(id, spend.points, spend.hold_expire_time.map(Some), &subject)?)
                        });
                        let purse = spent.await?.purse;
                        record.put(&tx, id.0).await?;
                        let found = purse.spendings.into_iter().find(|spending| spending.id == id);
                        found.ok_or_else(|| Error::internal(format!("{id} was just made")))
                    })
                    .await
            })
            .await
    }

    /// A spending, whosever it is.
    pub(super) async fn spending(&self, id: SpendingId) -> Result<Spending, Error> {
        let found = store::spending::find(self.kit.db.read(), id).await?;
        Ok(found.ok_or_else(|| NotFound::new("point_spending", id))?)
    }
}

/// What only the clock can tell to be wrong, of a request that was not done before.
pub(super) fn is_to_come(expire_time: Option<Time>, now: Time) -> Result<(), Error> {
    let mut violations = Violations::new();
    violations.require("expire_time", expire_time.is_none_or(|time| now < time), "must be in the future");
    violations.finish(Some(()))
}
