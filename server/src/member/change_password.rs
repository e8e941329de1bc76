//! Changing a password.

use yeyak_proto::yeyak::member::v1 as pb;

use super::Members;
use super::error::MemberError;
use super::model::Outcome;
use super::password::Password;
use super::store::{self, Account, Origin};
use crate::error::{Error, ErrorReason, NotFound};
use crate::kit::caller::Member;
use crate::kit::outbox::Cause;

/// Asks for another password.
#[derive(Clone, Debug)]
pub(super) struct ChangePassword {
    pub(super) old: Password,
    pub(super) new: Password,
    pub(super) origin: Origin,
}

impl Members {
    /// Changes the caller's password and ends their other sessions. Repeated, it finds the new password in place.
    pub(super) async fn change_password(&self, caller: &Member, command: &ChangePassword) -> Result<(), Error> {
        loop {
            match self.change_password_once(caller, command).await {
                // A twin was faster: what it left is decided on now.
                Err(error) if error.is_lost() => {}
                outcome => return outcome,
            }
        }
    }

    async fn change_password_once(&self, caller: &Member, command: &ChangePassword) -> Result<(), Error> {
        let found = store::account_by_id(self.kit.db.read(), &self.kit, caller.id).await?;
        let account = found.ok_or_else(|| NotFound::new("member", caller.id))?;
        let ChangePassword { old, new, origin } = command;
        let email = &account.profile.email;
        if !self.prove(email, Some(&account), old, origin).await? {
            // Counted before the other is looked at, since either may be a guess.
            self.throttle.failed(&store::email_index(&self.kit, email), &origin.address);
            return match self.prove(email, Some(&account), new, origin).await {
                Ok(true) => Ok(()),
                Err(error) if error.reason() != ErrorReason::LoginThrottled => Err(error),
                refused => {
                    self.count_failure(email, Some(&account), origin).await?;
                    Err(refused.err().unwrap_or_else(|| MemberError::WrongPassword.into()))
                }
            };
        }
        let hash = self.passwords.hash(&self.kit.ids, new).await?;
        self.write_password(caller, &account, &hash, origin).await
    }

    async fn write_password(&self, caller: &Member, old: &Account, hash: &str, origin: &Origin) -> Result<(), Error> {
        let (id, now) = (caller.id, self.kit.clock.now());
        let event = pb::PasswordChanged { member_id: id.to_string() };
        self.kit
            .db
            .write(async |tx| {
                store::set_password(&*tx, old, hash, now).await?;
                store::revoke_others(&*tx, id, caller.session, now).await?;
                store::insert_login(&*tx, &self.kit, Some(id), Outcome::PasswordChanged, origin).await?;
                let cause = Cause { aggregate: id.0, version: old.profile.version + 1, actor: &caller.actor() };
                self.kit.outbox.put(&tx, cause, &event);
                let liveness = self.liveness.clone();
                tx.on_commit(move || liveness.forget_member(id));
                Ok(())
            })
            .await
    }
}
