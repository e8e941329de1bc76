//! Who gives and takes points, and whose wallet is looked at.

use uuid::Uuid;

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
        Ok(self.wallets.get(member, 1, self.now()).await.is_some()
            || store::purse::wallet(conn, member).await?.is_some()
            || directory::known(conn, &[member]).await?.contains(&member))
    }
}
