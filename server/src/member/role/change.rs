//! Granting and withdrawing roles.

use uuid::Uuid;
use yeyak_proto::yeyak::member::v1 as pb;

use super::model::{Change, Role, RoleEvent, RoleEventId};
use super::{convert, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::{Admin, Denied};
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::outbox::Cause;
use crate::kit::page::Page;
use crate::kit::tx::Tx;
use crate::member::model::Profile;
use crate::member::{MemberError, Members};

impl Members {
    /// Grants or withdraws a role as an admin, who must still be one when it is written.
    pub(super) async fn change_role_as(
        &self,
        admin: &Admin,
        change: &Change,
        key: &RequestKey,
    ) -> Result<Reply<Profile>, Error> {
        let method = if change.granted { "GrantRole" } else { "WithdrawRole" };
        let load = async |id: Uuid| self.profile(MemberId(id)).await;
        self.kit
            .requests
            .once(admin.id.0, method, key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        // Locked, so that two admins who withdraw each other come one after the other.
                        let admins = store::lock_admins(&*tx).await?;
                        let withdrawn = change.role == Role::Admin && !change.granted;
                        if withdrawn && admins == [change.member] {
                            return Err(MemberError::LastAdmin(change.member).into());
                        }
                        if !admins.contains(&admin.id) {
                            return Err(Denied { needs: "the role admin" }.into());
                        }
                        self.change_role(&tx, change).await?;
                        record.put(&tx, change.member.0).await
                    })
                    .await?;
                self.profile(change.member).await
            })
            .await
    }

    /// Writes a change of roles, its line of record and its event, unless the member has it so already.
    pub(in crate::member) async fn change_role(&self, tx: &Tx, change: &Change) -> Result<(), Error> {
        let id = change.member;
        let roles = store::lock(&**tx, id).await?.ok_or_else(|| NotFound::new("member", id))?;
        if change.role.is_of(roles) == change.granted {
            return Ok(());
        }
        let now = self.kit.clock.now();
        if !store::set(&**tx, change, now).await? {
            return Err(Error::lost(id));
        }
        let event = RoleEvent { id: RoleEventId::new(&self.kit.ids, now), change: change.clone(), create_time: now };
        store::insert(&**tx, &event).await?;
        let cause = Cause { aggregate: id.0, version: store::version(&**tx, id).await?, actor: &change.actor };
        let role = convert::role(change.role).into();
        let news = pb::RoleChanged { member_id: id.to_string(), role, granted: change.granted };
        self.kit.outbox.put(tx, cause, &news);
        let liveness = self.liveness.clone();
        tx.on_commit(move || liveness.forget_member(id));
        Ok(())
    }

    /// The changes of roles, newest first.
    pub(super) async fn list_role_events(
        &self,
        _admin: &Admin,
        member: Option<MemberId>,
        page: &Page,
    ) -> Result<(Vec<RoleEvent>, String), Error> {
        let events = store::events(self.kit.db.read(), member, page).await?;
        Ok(page.cut(&self.kit.keys, events, |event| event.id.0))
    }
}
