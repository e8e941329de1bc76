//! Making an admin by hand: the first one can't be granted the role by another.

use yeyak_proto::yeyak::member::v1 as pb;

use super::model::{Change, Role};
use crate::error::{Error, ErrorReason};
use crate::kit::caller::Actor;
use crate::kit::id::MemberId;
use crate::member::model::Profile;
use crate::member::sign_up::SignUp;
use crate::member::store::{self, Origin};
use crate::member::{MemberError, Members, convert};

impl Members {
    /// Makes a member who is an admin, or makes an admin of the member with this address and password.
    ///
    /// Errors: `INVALID_FIELDS`, and `WRONG_CREDENTIALS` when the address has an account with another password.
    pub async fn create_admin(&self, email: &str, password: &str, display_name: &str) -> Result<Profile, Error> {
        let request = pb::SignUpRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            display_name: display_name.to_owned(),
            ..Default::default()
        };
        let command = convert::sign_up(request, Origin::default())?;
        let id = match self.promote_known(&command).await? {
            Some(id) => id,
            None => match self.create_promoted(&command).await {
                // Signed up a moment ago.
                Err(error) if error.reason() == ErrorReason::EmailTaken => {
                    self.promote_known(&command).await?.ok_or(error)?
                }
                created => created?,
            },
        };
        self.profile(id).await
    }

    async fn promote_known(&self, command: &SignUp) -> Result<Option<MemberId>, Error> {
        let found = store::account_by_email(self.kit.db.read(), &self.kit, &command.email).await?;
        let Some(account) = found else { return Ok(None) };
        if !self.passwords.verify(&command.password, Some(&account.password_hash)).await? {
            return Err(MemberError::WrongCredentials.into());
        }
        let id = account.profile.id;
        self.kit.db.write(async |tx| self.change_role(&tx, &by_hand(id)).await).await?;
        Ok(Some(id))
    }

    async fn create_promoted(&self, command: &SignUp) -> Result<MemberId, Error> {
        let account = self.new_account(command).await?;
        let id = account.profile.id;
        self.kit
            .db
            .write(async |tx| {
                store::insert_account(&*tx, &self.kit, &account).await?;
                self.change_role(&tx, &by_hand(id)).await
            })
            .await?;
        Ok(id)
    }
}

fn by_hand(member: MemberId) -> Change {
    let reason = "made an admin on the command line".to_owned();
    Change { member, role: Role::Admin, granted: true, reason, actor: Actor("cli".to_owned()) }
}
