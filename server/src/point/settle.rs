//! What becomes of spendings: committed, released, given back.

use super::caller::Desk;
use super::model::{Purse, Spending, SpendingId, State, Subject, end_of_day};
use super::{PointError, Points, store};
use crate::error::Error;
use crate::kit::idempotency::{Reply, RequestKey};

/// Asks to give spent points back.
#[derive(Clone, Debug)]
pub(super) struct Cancel {
    pub(super) id: SpendingId,
    /// How many; none for all that are left.
    pub(super) points: Option<i64>,
    pub(super) reference: String,
}

impl Points {
    /// Spends what was set aside. Once more changes nothing.
    pub(super) async fn commit_spending(
        &self,
        desk: &Desk,
        id: SpendingId,
        key: &RequestKey,
    ) -> Result<Reply<Spending>, Error> {
        self.settle_spending(desk, id, "CommitPoints", key, |purse| match state(purse, id)? {
            State::Reserved => Ok(_ = purse.commit(id)),
            State::Spent => Ok(()),
            state @ State::Released => Err(closed(id, state)),
        })
        .await
    }

    /// Gives what was set aside back to its lots. Once more changes nothing.
    pub(super) async fn release_spending(
        &self,
        desk: &Desk,
        id: SpendingId,
        key: &RequestKey,
    ) -> Result<Reply<Spending>, Error> {
        self.settle_spending(desk, id, "ReleasePoints", key, |purse| match state(purse, id)? {
            State::Reserved => Ok(_ = purse.release(id)),
            State::Released => Ok(()),
            state @ State::Spent => Err(closed(id, state)),
        })
        .await
    }

    async fn settle_spending(
        &self,
        desk: &Desk,
        id: SpendingId,
        method: &'static str,
        key: &RequestKey,
        settle: impl Fn(&mut Purse) -> Result<(), Error>,
    ) -> Result<Reply<Spending>, Error> {
        let load = async |id| self.spending(SpendingId(id)).await;
        self.kit
            .requests
            .once(desk.id, method, key, load, async |record| {
                let spending = self.open_spending(id).await?;
                self.kit
                    .db
                    .write(async |tx| {
                        let settled = self.change(&tx, spending.member, Some(id), &desk.actor, &settle).await?;
                        record.put(&tx, id.0).await?;
                        of(&settled.purse, id)
                    })
                    .await
            })
            .await
    }

    /// Gives spent points back to their lots.
    pub(super) async fn cancel(
        &self,
        desk: &Desk,
        cancel: &Cancel,
        key: &RequestKey,
    ) -> Result<Reply<Spending>, Error> {
        let load = async |id| self.spending(SpendingId(id)).await;
        let id = cancel.id;
        self.kit
            .requests
            .once(desk.id, "CancelPointSpending", key, load, async |record| {
                let spending = self.open_spending(id).await?;
                let zone = self.zone(spending.member).await?;
                self.kit
                    .db
                    .write(async |tx| {
                        let policy = store::policy::find(&*tx).await?;
                        let cancelled = self.change(&tx, spending.member, Some(id), &desk.actor, |purse| {
                            let spending = of(purse, id)?;
                            if spending.state != State::Spent {
                                return Err(closed(id, spending.state));
                            }
                            let points = cancel.points.unwrap_or(spending.left());
                            if points > spending.left() || points == 0 {
                                return Err(PointError::TooSmall { spending: id, left: spending.left() }.into());
                            }
                            let grace = policy.grace_days > 0;
                            let grace = grace.then(|| end_of_day(zone, purse.now(), policy.grace_days));
                            let subject = Subject { reference: cancel.reference.clone(), ..Subject::default() };
                            purse.give_back(&self.kit.ids, id, points, grace, &subject);
                            Ok(())
                        });
                        let purse = cancelled.await?.purse;
                        record.put(&tx, id.0).await?;
                        of(&purse, id)
                    })
                    .await
            })
            .await
    }

    /// A spending that is no booking's.
    async fn open_spending(&self, id: SpendingId) -> Result<Spending, Error> {
        let spending = self.spending(id).await?;
        match spending.booking {
            Some(_) => Err(PointError::Closed { spending: id, state: spending.state, of_booking: true }.into()),
            None => Ok(spending),
        }
    }
}

fn of(purse: &Purse, id: SpendingId) -> Result<Spending, Error> {
    let found = purse.spendings.iter().find(|spending| spending.id == id);
    found.cloned().ok_or_else(|| Error::internal(format!("{id} is gone")))
}

fn state(purse: &Purse, id: SpendingId) -> Result<State, Error> {
    of(purse, id).map(|spending| spending.state)
}

fn closed(spending: SpendingId, state: State) -> Error {
    PointError::Closed { spending, state, of_booking: false }.into()
}
