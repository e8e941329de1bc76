//! Who gives and takes points, and whose wallet is looked at.

use uuid::Uuid;

use super::model::Purse;
use super::{Points, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::{Actor, Caller, Denied, Member};
use crate::kit::id::MemberId;
use crate::member::directory;

/// An admin, or a service of the platform.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) id: Uuid,
    pub(super) actor: Actor,
    /// The admin's own wallet, which is for another to fill.
    own: Option<MemberId>,
}

impl Desk {
    pub(super) fn of(caller: Caller) -> Result<Self, Error> {
        match caller {
            Caller::Service { key, .. } => Ok(Self { id: key.0, actor: Actor(key.to_string()), own: None }),
            caller => {
                let admin = caller.admin()?;
                Ok(Self { id: admin.id.0, actor: admin.actor(), own: Some(admin.id) })
            }
        }
    }

    /// Refuses what gives an admin points of their own.
    pub(super) fn may_give(&self, member: MemberId) -> Result<(), Error> {
        match self.own == Some(member) {
            true => Err(Denied { needs: "another admin: nobody gives themselves points" }.into()),
            false => Ok(()),
        }
    }
}

impl Points {
    /// Whose wallet a request of a caller is about: their own, or any for an admin.
    pub(super) async fn whose(&self, caller: &Member, named: Option<MemberId>) -> Result<MemberId, Error> {
        let member = named.unwrap_or(caller.id);
        if member == caller.id {
            return Ok(member);
        }
        match caller.is_admin() && self.is_known(member).await? {
            true => Ok(member),
            false => Err(NotFound::new("member", member).into()),
        }
    }

    /// Whether there is such a member, or a wallet that was written for one.
    async fn is_known(&self, member: MemberId) -> Result<bool, Error> {
        let conn = self.kit.db.read();
        Ok(store::purse::wallet(conn, member).await?.is_some()
            || directory::known(conn, &[member]).await?.contains(&member))
    }

    /// The wallet that a request of a caller is about, with what is in it, as of now: as it was written last, as far as is known
    /// here, and not older than a version that the caller was told of.
    pub(super) async fn look(&self, caller: &Member, named: Option<MemberId>, least: i64) -> Result<Purse, Error> {
        let member = named.unwrap_or(caller.id);
        // One that was never written may be nobody's.
        let least_of_another = least.max(1);
        let kept = match member == caller.id {
            true => self.at_hand(member, least).await?,
            false if caller.is_admin() => self.at_hand(member, least_of_another).await?,
            false => None,
        };
        let mut purse = match kept {
            Some(kept) => kept,
            None => self.keep(self.whose(caller, named).await?).await?,
        };
        purse.settle();
        Ok(purse)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::backend::cache::MemoryCache;
    use crate::error::ErrorReason;
    use crate::harness::Harness;
    use crate::kit::caller::Roles;
    use crate::point::model::Wallet;

    /// Guards: whose a wallet at hand is; that it was ever written. No table knows these members.
    #[tokio::test]
    async fn a_wallet_at_hand_is_shown_to_its_member_and_to_an_admin() {
        let yeyak = Harness::new().await;
        let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
        let points = Points::new(yeyak.kit.clone(), cache, TaskTracker::new());
        let [admin, member, other, nobody] = [1, 2, 3, 4].map(|id| MemberId(Uuid::from_u128(id)));
        for (member, version) in [(member, 3), (nobody, 0)] {
            let wallet = Wallet { version, available: 40, ..Wallet::empty(member) };
            points.wallets.put(&Purse::new(wallet, Vec::new(), Vec::new(), points.now())).await;
        }
        let look_for = async |caller: MemberId, is_admin, at, least| {
            let roles = Roles { admin: is_admin, ..Roles::default() };
            let caller = Member { id: caller, roles, session: None, by: None };
            let seen = points.look(&caller, Some(at), least).await;
            seen.map(|purse| purse.wallet.available).map_err(|error| error.reason())
        };

        let look = async |caller, is_admin, at| look_for(caller, is_admin, at, 0).await;

        assert_eq!(look(member, false, member).await, Ok(40));
        assert_eq!(look(admin, true, member).await, Ok(40));
        assert_eq!(look(other, false, member).await, Err(ErrorReason::NotFound));
        assert_eq!(look(admin, true, nobody).await, Err(ErrorReason::NotFound), "it was never written");
        assert_eq!(look(admin, true, other).await, Err(ErrorReason::NotFound));
        assert_eq!(look_for(admin, true, member, 3).await, Ok(40));
        assert_eq!(look_for(admin, true, member, 4).await, Err(ErrorReason::NotFound), "it is older than that");
    }
}
