//! Changing a profile.

use uuid::Uuid;
use yeyak_proto::yeyak::member::v1 as pb;

use super::Members;
use super::model::Profile;
use super::store::{self, Changes};
use crate::error::{Error, EtagMismatch, NotFound};
use crate::kit::caller::Member;
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;

/// Asks for other values in a profile.
#[derive(Clone, Debug)]
pub(super) struct Update {
    /// Whose; none for the caller's own.
    pub(super) id: Option<MemberId>,
    /// What it was decided on.
    pub(super) version: Option<i64>,
    pub(super) changes: Changes,
    /// The paths of the mask.
    pub(super) fields: Vec<&'static str>,
}

impl Members {
    /// Changes the caller's own profile.
    pub(super) async fn update(
        &self,
        caller: &Member,
        command: &Update,
        key: &RequestKey,
    ) -> Result<Reply<Profile>, Error> {
        let load = async |id: Uuid| self.profile(MemberId(id)).await;
        self.kit
            .requests
            .once(caller.id.0, "UpdateMember", key, load, async |record| {
                if command.id.is_some_and(|id| id != caller.id) {
                    return Err(NotFound::new("member", command.id.unwrap_or(caller.id)).into());
                }
                self.kit
                    .db
                    .write(async |tx| {
                        let updated = self.write_update(&tx, caller, command).await?;
                        record.put(&tx, caller.id.0).await?;
                        Ok(updated)
                    })
                    .await
            })
            .await
    }

    async fn write_update(&self, tx: &Tx, caller: &Member, command: &Update) -> Result<Profile, Error> {
        let id = caller.id;
        if !store::update(&**tx, &self.kit, id, command.version, &command.changes).await? {
            return Err(match store::roles(&**tx, id).await? {
                Some(_) => EtagMismatch { id: id.to_string() }.into(),
                None => NotFound::new("member", id).into(),
            });
        }
        let updated = store::account_by_id(&**tx, &self.kit, id).await?;
        let updated = updated.ok_or_else(|| NotFound::new("member", id))?.profile;
        let cause = Cause { aggregate: id.0, version: updated.version, actor: &caller.actor() };
        let fields = command.fields.iter().map(ToString::to_string).collect();
        let event = pb::MemberUpdated { member_id: id.to_string(), fields };
        self.kit.outbox.put(tx, cause, &event);
        Ok(updated)
    }
}
